#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>


namespace paperclip::runner {

/// Told of every child that a sweep reaps.
using OnReaped = std::function<void(pid_t, int wait_status, const rusage&)>;

/// Kills and reaps everything below the calling process, which is a subreaper or the first process of a PID namespace:
/// once it has no children left, nothing is left, because orphans come to it. Freezes before it kills: each process is
/// stopped before its children are listed, so nobody forks behind our back; plain rounds of SIGKILL lose that race.
/// Returns how many processes are left when the deadline (monotonic_ms) passes: those of another user, and those the
/// kernel holds in uninterruptible sleep. Normally 0.
int sweep(std::int64_t deadline_ms, const OnReaped& on_reaped);

}  // namespace paperclip::runner
