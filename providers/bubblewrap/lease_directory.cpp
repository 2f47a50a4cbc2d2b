#include "lease_directory.h"

#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "machine.h"
#include "paperclip/sdk/time.h"

namespace paperclip::providers {
namespace {

using namespace sdk;
namespace fs = std::filesystem;

constexpr std::string_view id_prefix = "bubblewrap-";

std::string random_hex(std::size_t bytes) {
  std::string raw(bytes, '\0'), text;
  if (::getrandom(raw.data(), raw.size(), 0) != static_cast<ssize_t>(raw.size())) throw Error("The kernel gives no random bytes");
  for (const unsigned char c : raw) {
    text += "0123456789abcdef"[c >> 4];
    text += "0123456789abcdef"[c & 15];
  }
  return text;
}

/// Ids come back from the host and name a directory: nothing but what we made.
bool is_lease_id(const std::string& id) {
  return id.size() == id_prefix.size() + 32 && id.starts_with(id_prefix) &&
         id.find_first_not_of("0123456789abcdef", id_prefix.size()) == std::string::npos;
}

void make_directory(const fs::path& path, mode_t mode) {
  std::error_code failure;
  fs::create_directories(path.parent_path(), failure);
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) throw Error("Cannot make " + path.string() + ": " + ::strerror(errno));
}

/// Written beside and renamed: others may be reading the former one.
void write_file(const fs::path& path, std::string_view text, mode_t mode) {
  const fs::path beside = path.string() + "." + random_hex(4);
  const int file = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  const bool written = file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fchmod(file, mode) == 0;
  const int error = errno;
  if (file >= 0) ::close(file);
  if (!written || ::rename(beside.c_str(), path.c_str()) != 0) {
    ::unlink(beside.c_str());
    throw Error("Cannot write " + path.string() + ": " + ::strerror(error));
  }
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// FNV-1a: tells one build of the program from the next, no more.
std::string fingerprint(std::string_view bytes) {
  std::uint64_t hash = 14695981039346656037u;
  for (const unsigned char c : bytes) hash = (hash ^ c) * 1099511628211u;
  char text[20];
  ::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

fs::path install_init(const fs::path& root) {
  const fs::path beside = fs::read_symlink("/proc/self/exe").parent_path() / "sandbox-init";
  const std::string bytes = read_file(beside);
  if (bytes.empty()) throw Error("The program sandbox-init is missing beside the worker: " + beside.string());
  const fs::path installed = root / "bin" / ("sandbox-init-" + fingerprint(bytes));
  std::error_code failure;
  if (fs::file_size(installed, failure) != bytes.size() || failure) write_file(installed, bytes, 0755);
  return installed;
}

void write_etc(const fs::path& etc) {
  const std::pair<const char*, const char*> files[] = {
      {"passwd", "root:x:0:0:root:/root:/usr/sbin/nologin\nagent:x:1000:1000:agent:/home/agent:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"},
      {"group", "root:x:0:\nagent:x:1000:\nnogroup:x:65534:\n"},
      {"hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n"},
      {"hostname", "sandbox\n"},
      {"nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
  };
  for (const auto& [name, text] : files)
    if (read_file(etc / name) != text) write_file(etc / name, text, 0644);
}

/// Takes away what keeps a directory of the sandbox's user from being removed.
void open_up(const fs::path& directory) {
  ::chmod(directory.c_str(), 0700);
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(directory, failure))
    if (entry.symlink_status(failure).type() == fs::file_type::directory) open_up(entry.path());
}

}  // namespace

fs::path default_sandbox_root() {
  if (::geteuid() == 0) return "/var/lib/paperclip/sandboxes";
  const passwd* user = ::getpwuid(::geteuid());
  if (!user || !user->pw_dir || user->pw_dir[0] != '/') throw Error("Nobody knows the home directory of user " + std::to_string(::geteuid()));
  return fs::path(user->pw_dir) / ".paperclip" / "sandboxes";
}

LeaseDirectories::LeaseDirectories(fs::path root, const std::string& plugin_id) {
  if (!root.is_absolute()) throw Error("The directory for sandboxes is not absolute: " + root.string());
  const bool root_user = ::geteuid() == 0;
  const mode_t passable = root_user ? 0711 : 0700;  // sandboxes of root belong to other users, who have to get through
  make_directory(root, passable);
  make_directory(root / "bin", 0755);
  make_directory(root / "etc", 0755);
  etc_ = root / "etc";
  write_etc(etc_);
  init_ = install_init(root);
  leases_ = root / (plugin_id.empty() || plugin_id.find('/') != std::string::npos || plugin_id.starts_with('.') ? "unnamed" : plugin_id);
  make_directory(leases_, passable);
}

LeaseRecord LeaseDirectories::create(const std::string& company_id, const std::string& environment_id, const std::string& run_id, bool reuse) {
  LeaseRecord record{std::string(id_prefix) + random_hex(16), company_id, environment_id, run_id, iso_now(), reuse, ::geteuid(), ::getegid()};
  const Machine& machine = Machine::look();
  if (machine.is_root && machine.first_sandbox_user)
    record.user = record.group = *machine.first_sandbox_user + static_cast<uid_t>(std::stoul(random_hex(4), nullptr, 16) % Machine::sandbox_users);
  const fs::path directory = path_of(record.id);
  make_directory(directory, machine.is_root ? 0711 : 0700);
  try {
    for (const char* name : {"home", "workspace", "tmp"}) {
      make_directory(directory / name, 0700);
      if (machine.is_root && ::chown((directory / name).c_str(), record.user, record.group) != 0)
        throw Error("Cannot give " + (directory / name).string() + " to user " + std::to_string(record.user) + ": " + ::strerror(errno));
    }
    write_file(directory / "lease.json",
               json::serialize(json::object{{"id", record.id},
                                            {"companyId", company_id},
                                            {"environmentId", environment_id},
                                            {"runId", run_id},
                                            {"createdAt", record.created_at},
                                            {"reuseLease", reuse},
                                            {"user", record.user},
                                            {"group", record.group}}),
               0600);
  } catch (...) {
    remove(record.id);
    throw;
  }
  return record;
}

std::optional<LeaseRecord> LeaseDirectories::find(const std::string& lease_id) const {
  if (!is_lease_id(lease_id)) return std::nullopt;
  boost::system::error_code failure;
  const json::value parsed = json::parse(read_file(path_of(lease_id) / "lease.json"), failure);
  if (failure || !parsed.is_object()) return std::nullopt;
  const json::object& object = parsed.get_object();
  LeaseRecord record;
  record.id = lease_id;
  record.company_id = text_at(object, "companyId").value_or("");
  record.environment_id = text_at(object, "environmentId").value_or("");
  record.run_id = text_at(object, "runId").value_or("");
  record.created_at = text_at(object, "createdAt").value_or("");
  record.reuse = is_true(object, "reuseLease");
  record.user = static_cast<uid_t>(integer_at(object, "user").value_or(::geteuid()));
  record.group = static_cast<gid_t>(integer_at(object, "group").value_or(::getegid()));
  return record;
}

std::vector<LeaseRecord> LeaseDirectories::list() const {
  std::vector<LeaseRecord> records;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(leases_, failure))
    if (auto record = find(entry.path().filename().string())) records.push_back(std::move(*record));
  return records;
}

void LeaseDirectories::remove(const std::string& lease_id) {
  if (!is_lease_id(lease_id)) return;
  const fs::path directory = path_of(lease_id);
  std::error_code failure;
  fs::remove_all(directory, failure);
  if (failure) {
    open_up(directory);
    fs::remove_all(directory, failure);
  }
  if (failure) throw Error("Cannot remove the sandbox " + directory.string() + ": " + failure.message());
}

}  // namespace paperclip::providers
