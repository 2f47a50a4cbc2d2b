#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "os/descriptor.h"

/// Small things of the operating system that both guardian and runner need.
namespace paperclip::runner {

std::int64_t wall_ms();       // since 1970
std::int64_t monotonic_ms();  // for deadlines; counts suspended time too

using os::Descriptor;

/// The whole of a small file (up to 64 KiB); empty if it cannot be read.
std::string read_small_file(const char* path);
/// Writes to a file that exists, such as one under /proc. Nothing happens if that is not allowed.
void write_existing_file(const char* path, std::string_view text);

enum class Durability { none, synced };
/// Writes `<name>.new` in the directory and renames it to `name`; synced: the file before, the directory after.
/// False, with errno, if any of it failed; then `name` is as before.
bool write_file_in(int directory, const char* name, std::string_view text, Durability durability);

/// Makes a directory that is not there yet, and those above it; 0700. False, with errno, if it cannot, or it is there.
bool make_directory(const std::string& path);

/// When the process started, in clock ticks since boot (field 22 of /proc/PID/stat): with the pid it names one process.
/// Zero if there is none.
std::uint64_t process_start_time(pid_t pid);

/// Identifies this boot of the machine; empty if /proc does not say.
std::string boot_id();

/// `SIGTERM` for 15; `SIG<n>` for what has no name.
std::string signal_name(int number);

}  // namespace paperclip::runner
