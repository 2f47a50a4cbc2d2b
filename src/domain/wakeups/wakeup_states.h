#pragma once

#include "base/transitions.h"
#include "domain/wakeups/wakeup_request.h"

namespace paperclip::domain {

/// The life of a request for attention (spec/execution.md 2.2).
///
///   queued ──▶ claimed ──▶ completed | failed | timed_out | cancelled
///     ▲ ╰────▶ skipped | cancelled
///   deferred (parked behind another run of the issue)
///
/// `coalesced` and `skipped` are where a request that made no run ends at once.
inline constexpr auto wakeup_transitions = transitions<WakeupStatus>({
    {WakeupStatus::queued, WakeupStatus::claimed, "its run was claimed"},
    {WakeupStatus::queued, WakeupStatus::skipped, "a gate at the claim refused its run"},
    {WakeupStatus::queued, WakeupStatus::cancelled, "its run was cancelled before it started"},
    {WakeupStatus::deferred_issue_execution, WakeupStatus::queued, "promoted when the issue was released"},
    {WakeupStatus::deferred_issue_execution, WakeupStatus::failed, "its agent can no longer be invoked"},
    {WakeupStatus::deferred_issue_execution, WakeupStatus::cancelled, "its issue was put on hold, or its scope stopped"},
    {WakeupStatus::claimed, WakeupStatus::queued, "OURS: its run goes back into the queue"},
    {WakeupStatus::claimed, WakeupStatus::completed, "its run succeeded"},
    {WakeupStatus::claimed, WakeupStatus::failed, "its run failed"},
    {WakeupStatus::claimed, WakeupStatus::timed_out, "its run timed out"},
    {WakeupStatus::claimed, WakeupStatus::cancelled, "its run was cancelled"},
});

}  // namespace paperclip::domain
