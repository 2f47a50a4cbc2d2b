#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "base/text.h"

namespace paperclip::net {

namespace {

struct Range {
  std::uint32_t first;
  int bits;
};

constexpr std::uint32_t v4(std::uint32_t a, std::uint32_t b, std::uint32_t c = 0) { return a << 24 | b << 16 | c << 8; }

// The IANA registry of special-purpose addresses, and multicast.
constexpr Range special_v4[] = {{v4(0, 0), 8},         {v4(10, 0), 8},     {v4(100, 64), 10},   {v4(127, 0), 8},
                                {v4(169, 254), 16},    {v4(172, 16), 12},  {v4(192, 0, 0), 24}, {v4(192, 0, 2), 24},
                                {v4(192, 88, 99), 24}, {v4(192, 168), 16}, {v4(198, 18), 15},   {v4(198, 51, 100), 24},
                                {v4(203, 0, 113), 24}, {v4(224, 0), 4},    {v4(240, 0), 4}};

bool is_public_v4(std::uint32_t address) {
  return std::none_of(std::begin(special_v4), std::end(special_v4),
                      [&](const Range& range) { return (address ^ range.first) >> (32 - range.bits) == 0; });
}

bool is_public_v6(const unsigned char* bytes) {
  const auto word = [&](int at) { return static_cast<std::uint32_t>(bytes[at] << 8 | bytes[at + 1]); };
  const auto v4_at = [&](int at) { return word(at) << 16 | word(at + 2); };
  static constexpr unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  static constexpr unsigned char translated[12] = {0, 0x64, 0xff, 0x9b};
  if (std::memcmp(bytes, mapped, 12) == 0 || std::memcmp(bytes, translated, 12) == 0) return is_public_v4(v4_at(12));
  if (word(0) == 0x2002) return is_public_v4(v4_at(2));  // 6to4
  // Teredo and other protocols, documentation.
  if (word(0) == 0x2001 && (word(2) < 0x200 || word(2) == 0xdb8)) return false;
  return bytes[0] >> 5 == 1;  // 2000::/3 is all that is given out
}

}  // namespace

bool is_public_address(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &address, sizeof in);
    return is_public_v4(ntohl(in.sin_addr.s_addr));
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 in;
    std::memcpy(&in, &address, sizeof in);
    return is_public_v6(in.sin6_addr.s6_addr);
  }
  return false;
}

bool is_public_address(std::string_view text) {
  const std::string terminated(text);
  in_addr four;
  if (::inet_pton(AF_INET, terminated.c_str(), &four) == 1) return is_public_v4(ntohl(four.s_addr));
  in6_addr six;
  return ::inet_pton(AF_INET6, terminated.c_str(), &six) == 1 && is_public_v6(six.s6_addr);
}

bool is_loopback_name(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.ends_with('.')) host.remove_suffix(1);
  const std::string name = lower(host);
  if (name == "localhost" || name.ends_with(".localhost") || name == "::1") return true;
  in_addr four;
  return ::inet_pton(AF_INET, name.c_str(), &four) == 1 && ntohl(four.s_addr) >> 24 == 127;
}

}  // namespace paperclip::net
