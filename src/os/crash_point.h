#pragma once

#include <string_view>

/// Named places at which tests make things go wrong: before and after what must not get lost between two steps.
///
/// Programs that are shipped know none: without `PAPERCLIP_CRASH_POINTS` (a CMake option, on wherever tests are built)
/// both functions do nothing. With it, the environment variable `PAPERCLIP_CRASH_FILE` names a file; whoever comes to the
/// point that the file names removes the file and kills the own process with SIGKILL. The simulator sets a hook instead.
/// tests/chaos/README.md lists the names.
namespace paperclip {

void crash_point(std::string_view name);

/// True if the process is to die here, once: for places that first do half of their work. Ends with `crash_now`.
bool crash_is_due(std::string_view name);
[[noreturn]] void crash_now();

/// Called at each point instead of looking for the file; it may throw. Null takes it away.
using CrashHook = void (*)(std::string_view name);
void set_crash_hook(CrashHook hook);

}  // namespace paperclip
