#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace paperclip::net {

struct MultipartPart {
  std::string name;
  std::optional<std::string> filename;  // set: the part is a file. Only the last component of what the client sent
  std::string content_type;             // as sent, without parameters, lower case; empty if the part has none
  std::string_view bytes;               // into the body that was parsed
};

struct MultipartLimits {
  std::size_t parts = 64;
  std::size_t part_header_bytes = 8 * 1024;
  std::size_t name_bytes = 256;
};

/// True for `multipart/form-data`.
bool is_multipart(std::string_view content_type);

/// The parts of a multipart/form-data body in order (RFC 7578). `content_type` is the request's header, with the
/// boundary. Fails with bad_request for a missing boundary, a body that is not complete, a part without a name, or too
/// many parts. The parts' bytes are views into `body`.
Result<std::vector<MultipartPart>> parse_multipart(std::string_view content_type, std::string_view body,
                                                   const MultipartLimits& limits = {});

}  // namespace paperclip::net
