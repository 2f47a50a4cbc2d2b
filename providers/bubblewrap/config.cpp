#include "config.h"

#include <algorithm>
#include <filesystem>

namespace paperclip::providers {
namespace {

using namespace sdk;

const char* to_text(Egress egress) {
  return egress == Egress::none ? "none" : egress == Egress::allow_list ? "allow-list" : "full";
}

/// `name`, `*.suffix`, an address, `[v6]`; then optionally `:port[,port…]`.
bool is_host_entry(std::string_view entry) {
  std::string_view ports;
  if (entry.starts_with('[')) {
    const auto end = entry.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    const std::string_view address = entry.substr(1, end - 1);
    if (address.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos) return false;
    if (end + 1 < entry.size()) {
      if (entry[end + 1] != ':') return false;
      ports = entry.substr(end + 2);
      if (ports.empty()) return false;
    }
  } else {
    const auto colon = entry.find(':');
    std::string_view name = entry.substr(0, colon);
    if (colon != std::string_view::npos) {
      ports = entry.substr(colon + 1);
      if (ports.empty()) return false;
    }
    if (name.starts_with("*.")) name.remove_prefix(2);
    if (name.empty() || name.size() > 253 || name.front() == '.' || name.find("..") != std::string_view::npos) return false;
    for (const char c : name)
      if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_')) return false;
  }
  while (!ports.empty()) {
    const auto end = std::min(ports.find(','), ports.size());
    const std::string_view port = ports.substr(0, end);
    if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string_view::npos) return false;
    const int number = std::stoi(std::string(port));
    if (number < 1 || number > 65535) return false;
    ports.remove_prefix(std::min(end + 1, ports.size()));
  }
  return true;
}

/// Paths that would undo the isolation when they were shown.
bool may_be_shown(const std::string& path) {
  const std::string normal = std::filesystem::path(path).lexically_normal().string();
  for (const char* refused : {"/", "/proc", "/sys", "/dev", "/run", "/tmp", "/workspace", "/home", "/home/agent"})
    if (normal == refused || normal == std::string(refused) + "/") return false;
  for (const char* below : {"/proc/", "/sys/", "/dev/"})
    if (normal.starts_with(below)) return false;
  return true;
}

}  // namespace

BubblewrapConfig read_config(const json::object& config, std::vector<std::string>& errors) {
  BubblewrapConfig parsed;
  if (const json::value* egress = member(config, "egress"); egress && !egress->is_null()) {
    const std::string text = egress->is_string() ? std::string(egress->get_string()) : json::serialize(*egress);
    if (text == "allow-list") {
      parsed.egress = Egress::allow_list;
    } else if (text == "full") {
      parsed.egress = Egress::full;
    } else if (text != "none") {
      errors.push_back("egress must be none, allow-list or full, not " + text + ".");
    }
  }
  const auto texts = [&](const char* key) {
    std::vector<std::string> found;
    const json::value* value = member(config, key);
    if (!value || value->is_null()) return found;
    if (!value->is_array() || std::any_of(value->get_array().begin(), value->get_array().end(), [](const auto& item) { return !item.is_string(); })) {
      errors.push_back(std::string(key) + " must be a list of texts.");
      return found;
    }
    for (const std::string& text : texts_at(config, key))
      if (std::string entry = trimmed(text); !entry.empty()) found.push_back(std::move(entry));
    return found;
  };
  parsed.allowed_hosts = texts("allowedHosts");
  for (const std::string& entry : parsed.allowed_hosts)
    if (!is_host_entry(entry)) errors.push_back("allowedHosts: \"" + entry + "\" is no host; write api.example.com, *.example.org or host:8443.");
  if (parsed.egress == Egress::allow_list && parsed.allowed_hosts.empty())
    errors.push_back("egress allow-list needs at least one host in allowedHosts.");
  parsed.read_only_paths = texts("readOnlyPaths");
  for (const std::string& path : parsed.read_only_paths) {
    if (!path.starts_with('/')) {
      errors.push_back("readOnlyPaths: \"" + path + "\" is not absolute.");
    } else if (!may_be_shown(path)) {
      errors.push_back("readOnlyPaths: \"" + path + "\" would open the sandbox and cannot be shown.");
    }
  }
  const auto number = [&](const char* key, std::uint64_t otherwise) -> std::uint64_t {
    const json::value* value = member(config, key);
    if (!value || value->is_null()) return otherwise;
    const auto integer = integer_at(config, key);
    if (integer && *integer >= 0 && *integer <= INT64_C(1) << 40) return static_cast<std::uint64_t>(*integer);
    errors.push_back(std::string(key) + " must be a whole number of at least 0.");
    return otherwise;
  };
  parsed.memory_mb = number("memoryMb", 0);
  parsed.processes = number("processes", parsed.processes);
  parsed.open_files = number("openFiles", parsed.open_files);
  parsed.file_size_mb = number("fileSizeMb", 0);
  parsed.cpu_seconds = number("cpuSeconds", 0);
  if (const json::value* timeout = member(config, "timeoutMs"); timeout && !timeout->is_null()) {
    parsed.timeout_ms = integer_at(config, "timeoutMs");
    if (!parsed.timeout_ms || *parsed.timeout_ms < 1 || *parsed.timeout_ms > 86'400'000) errors.push_back("timeoutMs must be between 1 and 86400000.");
  }
  parsed.reuse_lease = is_true(config, "reuseLease");
  return parsed;
}

BubblewrapConfig read_config(const json::object& config) {
  std::vector<std::string> errors;
  BubblewrapConfig parsed = read_config(config, errors);
  if (!errors.empty()) throw Error(errors.front());
  return parsed;
}

json::object to_json(const BubblewrapConfig& config) {
  json::object object{{"egress", to_text(config.egress)},       {"allowedHosts", to_array(config.allowed_hosts)},
                      {"readOnlyPaths", to_array(config.read_only_paths)},
                      {"memoryMb", config.memory_mb},           {"processes", config.processes},
                      {"openFiles", config.open_files},         {"fileSizeMb", config.file_size_mb},
                      {"cpuSeconds", config.cpu_seconds},       {"reuseLease", config.reuse_lease}};
  if (config.timeout_ms) object["timeoutMs"] = *config.timeout_ms;
  return object;
}

json::object egress_metadata(const BubblewrapConfig& config) {
  return {{"mode", to_text(config.egress)}, {"allow", to_array(config.egress == Egress::allow_list ? config.allowed_hosts : std::vector<std::string>())}};
}

}  // namespace paperclip::providers
