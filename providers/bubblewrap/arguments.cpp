#include <unistd.h>

#include <filesystem>

#include "machine.h"
#include "sandbox.h"

namespace paperclip::providers {
namespace {

namespace fs = std::filesystem;

/// What programs need from /etc. Not more: it holds keys and passwords too.
constexpr const char* shown_of_etc[] = {
    "alternatives", "ssl/certs", "ssl/openssl.cnf", "ca-certificates", "ca-certificates.conf", "pki/tls/certs", "pki/ca-trust/extracted", "ld.so.cache",
    "ld.so.conf", "ld.so.conf.d", "localtime", "timezone", "mime.types", "services", "protocols", "host.conf", "gai.conf", "magic", "fonts",
    "bash.bashrc", "profile", "inputrc", "terminfo", "perl", "python3", "os-release", "debian_version", "java-17-openjdk", "java-11-openjdk"};

class Arguments {
 public:
  template <class... Texts>
  void add(const Texts&... texts) {
    (list_.emplace_back(texts), ...);
  }
  std::vector<std::string> done() && { return std::move(list_); }

 private:
  std::vector<std::string> list_;
};

}  // namespace

std::vector<std::string> bwrap_arguments(const LeaseDirectories& directories, const LeaseRecord& lease, const BubblewrapConfig& config) {
  const Machine& machine = Machine::look();
  Arguments arguments;
  arguments.add(machine.bwrap, "--unshare-user", "--uid", "1000", "--gid", "1000");
  if (machine.can_disable_nested_namespaces) arguments.add("--disable-userns");
  arguments.add("--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "sandbox");
  if (config.egress != Egress::full) arguments.add("--unshare-net");
  arguments.add("--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL");

  // The system: all of /usr, nothing of the rest but what is named.
  arguments.add("--ro-bind", "/usr", "/usr");
  for (const char* name : {"bin", "sbin", "lib", "lib32", "lib64", "libx32"}) {
    const fs::path path = fs::path("/") / name;
    std::error_code failure;
    if (fs::is_symlink(path, failure)) {
      arguments.add("--symlink", fs::read_symlink(path).string(), path.string());
    } else if (fs::is_directory(path, failure)) {
      arguments.add("--ro-bind", path.string(), path.string());
    }
  }
  for (const char* name : shown_of_etc) {
    const std::string path = std::string("/etc/") + name;
    if (::access(path.c_str(), F_OK) == 0) arguments.add("--ro-bind-try", path, path);
  }
  for (const char* name : {"passwd", "group", "hosts", "hostname", "nsswitch.conf"})
    arguments.add("--ro-bind", (directories.etc() / name).string(), std::string("/etc/") + name);
  if (config.egress == Egress::full) arguments.add("--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf");

  arguments.add("--proc", "/proc", "--dev", "/dev", "--size", "268435456", "--tmpfs", "/dev/shm", "--remount-ro", "/dev");
  const fs::path own = directories.path_of(lease.id);
  arguments.add("--dir", "/run", "--dir", "/var", "--symlink", "/tmp", "/var/tmp");
  arguments.add("--bind", (own / "tmp").string(), "/tmp");
  arguments.add("--bind", (own / "home").string(), inside::home);
  arguments.add("--bind", (own / "workspace").string(), inside::workspace);
  for (const std::string& path : config.read_only_paths) arguments.add("--ro-bind", path, path);
  arguments.add("--ro-bind", directories.init().string(), "/run/sandbox-init");
  arguments.add("--remount-ro", "/", "--chdir", inside::workspace, "--", "/run/sandbox-init");
  return std::move(arguments).done();
}

}  // namespace paperclip::providers
