#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

/// Small things of the operating system that both guardian and runner need.
namespace paperclip::runner {

std::int64_t wall_ms();       // since 1970
std::int64_t monotonic_ms();  // for deadlines; counts suspended time too

/// A descriptor that closes itself.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  ~Descriptor() { reset(); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

/// The whole of a small file (up to 64 KiB); empty if it cannot be read.
std::string read_small_file(const char* path);
/// Writes to a file that exists, such as one under /proc. Nothing happens if that is not allowed.
void write_existing_file(const char* path, std::string_view text);

enum class Durability { none, synced };
/// Writes `<name>.new` in the directory and renames it to `name`; synced: the file before, the directory after.
/// False, with errno, if any of it failed; then `name` is as before.
bool write_file_in(int directory, const char* name, std::string_view text, Durability durability);

/// When the process started, in clock ticks since boot (field 22 of /proc/PID/stat): with the pid it names one process.
/// Zero if there is none.
std::uint64_t process_start_time(pid_t pid);

/// Identifies this boot of the machine; empty if /proc does not say.
std::string boot_id();

/// `SIGTERM` for 15; `SIG<n>` for what has no name.
std::string signal_name(int number);

}  // namespace paperclip::runner
