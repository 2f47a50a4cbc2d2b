#pragma once

#include <optional>
#include <string>

#include "domain/runs/heartbeat_run.h"
#include "store/reader.h"

/// Runs as the API shows them (spec/execution.md 26.2). Lists go straight into the answer's text.
namespace paperclip::domain {

/// The whole run with `retryExhaustedReason` and `outputSilence`; a result beyond 64 KiB is shortened. False if there is
/// no such run.
bool append_run_detail(std::string& out, store::Reader& reader, RunId run);
/// The row alone, as wakes and cancels answer.
void append_run_row(std::string& out, const HeartbeatRun& run);

/// The company's runs, newest first. No limit: all of them.
void append_run_list(std::string& out, store::Reader& reader, CompanyId company, std::optional<AgentId> agent, std::optional<std::int64_t> limit);

/// Queued and running runs, newest first, padded with the newest others up to `at_least`; at most `limit`.
void append_live_runs(std::string& out, store::Reader& reader, CompanyId company, std::int64_t at_least, std::int64_t limit);
/// The same for one issue, without padding and without what the path says already.
void append_issue_live_runs(std::string& out, store::Reader& reader, CompanyId company, IssueId issue);
/// The run that executes the issue now, or `null`.
void append_issue_active_run(std::string& out, store::Reader& reader, CompanyId company, IssueId issue);
/// The run ledger of an issue (spec/work-domain.md 5.3).
void append_issue_runs(std::string& out, store::Reader& reader, CompanyId company, IssueId issue);
/// The issues a run was about: its context's, and those it touched.
void append_run_issues(std::string& out, store::Reader& reader, RunId run);
/// What was done to workspaces for the run, oldest first (spec/workspaces.md 7).
void append_run_operations(std::string& out, store::Reader& reader, RunId run);
/// Events behind `after`, oldest first.
void append_run_events(std::string& out, store::Reader& reader, RunId run, std::int64_t after, std::int64_t limit);

}  // namespace paperclip::domain
