#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "domain/agents/agents.h"
#include "domain/environments/environment.h"
#include "domain/runs/run_states.h"
#include "domain/runs/sessions.h"
#include "domain/runs/work_issue.h"
#include "domain/secrets/secrets.h"
#include "domain/workspaces/run_workspace.h"
#include "store/transaction.h"

/// All that a run needs to know before it starts, read in one transaction (spec/execution.md 6, steps 2–9).
namespace paperclip::domain {

/// A comment that woke the agent.
struct WakeCommentRow {
  CommentId id;
  IssueId issue_id;
  std::string body;
  std::optional<AgentId> author_agent_id;
  std::optional<std::string> author_user_id;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(WakeCommentRow, (), (id, issue_id, body, author_agent_id, author_user_id, created_at))

/// What the server wrote about the issue's work so far.
struct ContinuationSummaryRow {
  std::string key;
  std::optional<std::string> title;
  std::string latest_body;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(ContinuationSummaryRow, (), (key, title, latest_body, updated_at))

/// The configuration a model profile adds, or why it adds none (spec/execution.md 6.8).
struct AppliedProfile {
  std::optional<std::string> requested, applied, fallback_reason;
  std::string config_source;  // who asked: issue or wake
  json::value describe() const;
};

/// What the adapter of a type lays over the agent's configuration for a profile; nothing when it has no such profile.
using ProfileDefaults = std::function<std::optional<json::object>(std::string_view adapter_type, std::string_view profile)>;

struct RunSetup {
  StoredRun run;
  Agent agent;
  json::object context;
  std::optional<WorkIssue> issue;
  SessionChoice session;
  /// Agent, model profile and issue laid over each other; `env` still refers to secrets.
  json::object config;
  SealedEnv env;  // of that configuration and the project
  AppliedProfile profile;
  std::vector<WakeCommentRow> comments;
  std::optional<ContinuationSummaryRow> continuation_summary;
  std::optional<EnvironmentId> environment_id;
  std::string environment_name, environment_driver;
  std::optional<Environment> environment;
  std::optional<LeaseId> lease_id;
  WorkspacePlan workspace;
  bool checked_out = false;

  WakeAgent wake_agent() const {
    return {agent.id, agent.company_id, agent.name, std::string(to_text(agent.status)), agent.adapter_type, agent.runtime_config};
  }
};

/// Reads it for a run that is claimed, or that a restarted server takes over again. An error is what ends the run.
Result<RunSetup> read_run_setup(store::Reader& reader, const StoredRun& run, const ProfileDefaults& profiles);

}  // namespace paperclip::domain
