#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

/// Which calls an agent may make through the callback bridge (spec/callback-bridge.md 2.1, 9.2, 11.5). The API checks
/// everything again as the run's agent; this only takes away.
namespace paperclip::environments {

enum class BridgeAllowList {
  extended,  // OURS: the strict one and what the agent skill teaches
  strict,    // the reference's
};

/// How an environment wants its bridge: `metadata.callbackBridge`, an object.
struct BridgePolicy {
  /// `local`: also where the API could be reached directly. Other places always have a bridge.
  bool enabled = false;
  BridgeAllowList allow_list = BridgeAllowList::extended;  // `allowList`: "extended" | "strict"
  std::size_t max_body_bytes = 256 * 1024;                 // `maxBodyBytes`, of requests and answers; at most 8 MiB
};

/// Reads it; what is missing or makes no sense is as it is without it, and an unknown list is the strict one.
BridgePolicy bridge_policy(const json::value& metadata);

/// The path's segments, decoded once. nullopt for anything that another reader could take for another path: a relative
/// or doubled segment, a trailing slash, encoded slashes and dots, what would decode further, and bytes that are no
/// visible ASCII before decoding or no printable ASCII after it.
std::optional<std::vector<std::string>> canonical_segments(std::string_view path);

/// `/a/b` of decoded segments: the only form in which a path goes on to the API.
std::string path_of(const std::vector<std::string>& segments);

/// Whether the list has a route for it. Methods and fixed segments compare exactly.
bool allows(BridgeAllowList list, std::string_view method, const std::vector<std::string>& segments);

}  // namespace paperclip::environments
