#include "environments/ssh/target.h"

#include <algorithm>

#include "base/text.h"

namespace paperclip::environments::ssh {
namespace {

std::string text_of(const json::object& config, std::string_view key) { return text_at(json::value(config), key).value_or(""); }

bool flag_of(const json::object& config, std::string_view key, bool otherwise) {
  const auto* found = config.if_contains(key);
  return found && found->is_bool() ? found->get_bool() : otherwise;
}

/// ssh takes a word that begins with `-` for an option, and a host or user with white space for nothing good.
bool is_harmless(std::string_view word) {
  return !word.starts_with('-') && std::none_of(word.begin(), word.end(), [](unsigned char c) { return c <= ' ' || c == 0x7f; });
}

int port_of(const json::object& config) {
  const auto* found = config.if_contains("port");
  if (!found || found->is_null()) return 22;
  if (found->is_int64()) return found->get_int64() >= 1 && found->get_int64() <= 65535 ? static_cast<int>(found->get_int64()) : 0;
  if (!found->is_string()) return 0;
  const std::string_view text = found->get_string();
  if (text.empty() || text.size() > 5 || text.find_first_not_of("0123456789") != std::string_view::npos) return 0;
  const int port = std::stoi(std::string(text));
  return port >= 1 && port <= 65535 ? port : 0;
}

}  // namespace

Result<Target> read_target(const json::object& config) {
  Target target;
  target.host = text_of(config, "host");
  target.username = text_of(config, "username");
  target.workspace_path = text_of(config, "remoteWorkspacePath");
  target.port = port_of(config);
  if (target.host.empty()) return unprocessable("SSH environments require a host.");
  if (target.username.empty()) return unprocessable("SSH environments require a username.");
  if (target.workspace_path.empty()) return unprocessable("SSH environments require a remote workspace path.");
  if (!target.workspace_path.starts_with('/')) return unprocessable("SSH remote workspace path must be absolute.");
  if (target.port == 0) return unprocessable("The SSH port must be between 1 and 65535.");
  if (!is_harmless(target.host) || target.host.find('@') != std::string::npos)
    return unprocessable("The SSH host cannot begin with \"-\" or hold white space or \"@\": \"" + target.host + "\"");
  if (!is_harmless(target.username)) return unprocessable("The SSH username cannot begin with \"-\" or hold white space: \"" + target.username + "\"");
  if (target.workspace_path.find_first_of(std::string_view("\0\n\r", 3)) != std::string::npos)
    return unprocessable("The SSH remote workspace path cannot hold line breaks.");
  target.private_key = SecretText(text_of(config, "privateKey"));
  target.known_hosts = text_of(config, "knownHosts");
  target.strict_host_keys = flag_of(config, "strictHostKeyChecking", true);
  target.in_place = flag_of(config, "inPlace", false);
  return target;
}

}  // namespace paperclip::environments::ssh
