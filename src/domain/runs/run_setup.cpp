#include "domain/runs/run_setup.h"

#include "domain/runs/run_context.h"
#include "domain/wakeups/wake_context.h"

namespace paperclip::domain {

namespace {

void lay_over(json::object& config, const json::object& more) {
  for (const auto& item : more) config[item.key()] = item.value();
}

json::object object_at(const json::value& value, std::string_view path) {
  const auto* found = find_path(value, path);
  return found != nullptr && found->is_object() ? found->get_object() : json::object();
}

// Agent < model profile < issue (spec/execution.md 6.8).
json::object effective_config(RunSetup& setup, const ProfileDefaults& profiles) {
  json::object config = context_of(setup.agent.adapter_config);
  json::value overrides = nullptr;
  if (setup.issue && setup.issue->assignee_agent_id == setup.agent.id) overrides = setup.issue->assignee_adapter_overrides.parse();
  auto requested = text_at(overrides, "modelProfile");
  setup.profile.config_source = requested ? "issue" : "wake";
  if (!requested) requested = context_text(setup.context, "modelProfile");
  if (requested) {
    setup.profile.requested = requested;
    const auto runtime = setup.agent.runtime_config.parse();
    const json::object entry = object_at(object_at(runtime, "modelProfiles"), *requested);
    const auto* enabled = entry.if_contains("enabled");
    const auto defaults = profiles ? profiles(setup.agent.adapter_type, *requested) : std::nullopt;
    if (!defaults) {
      setup.profile.fallback_reason = "adapter_profile_not_supported";
    } else if (enabled != nullptr && enabled->is_bool() && !enabled->get_bool()) {
      setup.profile.fallback_reason = "agent_runtime_profile_disabled";
    } else {
      setup.profile.applied = requested;
      lay_over(config, *defaults);
      lay_over(config, object_at(entry, "adapterConfig"));
    }
  }
  lay_over(config, object_at(overrides, "adapterConfig"));
  config.erase("workspaceRuntime");
  return config;
}

std::optional<ProjectId> project_of(const RunSetup& setup) {
  if (setup.issue) return setup.issue->project_id;
  const auto text = context_text(setup.context, "projectId");
  return text ? ProjectId::parse(*text) : std::nullopt;
}

std::vector<WakeCommentRow> wake_comments(store::Reader& reader, const RunSetup& setup) {
  std::vector<CommentId> ids;
  for (const auto& text : wake_comment_ids(setup.context))
    if (const auto id = CommentId::parse(text)) ids.push_back(*id);
  if (ids.empty()) return {};
  return reader.all<WakeCommentRow>("select {} from issue_comments where company_id = :1 and id in {list :2} order by created_at, id",
                                    setup.agent.company_id, ids);
}

}  // namespace

json::value AppliedProfile::describe() const {
  if (!requested) return nullptr;
  const auto or_null = [](const std::optional<std::string>& text) { return text ? json::value(*text) : json::value(); };
  return json::object{{"requested", *requested}, {"applied", or_null(applied)}, {"requestedBy", config_source}, {"fallbackReason", or_null(fallback_reason)}};
}

Result<RunSetup> read_run_setup(store::Reader& reader, const StoredRun& run, const ProfileDefaults& profiles) {
  RunSetup setup;
  setup.run = run;
  setup.context = context_of(run.context_snapshot);
  auto agent = agent_view(reader, run.agent_id);
  if (!agent) return not_found("Agent not found");
  setup.agent = *std::move(agent);
  if (run.context_issue_id) setup.issue = find_work_issue(reader, run.company_id, *run.context_issue_id);
  setup.session = choose_session(reader, setup.wake_agent(), setup.context, setup.agent.runtime_config.parse());
  setup.config = effective_config(setup, profiles);

  json::object env = object_at(setup.config, "env");
  if (const auto project = project_of(setup))
    if (const auto stored = reader.one<RawJson>("select env from projects where id = :1 and company_id = :2", *project, run.company_id))
      lay_over(env, context_of(*stored));
  setup.env = TRY(read_env(reader, run.company_id, env));

  setup.workspace = plan_workspace(reader, setup);
  setup.comments = wake_comments(reader, setup);
  if (setup.issue)
    setup.continuation_summary = reader.one<ContinuationSummaryRow>(
        "select i.key, d.title, d.latest_body, d.updated_at from issue_documents i join documents d on d.id = i.document_id "
        "where i.issue_id = :1 and i.company_id = :2 and i.key = 'continuation-summary'",
        setup.issue->id, run.company_id);
  return setup;
}

}  // namespace paperclip::domain
