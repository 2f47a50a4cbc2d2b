#include "runner/system.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runner/run_directory.h"

namespace paperclip::runner {
namespace {

std::int64_t clock_ms(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1000000;
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

std::int64_t wall_ms() { return clock_ms(CLOCK_REALTIME); }
std::int64_t monotonic_ms() { return clock_ms(CLOCK_BOOTTIME); }

std::string read_small_file(const char* path) {
  std::string text;
  const Descriptor file(open(path, O_RDONLY | O_CLOEXEC));
  if (!file) return text;
  char buffer[4096];
  while (text.size() < 65536) {
    const ssize_t got = read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return text;
}

void write_existing_file(const char* path, std::string_view text) {
  const Descriptor file(open(path, O_WRONLY | O_CLOEXEC));
  if (file) (void)write_all(file.get(), text);
}

bool write_file_in(int directory, const char* name, std::string_view text, Durability durability) {
  const std::string beside = std::string(name) + file::fresh_suffix;
  const Descriptor file(openat(directory, beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return false;
  const bool written = write_all(file.get(), text) && (durability == Durability::none || fsync(file.get()) == 0) &&
                       renameat(directory, beside.c_str(), directory, name) == 0;
  if (!written) {
    const int error = errno;
    unlinkat(directory, beside.c_str(), 0);
    errno = error;
    return false;
  }
  return durability == Durability::none || fsync(directory) == 0;
}

bool make_directory(const std::string& path) {
  for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1))
    if (mkdir(path.substr(0, at).c_str(), 0700) != 0 && errno != EEXIST) return false;
  return mkdir(path.c_str(), 0700) == 0;
}

std::uint64_t process_start_time(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  const std::string stat = read_small_file(path);
  // The name in field 2 may hold spaces and brackets; the last bracket ends it.
  std::size_t at = stat.rfind(')');
  if (at == std::string::npos) return 0;
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = stat.find(' ', at + 1);
  return at == std::string::npos ? 0 : strtoull(stat.c_str() + at, nullptr, 10);
}

std::string boot_id() {
  std::string id = read_small_file("/proc/sys/kernel/random/boot_id");
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

std::string signal_name(int number) {
  const char* name = sigabbrev_np(number);
  return name ? std::string("SIG") + name : "SIG" + std::to_string(number);
}

}  // namespace paperclip::runner
