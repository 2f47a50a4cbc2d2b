#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace paperclip {

/// Takes a chunked HTTP body apart (RFC 9112 7.1). No chunk extensions, no trailers, no bare line feeds. Here, and depending
/// on nothing, because the server and the runner, which has no other room of ours, must not differ in what they accept.
class ChunkedBody {
 public:
  enum class Progress { more, done, malformed, too_large };

  /// Eats from the front of `input` and appends to `body`, which never grows beyond `limit`.
  Progress take(std::string_view& input, std::string& body, std::size_t limit) {
    const auto next_is = [&](char wanted, At then) {
      if (input.front() != wanted) return false;
      input.remove_prefix(1);
      at_ = then;
      return true;
    };
    while (!input.empty()) {
      switch (at_) {
        case At::size: {
          const char c = input.front();
          int digit = -1;
          if (c >= '0' && c <= '9')
            digit = c - '0';
          else if (c >= 'a' && c <= 'f')
            digit = c - 'a' + 10;
          else if (c >= 'A' && c <= 'F')
            digit = c - 'A' + 10;
          if (digit < 0) {
            if (digits_ == 0 || !next_is('\r', At::size_line_feed)) return Progress::malformed;
            break;
          }
          if (++digits_ > 8) return Progress::malformed;
          left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
          input.remove_prefix(1);
          break;
        }
        case At::size_line_feed:
          if (!next_is('\n', left_ == 0 ? At::end_return : At::data)) return Progress::malformed;
          if (left_ > limit - body.size()) return Progress::too_large;
          break;
        case At::data: {
          const auto piece = input.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size())));
          body.append(piece);
          input.remove_prefix(piece.size());
          left_ -= piece.size();
          if (left_ == 0) at_ = At::data_return;
          break;
        }
        case At::data_return:
          if (!next_is('\r', At::data_line_feed)) return Progress::malformed;
          break;
        case At::data_line_feed:
          if (!next_is('\n', At::size)) return Progress::malformed;
          digits_ = 0;
          break;
        case At::end_return:
          if (!next_is('\r', At::end_line_feed)) return Progress::malformed;
          break;
        case At::end_line_feed:
          if (!next_is('\n', At::size)) return Progress::malformed;
          *this = ChunkedBody();
          return Progress::done;
      }
    }
    return Progress::more;
  }

 private:
  enum class At { size, size_line_feed, data, data_return, data_line_feed, end_return, end_line_feed };
  At at_ = At::size;
  std::uint64_t left_ = 0;
  int digits_ = 0;
};

}  // namespace paperclip
