#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/time.h"
#include "domain/runs/run_states.h"

/// What a finished run came to, for people and for the question whether to go on (spec/execution.md 19).
namespace paperclip::domain {

struct LivenessFacts {
  RunStatus status = RunStatus::succeeded;
  std::optional<std::string> issue_status, issue_title, issue_description;
  std::string output;  // what the process wrote, as the log has it
  json::value result = nullptr;
  std::vector<std::string> run_comments;  // on the issue, newest last
  std::int64_t evidence = 0;  // comments, documents, work products, activity and tool events of the run
  std::optional<Timestamp> last_evidence_at;
  bool plan_document_revised = false;
};

struct Liveness {
  RunLivenessState state{};
  std::string reason;
  std::optional<Timestamp> last_useful_action_at;
  std::optional<std::string> next_action;
};

Liveness classify_liveness(const LivenessFacts& facts);

}  // namespace paperclip::domain
