#include "machine.h"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "paperclip/sdk/child.h"

namespace paperclip::providers {
namespace {

using namespace sdk;

std::string find_program(const std::string& name) {
  const char* path = ::getenv("PATH");
  std::istringstream folders(path && *path ? path : "/usr/local/bin:/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (folder.starts_with('/') && ::access((folder + "/" + name).c_str(), X_OK) == 0) return folder + "/" + name;
  return {};
}

std::string output_of(Connection& nowhere, const std::vector<std::string>& argv) {
  try {
    Execution execution(nowhere, "", false, false);
    const auto child = Child::start(argv, "/", {});
    Patience patience;
    patience.timeout = std::chrono::seconds(10);
    attend(*child, "", patience, execution);
    return execution.take_stdout();
  } catch (const Error&) {
    return {};
  }
}

/// Whether all of these numbers exist here: outside of containers they do.
bool ids_exist(const char* map, std::uint64_t first, std::uint64_t count) {
  std::ifstream file(map);
  for (std::uint64_t inside, outside, length; file >> inside >> outside >> length;)
    if (first >= inside && first + count <= inside + length) return true;
  return false;
}

std::optional<uid_t> find_sandbox_users() {
  // Between what containers are usually given and what systemd keeps for foreign images nobody allots numbers.
  constexpr uid_t first = 1'900'000'000;
  if (ids_exist("/proc/self/uid_map", first, Machine::sandbox_users) && ids_exist("/proc/self/gid_map", first, Machine::sandbox_users)) return first;
  return std::nullopt;
}

bool looks_like_a_container() {
  if (::access("/run/.containerenv", F_OK) == 0 || ::access("/.dockerenv", F_OK) == 0) return true;
  std::ifstream environment("/proc/1/environ");
  const std::string text(std::istreambuf_iterator<char>(environment), {});
  return text.find("container=") == 0 || text.find(std::string("\0container=", 11)) != std::string::npos;
}

Machine look_around() {
  Machine machine;
  machine.is_root = ::geteuid() == 0;
  machine.is_container = looks_like_a_container();
  if (machine.is_root) machine.first_sandbox_user = find_sandbox_users();
  machine.bwrap = find_program("bwrap");
  if (machine.bwrap.empty()) return machine;
  Connection nowhere(-1, -1);
  const std::string version = trimmed(output_of(nowhere, {machine.bwrap, "--version"}));
  machine.bwrap_version = version.substr(version.rfind(' ') + 1);
  machine.can_disable_nested_namespaces = output_of(nowhere, {machine.bwrap, "--help"}).find("--disable-userns") != std::string::npos;
  return machine;
}

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace

const Machine& Machine::look() {
  static const Machine machine = look_around();
  return machine;
}

std::string obstacle(const Machine& machine) {
  if (machine.bwrap.empty()) return "bubblewrap is not installed: there is no bwrap in PATH. On Debian: apt install bubblewrap.";
  if (first_line("/proc/sys/user/max_user_namespaces") == "0")
    return "The kernel allows no user namespaces: /proc/sys/user/max_user_namespaces is 0.";
  if (!machine.is_root && first_line("/proc/sys/kernel/unprivileged_userns_clone") == "0")
    return "The kernel allows user namespaces to root only: /proc/sys/kernel/unprivileged_userns_clone is 0.";
  if (machine.is_root && !machine.first_sandbox_user)
    return "The server runs as root of a container that has too few user numbers to give sandboxes one of their own. Run it as an ordinary user.";
  return {};
}

std::vector<Diagnostic> describe(const Machine& machine) {
  std::vector<Diagnostic> list;
  const auto say = [&](Severity severity, std::string code, std::string message) { list.push_back({severity, std::move(message), std::move(code)}); };
  if (!machine.bwrap.empty()) say(Severity::info, "bwrap", "bubblewrap " + machine.bwrap_version + " at " + machine.bwrap);
  if (machine.is_root)
    say(Severity::info, "user", "The server runs as root; each sandbox runs as a user number of its own that owns nothing else.");
  else
    say(Severity::info, "user", "Sandboxes run as the server's own user, in a user namespace that sees none of its files.");
  if (machine.is_container) say(Severity::info, "container", "The server itself runs in a container.");
  if (!machine.can_disable_nested_namespaces)
    say(Severity::warning, "nested_namespaces", "This bubblewrap cannot forbid further user namespaces inside the sandbox (--disable-userns, since 0.8).");
  say(Severity::info, "disk", "Disk space is not limited: sandboxes share the file system that holds them.");
  return list;
}

}  // namespace paperclip::providers
