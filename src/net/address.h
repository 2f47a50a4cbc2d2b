#pragma once

#include <string_view>

struct sockaddr;

namespace paperclip::net {

/// True for an address of the public internet: not loopback, private, link-local, shared, multicast, documentation or
/// otherwise special, and not an IPv6 address that wraps such an IPv4 one. False for other families.
bool is_public_address(const sockaddr& address);
/// The same for text; false for what is no IP address.
bool is_public_address(std::string_view text);
/// True for `localhost`, names under it, 127.0.0.0/8 and ::1 (with or without brackets).
bool is_loopback_name(std::string_view host);

}  // namespace paperclip::net
