#pragma once

#include <cstdint>
#include <string>

namespace paperclip::cli {

/// Whether a server could listen there now.
bool can_bind(const std::string& host, std::uint16_t port);

}  // namespace paperclip::cli
