#include "heartbeat/log_pipe.h"

#include <cctype>

#include "adapters/output.h"
#include "base/text.h"

namespace paperclip::heartbeat {

namespace {

constexpr std::string_view image_opening = R"("type":"image","source":{"type":"base64","data":")";
constexpr std::size_t smallest_image = 1024;
constexpr std::size_t longest_chunk = 65536;

bool is_base64(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '+' || c == '/' || c == '='; }

// The bytes of an unfinished character at the end: 0 to 3.
std::size_t unfinished_tail(std::string_view bytes) {
  for (std::size_t back = 1; back <= 3 && back <= bytes.size(); ++back) {
    const auto byte = static_cast<unsigned char>(bytes[bytes.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

std::string omitted(std::uint64_t characters) { return "[omitted base64 image data: " + std::to_string(characters) + " chars]"; }

}  // namespace

std::string LogPipe::feed(std::string_view bytes) {
  held_ += bytes;
  return take(false);
}

std::string LogPipe::finish() {
  std::string text = take(true);
  if (in_image_) text += omitted(image_characters_);
  in_image_ = false;
  return text;
}

std::string LogPipe::take(bool at_end) {
  const std::size_t end = held_.size() - (at_end ? 0 : unfinished_tail(held_));
  auto scan = mask_.scan(held_, end, at_end);
  held_.erase(0, scan.taken);
  taken_ += scan.taken;
  return without_images(adapters::storable_text(scan.text));
}

std::string LogPipe::without_images(std::string text) {
  if (!in_image_ && text.find(image_opening) == std::string::npos) return text;
  std::string out;
  std::string_view rest = text;
  while (!rest.empty()) {
    if (!in_image_) {
      const auto at = rest.find(image_opening);
      if (at == std::string_view::npos) {
        out += rest;
        break;
      }
      out += rest.substr(0, at + image_opening.size());
      rest.remove_prefix(at + image_opening.size());
      in_image_ = true;
      image_characters_ = 0;
    }
    std::size_t length = 0;
    while (length < rest.size() && is_base64(rest[length])) ++length;
    const bool ends_here = length < rest.size();
    if (ends_here && image_characters_ + length < smallest_image) {
      out += rest.substr(0, length);  // a small one may stay
      in_image_ = false;
    } else {
      image_characters_ += length;
      if (ends_here) {
        out += omitted(image_characters_);
        in_image_ = false;
      }
    }
    rest.remove_prefix(length);
  }
  return out;
}

std::string bounded_log_chunk(std::string chunk) {
  if (chunk.size() <= longest_chunk) return chunk;
  const std::size_t length = utf16_length(chunk);
  if (length <= longest_chunk) return chunk;
  const auto head = utf16_prefix(chunk, longest_chunk * 60 / 100);
  const auto tail = utf8_tail(std::string_view(chunk).substr(head.size()), longest_chunk * 25 / 100);
  const std::size_t left_out = length - utf16_length(head) - utf16_length(tail);
  return std::string(head) + "\n[paperclip truncated run log chunk: omitted " + std::to_string(left_out) + " chars]\n" + std::string(tail);
}

}  // namespace paperclip::heartbeat
