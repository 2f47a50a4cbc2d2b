#include "adapters/output.h"

#include "base/text.h"

namespace paperclip::adapters {

void LineReader::take(std::string_view piece) {
  if (too_long_) return;
  if (partial_.size() + piece.size() > limit_) {
    too_long_ = true;
    partial_ = {};
    return;
  }
  partial_ += piece;
}

void LineReader::end_line() {
  if (!too_long_ && !partial_.empty()) on_line_(partial_);
  partial_.clear();
  too_long_ = false;
}

void LineReader::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto newline = bytes.find('\n');
    if (newline == std::string_view::npos) return take(bytes);
    if (partial_.empty() && !too_long_ && newline <= limit_) {
      if (newline > 0) on_line_(bytes.substr(0, newline));  // the usual case: no copy
    } else {
      take(bytes.substr(0, newline));
      end_line();
    }
    bytes.remove_prefix(newline + 1);
  }
}

void LineReader::finish() { end_line(); }

void OutputTail::feed(std::string_view bytes) {
  if (bytes.size() >= limit_) {
    cut_ = cut_ || !bytes_.empty() || bytes.size() > limit_;
    bytes_.assign(bytes.substr(bytes.size() - limit_));
    return;
  }
  bytes_ += bytes;
  // Cut when twice too long, so that each byte is moved once on average.
  if (bytes_.size() > 2 * limit_) {
    bytes_.erase(0, bytes_.size() - limit_);
    cut_ = true;
  }
}

std::string OutputTail::text() const {
  std::string_view tail = bytes_;
  bool cut = cut_;
  if (tail.size() > limit_) {
    tail.remove_prefix(tail.size() - limit_);
    cut = true;
  }
  // The rest of a character whose beginning was dropped: at most three bytes.
  for (int i = 0; cut && i < 3 && !tail.empty() && (static_cast<unsigned char>(tail.front()) & 0xC0) == 0x80; ++i)
    tail.remove_prefix(1);
  return storable_text(tail);
}

std::string first_line(std::string_view text) {
  while (!text.empty()) {
    const auto newline = text.find('\n');
    const auto line = trim(text.substr(0, newline));
    if (!line.empty()) return std::string(line);
    if (newline == std::string_view::npos) break;
    text.remove_prefix(newline + 1);
  }
  return {};
}

std::string storable_text(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (std::size_t i = 0; i < bytes.size();) {
    const auto lead = static_cast<unsigned char>(bytes[i]);
    if (lead == 0) {
      ++i;
      continue;
    }
    const std::size_t length = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (i + length <= bytes.size() && valid_utf8(bytes.substr(i, length))) {
      out += bytes.substr(i, length);
      i += length;
    } else {
      out += "\xEF\xBF\xBD";
      ++i;
    }
  }
  return out;
}

}  // namespace paperclip::adapters
