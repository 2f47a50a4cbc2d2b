#include "os/child_environment.h"

#include <unistd.h>

#include <algorithm>
#include <array>

extern char** environ;

namespace paperclip::os {
namespace {

constexpr std::array general_names{
    // who and where
    "PATH", "HOME", "USER", "LOGNAME", "SHELL",
    // language, terminal, time
    "LANG", "LANGUAGE", "LC_*", "TERM", "COLORTERM", "NO_COLOR", "TZ", "TZDIR",
    // places
    "TMPDIR", "TMP", "TEMP", "XDG_*", "DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK",
    // the network around us
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO",
    // where we can be reached
    "PAPERCLIP_RUNTIME_API_URL", "PAPERCLIP_LISTEN_HOST", "PAPERCLIP_LISTEN_PORT"};

constexpr std::array kept_of_ours{"PAPERCLIP_RUNTIME_API_URL", "PAPERCLIP_LISTEN_HOST", "PAPERCLIP_LISTEN_PORT"};

constexpr std::array server_names{"DATABASE_*", "POSTGRES*", "PG*", "BETTER_AUTH_*", "AUTH_SECRET", "JWT_SECRET",
                                  "SECRETS_MASTER_KEY*", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
                                  "CREDENTIALS_DIRECTORY"};

/// Tell an agent that it runs inside another; removed even if configured (spec/execution.md 7, rule 1).
constexpr std::array nested_names{"CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_SESSION", "CLAUDE_CODE_PARENT_SESSION"};

bool matches(std::string_view name, std::string_view pattern) {
  if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  return name == pattern;
}

bool matches_any(std::string_view name, const auto& patterns) {
  return std::any_of(patterns.begin(), patterns.end(), [&](std::string_view pattern) { return matches(name, pattern); });
}

bool is_variable_name(std::string_view name) {
  return !name.empty() && name.find('=') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

}  // namespace

Environment own_environment() {
  Environment all;
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos && equals > 0) all.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return all;
}

bool is_server_variable(std::string_view name) {
  if (name.starts_with("PAPERCLIP_")) return !matches_any(name, kept_of_ours);
  return matches_any(name, server_names);
}

ChildEnvironment ChildEnvironment::from_host(const Environment& host) {
  ChildEnvironment child;
  child.allow(host, {general_names.begin(), general_names.end()});
  if (child.value("PATH").empty()) child.set("PATH", default_path);
  return child;
}

ChildEnvironment ChildEnvironment::empty() {
  ChildEnvironment child;
  child.set("PATH", default_path);
  return child;
}

ChildEnvironment& ChildEnvironment::allow(const Environment& host, const std::vector<std::string_view>& patterns) {
  for (const auto& [name, value] : host)
    if (matches_any(name, patterns) && !is_server_variable(name)) set(name, value);
  return *this;
}

ChildEnvironment& ChildEnvironment::set(std::string_view name, std::string_view value) {
  if (!is_variable_name(name) || matches_any(name, nested_names) || value.find('\0') != std::string_view::npos) return *this;
  const auto found = std::find_if(variables_.begin(), variables_.end(), [&](const auto& entry) { return entry.first == name; });
  if (value.empty()) {
    if (found != variables_.end()) variables_.erase(found);
  } else if (found != variables_.end()) {
    found->second = value;
  } else {
    variables_.emplace_back(name, value);
  }
  return *this;
}

}  // namespace paperclip::os
