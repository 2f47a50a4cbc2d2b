#pragma once

#include "domain/runs/retries.h"

namespace paperclip::domain {

/// A run that only announced its work, or said nothing, is asked to go on: at most twice in a row, then a comment says that
/// it was (spec/execution.md 19.4). Called when the run has let go of its issue.
void continue_unfinished_work(store::Transaction& tx, const EndedRun& ended);

}  // namespace paperclip::domain
