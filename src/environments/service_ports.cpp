#include "environments/service_ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <string>

#include "base/text.h"
#include "os/descriptor.h"
#include "os/files.h"

namespace paperclip::environments {

namespace {

// Inodes of the sockets that listen on the port.
void add_listeners(const char* table, int port, std::set<std::string>& inodes) {
  std::ifstream file(table);
  std::string line;
  char wanted[8];
  snprintf(wanted, sizeof wanted, ":%04X", static_cast<unsigned>(port));
  while (std::getline(file, line)) {
    std::vector<std::string> fields;
    for (auto& field : split(line, ' '))
      if (!field.empty()) fields.push_back(std::move(field));
    if (fields.size() > 9 && fields[1].ends_with(wanted) && fields[3] == "0A") inodes.insert(fields[9]);
  }
}

std::set<std::string> listeners(int port) {
  std::set<std::string> inodes;
  add_listeners("/proc/net/tcp", port, inodes);
  add_listeners("/proc/net/tcp6", port, inodes);
  return inodes;
}

}  // namespace

int free_port() {
  os::Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (!socket || ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) return 0;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.sin_port);
}

bool is_port_taken(int port) { return !listeners(port).empty(); }

std::optional<pid_t> listener_of(int port) {
  const auto inodes = listeners(port);
  if (inodes.empty()) return std::nullopt;
  const auto processes = os::list_directory("/proc");
  if (!processes) return std::nullopt;
  std::error_code ec;
  for (const auto& name : *processes) {
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::filesystem::path fds = std::filesystem::path("/proc") / name / "fd";
    const auto open = os::list_directory(fds);
    if (!open) continue;
    for (const auto& fd : *open) {
      const std::string target = std::filesystem::read_symlink(fds / fd, ec).string();
      if (ec || !target.starts_with("socket:[")) continue;
      if (inodes.contains(target.substr(8, target.size() - 9))) return static_cast<pid_t>(std::stol(name));
    }
  }
  return std::nullopt;
}

}  // namespace paperclip::environments
