#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace paperclip::net {

/// Undoes `Content-Encoding: gzip` or `deflate` (with or without zlib header, as clients do both). Fails with
/// bad_request for a broken or cut stream, or one with something after its end, and with too_large beyond `limit` bytes
/// of output.
Result<std::string> inflate(std::string_view encoded, std::size_t limit);

}  // namespace paperclip::net
