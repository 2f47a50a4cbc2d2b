#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "runner/egress.h"

namespace paperclip::runner {

/// What a client asked the proxy for.
struct ProxyRequest {
  EgressTarget target;
  /// What goes to the target first: empty for CONNECT; the request in origin form, without what was meant for a proxy, for
  /// `GET http://…`.
  std::string first_bytes;
  bool connect = false;
};

enum class ProxyHead { incomplete, refused, complete };

inline constexpr std::size_t proxy_head_limit = 32 * 1024;

/// Reads the head at the start of `bytes`; `size` is its length once it is complete. `refusal` is a sentence for people.
ProxyHead read_proxy_request(std::string_view bytes, ProxyRequest& request, std::size_t& size, std::string& refusal);

/// `host:port`, `[v6]:port`; without a port `otherwise`, or nothing if that is 0.
std::optional<EgressTarget> read_authority(std::string_view text, std::uint16_t otherwise);

}  // namespace paperclip::runner
