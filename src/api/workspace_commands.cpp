#include "api/all_routes.h"
#include "api/execution_workspace_kind.h"
#include "api/project_kind.h"
#include "api/services.h"
#include "domain/activity/activity.h"
#include "domain/projects/workspaces.h"
#include "domain/workspaces/commands.h"
#include "domain/workspaces/execution_workspaces.h"
#include "domain/workspaces/service_rules.h"
#include "domain/workspaces/service_views.h"
#include "environments/service_supervisor.h"
#include "environments/workspaces.h"
#include "store/database.h"

/// Services and jobs of workspaces, by hand (spec/workspaces.md 8.6).
namespace paperclip::api {

namespace {

using domain::RuntimeServiceStatus;
using domain::WorkspaceCommand;
using Service = domain::WorkspaceRuntimeService;

struct ControlBody {
  static constexpr bool strict = true;
  std::optional<std::string> workspace_command_id;
  std::optional<RuntimeServiceId> runtime_service_id;
  std::optional<Int<0>> service_index;
};
BOOST_DESCRIBE_STRUCT(ControlBody, (), (workspace_command_id, runtime_service_id, service_index))

enum class Action { start, stop, restart, run };
BOOST_DESCRIBE_ENUM(Action, start, stop, restart, run)

/// The workspace that an action is about: a project's, or an execution workspace.
struct Target {
  const char* kind;   // "project workspace"
  const char* Kind;   // "Project workspace"
  domain::ServiceOwner owner;
  std::optional<domain::ExecutionWorkspace> execution;
  std::optional<domain::ProjectWorkspace> project;  // the one itself, or where an execution workspace inherits from
  std::optional<std::string> cwd;
  json::value runtime = nullptr;
  domain::ServiceStates states;
  std::vector<Service> services;
  ProjectId project_id;

