#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "paperclip/sdk/environment.h"

namespace paperclip::providers {

enum class Egress { none, allow_list, full };

/// What an environment asks for. Zero: no limit.
struct BubblewrapConfig {
  Egress egress = Egress::none;
  std::vector<std::string> allowed_hosts;
  std::vector<std::string> read_only_paths;
  std::uint64_t memory_mb = 0;
  std::uint64_t processes = 1024;
  std::uint64_t open_files = 16384;
  std::uint64_t file_size_mb = 0;
  std::uint64_t cpu_seconds = 0;
  std::optional<std::int64_t> timeout_ms;
  bool reuse_lease = false;
};

/// Reads a configuration; what is wrong with it goes to `errors`, each a sentence that names the field.
BubblewrapConfig read_config(const sdk::json::object& config, std::vector<std::string>& errors);
/// Throws the first error.
BubblewrapConfig read_config(const sdk::json::object& config);

sdk::json::object to_json(const BubblewrapConfig& config);

/// For lease metadata: what the host sets up (sdk/README.md).
sdk::json::object egress_metadata(const BubblewrapConfig& config);

}  // namespace paperclip::providers
