#pragma once

#include <optional>
#include <string>
#include <vector>

#include "domain/runs/finalise.h"
#include "domain/runs/retries.h"

/// What the server writes down about an issue's work after each of its runs, for the next one (spec/execution.md 20,
/// spec/work-domain.md 15).
namespace paperclip::domain {

struct SummaryFacts {
  std::string issue;  // identifier and title
  std::string description, issue_status, issue_priority;
  std::string mode;  // plan | implementation | review
  std::string run_id, run_status, agent;
  std::string outcome;  // what the run says it did
  std::string error;
  std::string next_action;
  /// What paths and commands are looked for in: the run's comments, result and output.
  std::string traces;
  std::vector<std::string> blockers;  // open issues this one waits for
};

/// Markdown of at most 8,000 characters; each section at most 1,200.
std::string continuation_summary_text(const SummaryFacts& facts);

/// Up to `most` tokens of the text that look like paths of files or routes, each once, in order of appearance.
std::vector<std::string> paths_in(std::string_view text, std::size_t most);
/// Up to `most` command lines: lines after a `$` prompt, and code spans that begin with a tool's name.
std::vector<std::string> commands_in(std::string_view text, std::size_t most);

/// Rewrites the issue's document `continuation-summary` as a new revision by the agent and its run. It never fails the
/// run's end: what cannot be written is left as it was.
void refresh_continuation_summary(store::Transaction& tx, const EndedRun& ended, const RunReport& report);

}  // namespace paperclip::domain