  bool is_execution() const { return execution.has_value(); }
};

json::value part(const json::value& object, std::string_view path) {
  const auto* found = find_path(object, path);
  return found == nullptr ? json::value(nullptr) : *found;
}

json::value parsed(const std::optional<RawJson>& text) { return text ? text->parse() : json::value(nullptr); }

std::optional<std::string> folder_of(const domain::ProjectWorkspace& row) {
  return row.cwd && *row.cwd != domain::repo_only_cwd ? row.cwd : std::nullopt;
}

Result<Target> find_project_target(store::Reader& reader, const Call& call) {
  auto row = domain::find_workspace(reader, call.entity<ProjectId>(), call.param("workspaceId"));
  if (!row) return not_found("Project workspace not found");
  Target target{.kind = "project workspace", .Kind = "Project workspace", .owner = {row->id, std::nullopt, std::nullopt}, .execution = {}, .project = row,
                .cwd = folder_of(*row), .states = {}, .services = domain::services_of_project_workspace(reader, row->id), .project_id = row->project_id};
  const json::value metadata = parsed(row->metadata);
  target.runtime = part(metadata, "runtimeConfig.workspaceRuntime");
  target.states = {part(metadata, "runtimeConfig.desiredState"), part(metadata, "runtimeConfig.serviceStates")};
  return target;
}

Result<Target> find_execution_target(store::Reader& reader, const Call& call) {
  auto row = domain::find_execution_workspace(reader, call.company_id(), call.entity<ExecutionWorkspaceId>());
  if (!row) return not_found("Execution workspace not found");
  Target target{.kind = "execution workspace", .Kind = "Execution workspace", .owner = {std::nullopt, row->id, row->source_issue_id}, .execution = row, .project = {},
                .cwd = row->cwd ? row->cwd : row->provider_ref, .states = {}, .services = domain::services_of_execution_workspace(reader, *row),
                .project_id = row->project_id};
  if (row->project_workspace_id) target.project = reader.one<domain::ProjectWorkspace>("select {} from project_workspaces where id = :1", *row->project_workspace_id);
  const json::value metadata = parsed(row->metadata);
  target.runtime = part(metadata, "config.workspaceRuntime");
  if (target.runtime.is_null() && target.project) target.runtime = part(parsed(target.project->metadata), "runtimeConfig.workspaceRuntime");
  target.states = {part(metadata, "config.desiredState"), part(metadata, "config.serviceStates")};
  return target;
}

/// What exactly is to be done.
struct Order {
  Action action{};
  std::vector<WorkspaceCommand> commands;  // all that are configured
  const WorkspaceCommand* chosen = nullptr;
  std::optional<RuntimeServiceId> service;
  std::optional<int> index;  // of the targeted service; nothing: all, or unknown
};

Result<Order> read_order(const Target& target, Action action, const ControlBody& body) {
  const std::string kind = target.kind, Kind = target.Kind;
  Order order;
  order.action = action;
  order.commands = domain::workspace_commands(target.runtime);
  order.service = body.runtime_service_id;
  if (!target.cwd) return unprocessable(Kind + " needs a local path before Paperclip can run workspace commands");
  if (body.workspace_command_id) {
    for (const auto& command : order.commands)
      if (command.id == *body.workspace_command_id) order.chosen = &command;
    if (order.chosen == nullptr) return not_found("Workspace command not found for this " + kind);
  }
  if (order.service) {
    const Service* service = nullptr;
    for (const auto& one : target.services)
      if (one.id == *order.service) service = &one;
    if (service == nullptr) return not_found("Runtime service not found for this " + kind);
    if (order.chosen == nullptr && (action == Action::start || action == Action::restart)) {
      for (const auto& command : order.commands)
        if (command.is_service && domain::matching_service(command, {*service}) != nullptr && command.name == service->service_name) order.chosen = &command;
      if (order.chosen == nullptr) return unprocessable("Selected runtime service is not defined in this " + kind + " runtime config");
    }
  }
  if (body.service_index) {
    for (const auto& command : order.commands)
      if (command.service_index == static_cast<int>(body.service_index->value)) order.chosen = &command;
    if (order.chosen == nullptr || order.chosen->service_index != static_cast<int>(body.service_index->value))
      return unprocessable("Selected runtime service is not defined in this " + kind + " runtime config");
  }
  if (order.chosen != nullptr && !order.chosen->is_service && action != Action::run) return unprocessable("Workspace job \"" + order.chosen->name + "\" can only be run");
  if (order.chosen != nullptr && order.chosen->is_service && action == Action::run)
    return unprocessable("Workspace service \"" + order.chosen->name + "\" should be started or restarted, not run");
  if (action == Action::run && order.chosen == nullptr) return unprocessable("Select a workspace job to run");
  if (order.commands.empty() && (action == Action::start || action == Action::restart))
    return unprocessable(target.is_execution() ? "Execution workspace has no workspace command configuration or inherited project workspace default"
                                               : "Project workspace has no workspace command configuration");
  if (order.chosen != nullptr) order.index = order.chosen->service_index;
  // A service command without a service means the one it has become.
  if (order.chosen != nullptr && !order.service)
    if (const auto* service = domain::matching_service(*order.chosen, target.services)) order.service = service->id;
  return order;
}

environments::ServicePlace place_of(const Call& call, const Target& target) {
  const auto text = [](const std::optional<std::string>& value) { return value ? json::value(*value) : json::value(nullptr); };
  environments::ServicePlace place;
  place.company_id = call.company_id();
  place.project_id = target.project_id;
  if (target.project) place.project_workspace_id = target.project->id;
  place.execution_workspace_id = target.owner.execution_workspace_id;
  place.issue_id = target.owner.source_issue_id;
  if (call.actor.is_agent()) place.agent_id = call.actor.agent_id;
  place.cwd = *target.cwd;
  const auto& row = target.execution;
  place.template_data = json::object{
      {"workspace", json::object{{"cwd", place.cwd},
                                 {"branchName", row ? text(row->branch_name) : json::value(nullptr)},
                                 {"worktreePath", row ? text(row->provider_ref) : json::value(nullptr)},
                                 {"repoUrl", row ? text(row->repo_url) : text(target.project->repo_url)},
                                 {"repoRef", row ? text(row->base_ref) : text(target.project->repo_ref)},
                                 {"env", json::object()}}},
      {"issue", json::object{{"id", place.issue_id ? json::value(place.issue_id->view()) : json::value(nullptr)}}},
      {"agent", json::object{{"id", place.agent_id ? json::value(place.agent_id->view()) : json::value(nullptr)}, {"name", call.actor.is_agent() ? "Agent" : "Board"}}}};
  return place;
}

// The worktree may have gone from the disk since the last run.
Result<> restore(const Call& call, const Target& target, environments::OperationRecorder& recorder) {
  if (!target.execution) return {};
  environments::KnownWorkspace known;
  known.row = *target.execution;
  if (target.project) known.project_cwd = folder_of(*target.project).value_or("");
  known.provision = domain::HostCommand::stored(text_at(json::value(domain::workspace_config(target.execution->metadata)), "provisionCommand"));
  known.facts.source = "project_primary";
  known.facts.repo_ref = known.row.base_ref.value_or("");
  known.facts.repo_url = known.row.repo_url.value_or("");
  known.facts.project_id = target.project_id.str();
  known.facts.company_id = call.company_id().str();
  if (known.row.project_workspace_id) known.facts.project_workspace_id = known.row.project_workspace_id->str();
  if (known.row.source_issue_id) known.facts.issue_id = known.row.source_issue_id->str();
  return environments::restore(*call.services.workspace_host, known, environments::Provisioning::always, recorder);
}

struct Done {
  std::size_t services = 0;  // started
};

void stop_services(const Call& call, const Target& target, const Order& order) {
  const auto deadline = Deadline::in(std::chrono::seconds(30));
  auto& supervisor = *call.services.runtime_services;
  if (order.service) return supervisor.stop(*order.service, deadline);
  if (order.chosen != nullptr) return;  // it does not run
  for (const auto& service : target.services)
    if (service.status == RuntimeServiceStatus::running || service.status == RuntimeServiceStatus::starting) supervisor.stop(service.id, deadline);
  if (target.execution) supervisor.stop_of_execution_workspace(target.execution->id, std::nullopt, deadline);
}

Result<Done> start_services(const Call& call, const Target& target, const Order& order, std::string& said) {
  const auto place = place_of(call, target);
  Done done;
  for (const auto& command : order.commands) {
    if (!command.is_service || (order.chosen != nullptr && &command != order.chosen)) continue;
    if (order.chosen == nullptr) {
      const auto* state = member(target.states.service_states, std::to_string(*command.service_index));
      if (state != nullptr && state->is_string() && state->get_string() == "manual") continue;
    }
    auto spec = TRY(environments::service_spec(command, place));
    TRY(call.services.runtime_services->start(std::move(spec), [&](std::string line) { said += line; }));
    ++done.services;
  }
  return done;
}

Result<Done> carry_out(const Call& call, const Target& target, const Order& order, environments::OperationRecorder& recorder, os::CommandOutput& output) {
  if (order.action == Action::run) {
    const auto job = TRY(environments::job_spec(*order.chosen, place_of(call, target)));
    const environments::OperationRecorder::Step step{domain::WorkspaceOperationPhase::workspace_provision, job.command.text(), job.cwd,
                                                     json::object{{"workspaceCommandId", order.chosen->id}}};
    environments::HostCommandPlace place{job.cwd, {}, job.variables};
    const auto ran = TRY(recorder.record(step, [&] {
      return environments::run_host_command(job.command, place, call.services.workspace_host->environment, Deadline::in(environments::longest_host_command));
    }));
    output = ran;
    if (!ran.ok()) return unprocessable("Workspace job \"" + order.chosen->name + "\" failed: " + environments::reason_of(ran));
    return Done{};
  }
  if (order.action != Action::start) stop_services(call, target, order);
  if (order.action == Action::stop) return Done{};
  TRY(restore(call, target, recorder));
  return start_services(call, target, order, output.stdout_text);
}

void store_states(store::Transaction& tx, const Target& target, const Order& order) {
  if (order.action == Action::run) return;
  // Only a service whose place in the configuration is unknown was meant: the states stay.
  domain::ServiceStates states = target.states;
  if (order.index || !order.service) states = domain::next_states(target.states, order.commands, order.index, order.action != Action::stop);
  const json::object changes{{"desiredState", states.desired_state}, {"serviceStates", states.service_states}};
  if (target.execution) {
    const auto metadata = tx.one<RawJson>("select metadata from execution_workspaces where id = :1 {for update}", target.execution->id);
    tx.execute("update execution_workspaces set metadata = :1, updated_at = :2 where id = :3", domain::merged_workspace_config(metadata, changes), tx.now(),
               target.execution->id);
    return;
  }
  const auto stored = tx.one<RawJson>("select metadata from project_workspaces where id = :1 {for update}", target.project->id);
  json::value metadata = stored ? stored->parse() : json::value(nullptr);
  if (!metadata.is_object()) metadata = json::object();
  auto& config = metadata.get_object()["runtimeConfig"];
  if (!config.is_object()) config = json::object();
  for (const auto& item : changes) config.get_object()[item.key()] = item.value();
  tx.execute("update project_workspaces set metadata = :1, updated_at = :2 where id = :3", RawJson(metadata), tx.now(), target.project->id);
}

void log_control(store::Transaction& tx, const Call& call, const Target& target, const Order& order, const ControlBody& body, std::size_t services) {
  json::object details{{"serviceIndex", order.index && order.service == body.runtime_service_id ? json::value(*order.index) : json::value(nullptr)},
                       {"runtimeServiceId", body.runtime_service_id ? json::value(body.runtime_service_id->view()) : json::value(nullptr)},
                       {"runtimeServiceCount", services},
                       {"workspaceCommandId", order.chosen != nullptr ? json::value(order.chosen->id) : json::value(nullptr)},
                       {"workspaceCommandKind", order.chosen != nullptr ? json::value(order.chosen->is_service ? "service" : "job") : json::value(nullptr)},
                       {"workspaceCommandName", order.chosen != nullptr ? json::value(order.chosen->name) : json::value(nullptr)}};
  if (order.index) details["serviceIndex"] = *order.index;
  const std::string word(to_text(order.action));
  if (!target.execution) details["projectWorkspaceId"] = target.project->id.view();
  const std::string action = target.execution ? "execution_workspace.runtime_" + word : "project.workspace_runtime_" + word;
  domain::log_activity(tx, call.company_id(), call.scope().author(),
                       {action, target.execution ? "execution_workspace" : "project", call.entity_id, std::move(details)});
}

Result<Answer> control(Call& call, const ControlBody& body, Result<Target> (*find)(store::Reader&, const Call&)) {
  const auto action = parse_enum<Action>(call.param("action"));
  if (!action) return not_found("Workspace command action not found");
  const auto target = TRY(call.services.database.read([&](store::Reader& reader) -> Result<Target> {
    auto found = TRY(find(reader, call));
    TRY(domain::require_service_control(reader, call.scope(), found.owner));
    if (call.actor.is_agent() && !found.is_execution() && found.project->shared_workspace_key && (*action == Action::stop || *action == Action::restart))
      return forbidden("Missing permission to manage workspace runtime services");
    return found;
  }));
  const auto order = TRY(read_order(target, *action, body));
  if (call.services.runtime_services == nullptr || call.services.workspace_host == nullptr) return internal_error("no supervisor of services");

  environments::OperationRecorder recorder(call.services.workspace_host->operations, call.company_id(), std::nullopt, target.owner.execution_workspace_id);
  const environments::OperationRecorder::Step step{
      *action == Action::stop ? domain::WorkspaceOperationPhase::workspace_teardown : domain::WorkspaceOperationPhase::workspace_provision,
      order.chosen != nullptr && order.chosen->command ? *order.chosen->command : "workspace command " + std::string(to_text(*action)), *target.cwd,
      json::object{{"action", to_text(*action)}}};
  Done done;
  const auto outcome = recorder.record(step, [&]() -> Result<os::CommandOutput> {
    os::CommandOutput output;
    done = TRY(carry_out(call, target, order, recorder, output));
    return output;
  });
  if (!outcome) return internal_error(outcome.error().message);
  TRY(call.services.database.write([&](store::Transaction& tx) -> Result<> {
    store_states(tx, target, order);
    log_control(tx, call, target, order, body, done.services);
    return {};
  }));
  return call.services.database.read([&](store::Reader& reader) -> Result<Answer> {
    std::string text;
    JsonObjectWriter writer(text);
    if (target.execution) {
      const auto row = domain::find_execution_workspace(reader, call.company_id(), target.execution->id);
      if (!row) return not_found("Execution workspace not found");
      domain::append_execution_workspace(writer.begin("workspace"), reader, *row);
    } else {
      const auto row = domain::find_workspace(reader, target.project_id, target.project->id.view());
      if (!row) return not_found("Project workspace not found");
      domain::append_workspace_json(writer.begin("workspace"), reader, *row);
    }
    writer.field("operation", reader.one<domain::WorkspaceOperation>("select {} from workspace_operations where id = :1", recorder.operations().front())).end();
    return ok_json(std::move(text));
  });
}

Result<Answer> control_project(Call& call, const ControlBody& body) { return control(call, body, find_project_target); }
Result<Answer> control_execution(Call& call, const ControlBody& body) { return control(call, body, find_execution_target); }

}  // namespace

void add_workspace_command_routes(Routes& routes) {
  for (const char* what : {"runtime-services", "runtime-commands"}) {
    routes.post("/api/projects/{id}/workspaces/{workspaceId}/" + std::string(what) + "/{action}", control_project).entity(project_kind);
    routes.post("/api/execution-workspaces/{id}/" + std::string(what) + "/{action}", control_execution).entity(execution_workspace_kind);
  }
}

}  // namespace paperclip::api
