#include "net/inflate.h"

#include <zlib.h>

#include <algorithm>
#include <new>

namespace paperclip::net {

namespace {

constexpr int detect_zlib_or_gzip = 15 + 32;
constexpr int raw_deflate = -15;

Result<std::string> inflate_as(int window_bits, std::string_view encoded, std::size_t limit) {
  z_stream stream{};
  if (inflateInit2(&stream, window_bits) != Z_OK) throw std::bad_alloc();
  struct End {
    z_stream& stream;
    ~End() { inflateEnd(&stream); }
  } end{stream};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(encoded.data()));
  stream.avail_in = static_cast<uInt>(encoded.size());
  std::string out;
  while (true) {
    const std::size_t had = out.size();
    // One byte beyond the limit is asked for, so that "exactly the limit" and "more" differ.
    const std::size_t room = std::min<std::size_t>(std::max<std::size_t>(had, 16 * 1024), limit + 1 - had);
    out.resize(had + room);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + had);
    stream.avail_out = static_cast<uInt>(room);
    const int outcome = ::inflate(&stream, Z_NO_FLUSH);
    out.resize(had + room - stream.avail_out);
    if (outcome != Z_OK && outcome != Z_STREAM_END) return bad_request("The compressed body is broken");
    if (out.size() > limit) return Error(ErrorKind::too_large, "Request body too large");
    if (outcome == Z_STREAM_END) {
      if (stream.avail_in != 0) return bad_request("The compressed body has something after its end");
      return out;
    }
    if (stream.avail_in == 0 && stream.avail_out != 0) return bad_request("The compressed body is cut short");
  }
}

}  // namespace

Result<std::string> inflate(std::string_view encoded, std::size_t limit) {
  auto out = inflate_as(detect_zlib_or_gzip, encoded, limit);
  const bool is_gzip = encoded.starts_with("\x1f\x8b");
  if (!out && out.error().kind == ErrorKind::bad_request && !is_gzip) return inflate_as(raw_deflate, encoded, limit);
  return out;
}

}  // namespace paperclip::net
