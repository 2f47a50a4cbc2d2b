#pragma once

#include "domain/runs/finalise.h"
#include "domain/runs/liveness.h"
#include "domain/runs/work_issue.h"

namespace paperclip::domain {

/// Gathers the traces the run left and says what it came to (spec/execution.md 19).
Liveness classify_run(store::Reader& reader, const HeartbeatRun& run, const std::optional<WorkIssue>& issue, const RunReport& report);

}  // namespace paperclip::domain
