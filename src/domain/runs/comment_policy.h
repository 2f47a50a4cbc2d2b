#pragma once

#include "domain/runs/retries.h"

namespace paperclip::domain {

/// A run that was given work must say something on the issue; one that did not is followed by one that shall
/// (spec/execution.md 17). Sets `issue_comment_status`. The run still has its lock.
void apply_comment_policy(store::Transaction& tx, const EndedRun& ended);

}  // namespace paperclip::domain
