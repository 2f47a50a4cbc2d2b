#include "heartbeat/start_context.h"

#include "adapters/prompt.h"
#include "adapters/wake_payload.h"
#include "base/write_json.h"
#include "domain/wakeups/wake_context.h"
#include "os/files.h"

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

json::object realization(const domain::RunSetup& setup, const Workspace& workspace) {
  const std::string path = workspace.cwd.string();
  return json::object{
      {"version", 1},
      {"transport", "local"},
      {"provider", "local"},
      {"environmentId", or_null(setup.environment_id)},
      {"leaseId", or_null(setup.lease_id)},
      {"providerLeaseId", nullptr},
      {"executionWorkspaceId", nullptr},
      {"localPath", path},
      {"remotePath", nullptr},
      {"local", json::object{{"path", path}, {"source", workspace.source}, {"strategy", "project_primary"}, {"projectId", nullptr},
                             {"projectWorkspaceId", nullptr}, {"repoUrl", nullptr}, {"repoRef", nullptr}, {"branchName", nullptr}, {"worktreePath", nullptr}}},
      {"remote", json::object{{"path", nullptr}}},
      {"sync", json::object{{"strategy", "none"}, {"prepare", "Use the realized local execution workspace directly."}, {"syncBack", nullptr}}},
      {"bootstrap", json::object{{"command", nullptr}}},
      {"rebuild",
       json::object{{"executionWorkspaceId", nullptr}, {"mode", "shared_workspace"}, {"repoUrl", nullptr}, {"repoRef", nullptr},
                    {"localPath", path}, {"remotePath", nullptr}, {"providerLeaseId", nullptr},
                    {"metadata",
                     json::object{{"source", json::object{{"kind", workspace.source}, {"localPath", path}, {"projectId", nullptr}, {"projectWorkspaceId", nullptr},
                                                          {"repoUrl", nullptr}, {"repoRef", nullptr}, {"strategy", "project_primary"}, {"branchName", nullptr},
                                                          {"worktreePath", nullptr}}},
                                  {"runtimeOverlay", json::object{{"provisionCommand", nullptr}, {"teardownCommand", nullptr}, {"cleanupCommand", nullptr},
                                                                  {"workspaceRuntime", nullptr}}},
                                  {"environmentDriver", "local"},
                                  {"provider", "local"},
                                  {"providerMetadata", json::object()}}}}},
      {"summary", "Local workspace realized at " + path + "."}};
}

}  // namespace

Result<Workspace> prepare_workspace(const domain::RunSetup& setup, const std::filesystem::path& instance_root) {
  Workspace workspace;
  workspace.agent_home = instance_root / "workspaces" / setup.agent.id.str();
  workspace.cwd = workspace.agent_home;
  TRY(os::make_directories(workspace.agent_home));
  workspace.warnings.push_back("No project or prior session workspace was available. Using fallback workspace \"" + workspace.agent_home.string() +
                               "\" for this run.");
  return workspace;
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
  const json::object realized = realization(setup, workspace);
  context["paperclipWorkspace"] = json::object{{"cwd", workspace.cwd.string()},
                                               {"source", workspace.source},
                                               {"mode", "shared_workspace"},
                                               {"strategy", "project_primary"},
                                               {"projectId", nullptr},
                                               {"workspaceId", nullptr},
                                               {"repoUrl", nullptr},
                                               {"repoRef", nullptr},
                                               {"branchName", nullptr},
                                               {"worktreePath", nullptr},
                                               {"agentHome", workspace.agent_home.string()},
                                               {"realization", realized}};
  context["paperclipWorkspaces"] = json::array();
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
