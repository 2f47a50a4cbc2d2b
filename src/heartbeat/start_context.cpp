#include "heartbeat/start_context.h"

#include "adapters/prompt.h"
#include "adapters/wake_payload.h"
#include "base/write_json.h"
#include "domain/wakeups/wake_context.h"

namespace paperclip::heartbeat {

namespace {

template <class T>
json::value or_null(const std::optional<T>& value) {
  if (!value) return nullptr;
  if constexpr (std::is_same_v<T, std::string>) return json::value(*value);
  else return json::value(value->view());
}

adapters::WakeFacts wake_facts(const domain::RunSetup& setup) {
  adapters::WakeFacts facts;
  facts.context = setup.context;
  facts.checked_out_by_harness = setup.checked_out;
  if (setup.issue)
    facts.issue = json::object{{"id", setup.issue->id.view()},
                               {"identifier", or_null(setup.issue->identifier)},
                               {"title", setup.issue->title},
                               {"status", setup.issue->status},
                               {"priority", setup.issue->priority}};
  for (const auto& row : setup.comments) {
    adapters::WakeFacts::Comment comment{row.id.str(), row.issue_id.str(), row.body, to_iso(row.created_at), "system", std::nullopt};
    if (row.author_agent_id) {
      comment.author_type = "agent";
      comment.author_id = row.author_agent_id->str();
    } else if (row.author_user_id) {
      comment.author_type = "user";
      comment.author_id = row.author_user_id;
    }
    facts.comments.push_back(std::move(comment));
  }
  if (setup.continuation_summary)
    facts.continuation_summary = json::object{{"key", setup.continuation_summary->key},
                                              {"title", or_null(setup.continuation_summary->title)},
                                              {"body", setup.continuation_summary->latest_body},
                                              {"updatedAt", to_iso(setup.continuation_summary->updated_at)}};
  return facts;
}

// The configuration that the reused workspace carries; null if there is none.
json::value stored_config(const domain::RunSetup& setup) {
  const auto& reused = setup.workspace.reused;
  const json::value metadata = reused && reused->metadata ? reused->metadata->parse() : json::value(nullptr);
  const auto* config = member(metadata, "config");
  return config == nullptr ? json::value(nullptr) : *config;
}

// Issue, comment and task as the adapters' prompts use them.
void add_work(json::object& context, const domain::RunSetup& setup) {
  const auto facts = wake_facts(setup);
  if (auto payload = adapters::build_wake_payload(facts); !payload.is_null()) context["paperclipWake"] = std::move(payload);
  if (facts.continuation_summary) context["paperclipContinuationSummary"] = *facts.continuation_summary;
  if (!setup.issue) return;
  const json::object issue{{"id", setup.issue->id.view()},
                           {"identifier", or_null(setup.issue->identifier)},
                           {"title", setup.issue->title},
                           {"description", or_null(setup.issue->description)}};
  context["paperclipIssue"] = issue;
  std::optional<json::object> comment;
  if (const auto id = domain::context_text(setup.context, "wakeCommentId"))
    for (const auto& row : setup.comments)
      if (row.id.view() == *id) comment = json::object{{"id", row.id.view()}, {"body", row.body}};
  if (comment) context["paperclipWakeComment"] = *comment;
  context["paperclipTaskMarkdown"] = adapters::task_markdown(issue, comment);
}

// A command of the run's workspace: what the workspace remembers, else what its strategy plans.
json::value workspace_command(const domain::RunSetup& setup, std::string_view key, const std::optional<domain::HostCommand>* planned) {
  const json::value config = stored_config(setup);
  if (const auto* found = member(config, key)) return *found;
  return planned != nullptr && *planned ? json::value((*planned)->text()) : json::value(nullptr);
}

// spec/environments.md 9.1.
json::object realization_request(const domain::RunSetup& setup, const Workspace& workspace) {
  const auto& place = workspace.place;
  const auto& strategy = setup.workspace.strategy;
  const auto* runtime = setup.workspace.snapshot.if_contains("workspaceRuntime");
  return json::object{
      {"version", 1},
      {"adapterType", setup.agent.adapter_type},
      {"companyId", setup.run.company_id.view()},
      {"environmentId", or_null(setup.environment_id)},
      {"executionWorkspaceId", or_null(workspace.execution_workspace_id)},
      {"issueId", setup.issue ? json::value(setup.issue->id.view()) : json::value(nullptr)},
      {"heartbeatRunId", setup.run.id.view()},
      {"requestedMode", setup.workspace.mode},
      {"source", json::object{{"kind", place.source}, {"localPath", place.cwd}, {"projectId", or_null(workspace.project_id)},
                              {"projectWorkspaceId", or_null(place.project_workspace_id)}, {"repoUrl", or_null(place.repo_url)}, {"repoRef", or_null(place.repo_ref)},
                              {"strategy", place.strategy}, {"branchName", or_null(place.branch_name)}, {"worktreePath", or_null(place.worktree_path)}}},
      {"runtimeOverlay", json::object{{"provisionCommand", workspace_command(setup, "provisionCommand", strategy ? &strategy->provision : nullptr)},
                                      {"teardownCommand", workspace_command(setup, "teardownCommand", strategy ? &strategy->teardown : nullptr)},
                                      {"cleanupCommand", workspace_command(setup, "cleanupCommand", nullptr)},
                                      {"workspaceRuntime", runtime == nullptr ? json::value(nullptr) : *runtime}}}};
}

json::object local_record(const domain::RunSetup& setup, const Workspace& workspace, const json::object& request) {
  const auto& place = workspace.place;
  json::object local = request.at("source").as_object();
  local.erase("kind");
  local.erase("localPath");
  local["path"] = place.cwd;
  local["source"] = place.source;
  return json::object{
      {"version", 1},
      {"transport", "local"},
      {"provider", "local"},
      {"environmentId", or_null(setup.environment_id)},
      {"leaseId", or_null(setup.lease_id)},
      {"providerLeaseId", nullptr},
      {"executionWorkspaceId", or_null(workspace.execution_workspace_id)},
      {"localPath", place.cwd},
      {"remotePath", nullptr},
      {"local", std::move(local)},
      {"remote", json::object{{"path", nullptr}}},
      {"sync", json::object{{"strategy", "none"}, {"prepare", "Use the realized local execution workspace directly."}, {"syncBack", nullptr}}},
      {"bootstrap", json::object{{"command", request.at("runtimeOverlay").at("provisionCommand")}}},
      {"rebuild",
       json::object{{"executionWorkspaceId", or_null(workspace.execution_workspace_id)}, {"mode", workspace.mode}, {"repoUrl", or_null(place.repo_url)},
                    {"repoRef", or_null(place.repo_ref)}, {"localPath", place.cwd}, {"remotePath", nullptr}, {"providerLeaseId", nullptr},
                    {"metadata",
                     json::object{{"source", request.at("source")},
                                  {"runtimeOverlay", request.at("runtimeOverlay")},
                                  {"environmentDriver", "local"},
                                  {"provider", "local"},
                                  {"providerMetadata", json::object()}}}}},
      {"summary", "Local workspace realized at " + place.cwd + "."}};
}

}  // namespace

std::optional<domain::HostCommand> provision_command(const domain::RunSetup& setup) {
  const auto& strategy = setup.workspace.strategy;
  const json::value command = workspace_command(setup, "provisionCommand", strategy ? &strategy->provision : nullptr);
  if (!command.is_string()) return std::nullopt;
  return domain::HostCommand::stored(std::string(command.get_string()));
}

StartContext start_context(const domain::RunSetup& setup, const Workspace& workspace) {
  StartContext start;
  start.notes = workspace.warnings;
  const auto& session = setup.session;
  if (!session.reset_reason.empty() && session.task_key)
    start.notes.push_back("Skipping saved session resume for task \"" + *session.task_key + "\" because " + session.reset_reason + ".");

  auto& context = start.context;
  add_work(context, setup);
  context["paperclipHarnessCheckedOut"] = setup.checked_out;
  if (!setup.checked_out && !setup.issue) context.erase("paperclipHarnessCheckedOut");
  const auto& place = workspace.place;
  const json::object realized = local_record(setup, workspace, realization_request(setup, workspace));
  context["paperclipWorkspace"] = json::object{{"cwd", place.cwd},
                                               {"source", place.source},
                                               {"mode", workspace.mode},
                                               {"strategy", place.strategy},
                                               {"projectId", or_null(workspace.project_id)},
                                               {"workspaceId", or_null(place.project_workspace_id)},
                                               {"repoUrl", or_null(place.repo_url)},
                                               {"repoRef", or_null(place.repo_ref)},
                                               {"branchName", or_null(place.branch_name)},
                                               {"worktreePath", or_null(place.worktree_path)},
                                               {"agentHome", workspace.agent_home.string()},
                                               {"realization", realized}};
  context["paperclipWorkspaces"] = workspace.hints;
  if (workspace.execution_workspace_id) context["executionWorkspaceId"] = workspace.execution_workspace_id->view();
  context["paperclipEnvironment"] = json::object{{"id", or_null(setup.environment_id)},
                                                 {"name", setup.environment_name},
                                                 {"driver", setup.environment_driver},
                                                 {"leaseId", or_null(setup.lease_id)},
                                                 {"workspaceRealization", realized}};
  start.lease_metadata["workspaceRealization"] = realized;
  if (const auto profile = setup.profile.describe(); !profile.is_null()) context["paperclipModelProfile"] = profile;
  if (!session.rotation_reason.empty()) {
    adapters::SessionHandoff handoff;
    handoff.previous_session = session.previous_session_id.value_or("");
    if (setup.issue) handoff.issue = setup.issue->identifier.value_or(setup.issue->id.str()) + " " + setup.issue->title;
    handoff.rotation_reason = session.rotation_reason;
    if (setup.continuation_summary) handoff.continuation_summary = setup.continuation_summary->latest_body;
    context["paperclipSessionHandoffMarkdown"] = adapters::session_handoff_markdown(handoff);
    context["paperclipSessionRotationReason"] = session.rotation_reason;
    context["paperclipPreviousSessionId"] = or_null(session.previous_session_id);
    start.notes.push_back("Starting a fresh session because " + session.rotation_reason + ".");
  }
  return start;
}

}  // namespace paperclip::heartbeat
