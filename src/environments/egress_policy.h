#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

struct sockaddr;

namespace paperclip::environments {

/// What a sandbox may reach through us. Entries are `api.example.com`, `*.example.org`, an address, each with optional
/// ports (`host:443,8443`, `[::1]:80`); without: 80 and 443. Names are decided on, not addresses: a sandbox that asks for
/// an address is refused unless that address is an entry, and so is a name that leads to an address which is not public,
/// unless the address is an entry too (or the name is `localhost`).
class EgressPolicy {
 public:
  /// `unprocessable` with the entry that makes no sense.
  static Result<EgressPolicy> parse(const std::vector<std::string>& entries);

  /// Why the target may not be reached, for people; nullopt: it may. `host` without brackets.
  std::optional<std::string> refusal(std::string_view host, std::uint16_t port) const;
  /// The same for an address that an allowed name led to.
  std::optional<std::string> refusal(std::string_view host, const sockaddr& address, std::uint16_t port) const;

 private:
  struct Entry {
    std::string name;  // lower case; a suffix with its dot for `*.`; an address as inet_ntop writes it
    bool suffix = false, address = false;
    std::vector<std::uint16_t> ports;
  };
  bool names(const Entry& entry, std::string_view name, std::uint16_t port) const;

  std::vector<Entry> entries_;
};

/// How a sandbox may use the network, as its provider says in lease metadata (sdk/README.md).
struct EgressTerms {
  enum class Mode { unsaid, none, allow_list, full } mode = Mode::unsaid;
  std::vector<std::string> allow;
};
EgressTerms egress_terms(const json::object& lease_metadata);

}  // namespace paperclip::environments
