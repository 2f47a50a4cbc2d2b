#include "sshd.h"

#include <arpa/inet.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <sstream>
#include <stdexcept>

#include "os/child_environment.h"
#include "os/process.h"
#include "run_fixture.h"

namespace paperclip::environments {
namespace {

constexpr const char* sshd_path = "/usr/sbin/sshd";

void must(const std::vector<std::string>& argv) {
  os::Command command;
  command.argv = argv;
  command.environment = {{"PATH", "/usr/bin:/bin"}};
  const auto output = os::run_command(command, Deadline::in(std::chrono::seconds(60)));
  if (!output || !output->ok()) throw std::runtime_error(argv.front() + " failed: " + (output ? output->stderr_text : output.error().message));
}

os::Descriptor connect_to_port(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  os::Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return {};
  return socket;
}

int free_port() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const os::Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  socklen_t size = sizeof address;
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

std::multimap<pid_t, pid_t> children_by_parent() {
  std::multimap<pid_t, pid_t> children;
  const auto names = os::list_directory("/proc").value();
  for (const std::string& name : names) {
    const pid_t pid = std::atoi(name.c_str());
    if (pid <= 0) continue;
    const auto stat = os::read_file("/proc/" + name + "/stat");
    if (!stat || stat->rfind(')') == std::string::npos) continue;
    std::istringstream rest(stat->substr(stat->rfind(')') + 2));
    std::string state;
    pid_t parent = 0;
    rest >> state >> parent;
    children.emplace(parent, pid);
  }
  return children;
}

}  // namespace

void kill_tree(pid_t root, int signal) {
  const auto children = children_by_parent();
  std::vector<pid_t> all{root};
  for (std::size_t i = 0; i < all.size(); ++i)
    for (auto [at, end] = children.equal_range(all[i]); at != end; ++at) all.push_back(at->second);
  for (const pid_t pid : all) ::kill(pid, signal);
}

bool Sshd::is_possible() { return ::access(sshd_path, X_OK) == 0 && ::access("/usr/bin/ssh-keygen", X_OK) == 0; }

Sshd::Sshd(std::filesystem::path home) : directory_(std::move(os::TemporaryDirectory::create("sshd-")).value()), home_(std::move(home)) {
  if (home_.empty()) home_ = directory() / "home";
  (void)os::make_directories(home_);
  if (::geteuid() == 0) (void)os::make_directories("/run/sshd", 0755);
  for (const char* name : {"host_key", "client_key"}) must({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", (directory() / name).string()});
  (void)os::write_file_atomically(directory() / "authorized_keys", os::read_file(directory() / "client_key.pub").value());
  start();
}

Sshd::~Sshd() { kill(true); }

std::string Sshd::user() const { return ::getpwuid(::geteuid())->pw_name; }
std::string Sshd::private_key() const { return os::read_file(directory() / "client_key").value(); }

std::string Sshd::host_key() const {
  std::istringstream words(os::read_file(directory() / "host_key.pub").value());
  std::string type, key;
  words >> type >> key;
  return "[127.0.0.1]:" + std::to_string(port_) + " " + type + " " + key;
}

json::object Sshd::config() const {
  return {{"host", "127.0.0.1"},           {"port", port_},           {"username", user()}, {"remoteWorkspacePath", workspace().string()},
          {"privateKey", private_key()}, {"knownHosts", host_key()}, {"strictHostKeyChecking", true}};
}

void Sshd::change_host_key() {
  for (const char* name : {"host_key", "host_key.pub"}) std::filesystem::remove(directory() / name);
  must({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", (directory() / "host_key").string()});
}

void Sshd::start() {
  for (int attempt = 0; attempt < 20; ++attempt) {
    if (port_ == 0 || attempt > 0) {
      if (attempt > 0 && daemon_ > 0) kill(false);
      if (port_ == 0) port_ = free_port();
    }
    const std::string at = directory().string();
    (void)os::write_file_atomically(directory() / "sshd_config",
        "ListenAddress 127.0.0.1\nPort " + std::to_string(port_) + "\nHostKey " + at + "/host_key\nAuthorizedKeysFile " + at +
        "/authorized_keys\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        "PermitRootLogin yes\nAllowUsers " + user() + "\nSetEnv HOME=" + home_.string() + "\nMaxStartups 100\nLogLevel ERROR\nX11Forwarding no\n");
    os::SpawnRequest request;
    request.executable = sshd_path;
    request.argv = {sshd_path, "-D", "-e", "-f", at + "/sshd_config", "-E", at + "/sshd.log"};
    request.environment = {{"PATH", "/usr/bin:/bin"}};
    request.session = os::SpawnRequest::Session::new_session;
    daemon_ = os::spawn(request).value();
    const bool listens = eventually([&] { return ::waitpid(daemon_, nullptr, WNOHANG) != 0 || connect_to_port(port_); }, std::chrono::seconds(30));
    if (listens && ::kill(daemon_, 0) == 0 && connect_to_port(port_)) return;
    daemon_ = 0;
    // Taken meanwhile, or still held by connections of the killed one.
    if (attempt > 10) port_ = 0;
    ::usleep(50'000);
  }
  throw std::runtime_error("sshd does not start: " + (os::read_file(directory() / "sshd.log") ? *os::read_file(directory() / "sshd.log") : ""));
}

std::vector<pid_t> Sshd::sessions() const {
  std::vector<pid_t> found;
  const auto children = children_by_parent();
  for (auto [at, end] = children.equal_range(daemon_); at != end; ++at) found.push_back(at->second);
  return found;
}

void Sshd::kill(bool with_sessions) {
  if (daemon_ <= 0) return;
  // Those who serve connections: not what runs in their sessions, which ends or goes on by itself.
  std::vector<pid_t> serving;
  if (with_sessions) {
    const auto children = children_by_parent();
    for (auto [at, end] = children.equal_range(daemon_); at != end; ++at) {
      serving.push_back(at->second);
      for (auto [below, last] = children.equal_range(at->second); below != last; ++below) {
        const auto line = os::read_file("/proc/" + std::to_string(below->second) + "/cmdline");
        if (line && line->starts_with("sshd")) serving.push_back(below->second);
      }
    }
  }
  ::kill(daemon_, SIGKILL);
  ::waitpid(daemon_, nullptr, 0);
  daemon_ = 0;
  for (const pid_t pid : serving) ::kill(pid, SIGKILL);
}

}  // namespace paperclip::environments
