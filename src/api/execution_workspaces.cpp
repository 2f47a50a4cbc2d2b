#include <algorithm>
#include <set>

#include "api/all_routes.h"
#include "api/execution_workspace_kind.h"
#include "api/services.h"
#include "domain/workspaces/close_readiness.h"
#include "domain/workspaces/execution_workspaces.h"
#include "environments/service_supervisor.h"
#include "environments/workspaces.h"
#include "heartbeat/run_log.h"
#include "store/database.h"

/// Execution workspaces: list, read, change, close; what was done to them (spec/workspaces.md 6, 7).
namespace paperclip::api {

namespace {

using domain::ExecutionWorkspace;

template <class Kind>
Result<std::optional<Located>> located(store::Reader& reader, const char* sql, std::string_view reference) {
  const auto id = Kind::parse(reference);
  if (!id) return std::optional<Located>();
  const auto company = reader.value<CompanyId>(sql, *id);
  if (!company) return std::optional<Located>();
  return std::optional<Located>(Located{*company, id->str()});
}

Result<std::optional<Located>> locate_workspace(store::Reader& reader, const Call&, std::string_view reference) {
  return located<ExecutionWorkspaceId>(reader, "select company_id from execution_workspaces where id = :1", reference);
}
Result<std::optional<Located>> locate_operation(store::Reader& reader, const Call&, std::string_view reference) {
  return located<WorkspaceOperationId>(reader, "select company_id from workspace_operations where id = :1", reference);
}
constexpr EntityKind operation_kind{"Workspace operation not found", locate_operation};

// A filter that names no id finds nothing.
template <class IdType>
bool id_filter(const Call& call, std::string_view name, std::optional<IdType>& out) {
  const auto text = call.query.text(name);
  if (!text) return true;
  out = IdType::parse(*text);
  return out.has_value();
}

Result<Answer> list_workspaces(Call& call) {
  domain::ExecutionWorkspaceFilter filter;
  if (!id_filter(call, "projectId", filter.project_id) || !id_filter(call, "projectWorkspaceId", filter.project_workspace_id) ||
      !id_filter(call, "issueId", filter.issue_id))
    return ok_json("[]");
  if (const auto words = call.query.text("status")) {
    for (const auto& word : split(*words, ','))
      if (const auto status = parse_enum<domain::ExecutionWorkspaceStatus>(trim(word))) filter.statuses.push_back(*status);
    if (filter.statuses.empty()) return ok_json("[]");
  }
  filter.reuse_eligible = call.query.flag("reuseEligible");
  const bool summary = call.query.flag("summary");
  return ok_json(call.services.database.read([&](store::Reader& reader) {
    std::string body = "[";
    for (const auto& row : domain::list_execution_workspaces(reader, call.company_id(), filter)) {
      if (body.size() > 1) body += ',';
      if (summary)
        JsonObjectWriter(body).field("id", row.id).field("name", row.name).field("mode", row.mode).field("projectWorkspaceId", row.project_workspace_id).end();
      else
        domain::append_execution_workspace(body, reader, row);
    }
    return body + "]";
  }));
}

Result<Answer> workspace_answer(Call& call) {
  return call.services.database.read([&](store::Reader& reader) -> Result<Answer> {
    const auto row = domain::find_execution_workspace(reader, call.company_id(), call.entity<ExecutionWorkspaceId>());
    if (!row) return not_found("Execution workspace not found");
    std::string body;
    domain::append_execution_workspace(body, reader, *row);
    return ok_json(std::move(body));
  });
}

/// Rows and git together, as they were looked at.
struct Inspected {
  domain::CloseFacts facts;
  std::optional<domain::CloseGitFacts> git;
  domain::CloseReadiness readiness;
};

bool suggests_repository(const domain::CloseFacts& facts) {
  const auto& row = facts.workspace;
  std::error_code ec;
  return row.provider_type == "git_worktree" || row.repo_url || row.branch_name || row.base_ref || (facts.project_workspace && facts.project_workspace->repo_url) ||
         std::filesystem::exists(std::filesystem::path(*facts.path()) / ".git", ec);
}

Result<Inspected> inspect(Call& call) {
  auto facts = TRY(call.services.database.read([&](store::Reader& reader) -> Result<domain::CloseFacts> {
    const auto row = domain::find_execution_workspace(reader, call.company_id(), call.entity<ExecutionWorkspaceId>());
    if (!row) return not_found("Execution workspace not found");
    return domain::read_close_facts(reader, *row);
  }));
  Inspected out{std::move(facts), std::nullopt, {}};
  std::vector<std::string> problems;
  if (const auto path = out.facts.path(); path && call.services.workspace_host != nullptr && suggests_repository(out.facts)) {
    const auto& row = out.facts.workspace;
    auto seen = environments::inspect(*call.services.workspace_host, *path, row.base_ref);
    problems = std::move(seen.problems);
    out.git = domain::CloseGitFacts{seen.repo_root, path, row.branch_name, row.base_ref, seen.has_dirty_tracked_files, seen.has_untracked_files,
                                    seen.dirty_entry_count, seen.untracked_entry_count, seen.ahead_count, seen.behind_count, seen.is_merged_into_base,
                                    out.facts.created_by_runtime()};
  }
  out.readiness = domain::judge_closing(out.facts, out.git, problems);
  return out;
}

Result<Answer> close_readiness(Call& call) {
  const auto inspected = TRY(inspect(call));
  std::string body;
  domain::append_close_readiness(body, inspected.facts, inspected.readiness, inspected.git);
  return ok_json(std::move(body));
}

// What is on the disk goes after the row says so. The warnings are the row's reason (spec/workspaces.md 5, 6.2).
Result<std::vector<std::string>> clean_up(Call& call, const domain::CloseFacts& facts) {
  const auto id = facts.workspace.id;
  if (call.services.runtime_services != nullptr)
    call.services.runtime_services->stop_of_execution_workspace(id, facts.shared() ? std::nullopt : facts.path(), Deadline::in(std::chrono::seconds(30)));
  environments::CleanupOutcome outcome;
  outcome.cleaned = true;
  if (!facts.shared() && call.services.workspace_host != nullptr) {
    environments::CleanupWish wish;
    wish.row = facts.workspace;
    wish.created_by_runtime = facts.created_by_runtime();
    if (facts.project_workspace) wish.project_cwd = facts.project_workspace->cwd.value_or("");
    for (const auto& command : facts.commands())
      if (auto line = domain::HostCommand::stored(command.text)) wish.commands.push_back(*std::move(line));
    environments::OperationRecorder recorder(call.services.workspace_host->operations, call.company_id(), std::nullopt, id);
    outcome = environments::clean_up(*call.services.workspace_host, wish, recorder);
  }
  TRY(call.services.database.write([&](store::Transaction& tx) -> Result<> {
    domain::record_cleanup(tx, id, outcome.warnings, outcome.cleaned);
    return {};
  }));
  return std::move(outcome.warnings);
}

Result<Answer> update_workspace(Call& call, const domain::ExecutionWorkspacePatch& body) {
  const auto id = call.entity<ExecutionWorkspaceId>();
  TRY(domain::check_workspace_patch(call.scope(), body));
  std::vector<std::string> keys;
  for (const auto& item : call.body->get_object()) keys.emplace_back(item.key());
  std::sort(keys.begin(), keys.end());

  std::optional<Inspected> inspected;
  if (body.status && *body.status == domain::ExecutionWorkspaceStatus::archived) {
    inspected = TRY(inspect(call));
    if (inspected->facts.workspace.status == domain::ExecutionWorkspaceStatus::archived) inspected.reset();
  }
  if (inspected && !inspected->readiness.blocking_reasons.empty()) {
    std::string readiness;
    domain::append_close_readiness(readiness, inspected->facts, inspected->readiness, inspected->git);
    Error error = conflict(inspected->readiness.blocking_reasons.front());
    error.extra = json::value{{"closeReadiness", RawJson(std::move(readiness)).parse()}};
    return error;
  }
  const auto changed = TRY(call.services.database.write([&](store::Transaction& tx) -> Result<ExecutionWorkspace> {
    auto row = TRY(domain::patch_execution_workspace(tx, call.scope(), id, body));
    if (!inspected) domain::log_workspace_update(tx, call.scope(), id, keys, {});
    return row;
  }));
  if (inspected) {
    inspected->facts.workspace = changed;
    const auto warnings = clean_up(call, inspected->facts);
    const std::vector<std::string> none;
    TRY(call.services.database.write([&](store::Transaction& tx) -> Result<> {
      if (!warnings) domain::record_cleanup(tx, id, {warnings.error().message}, false);
      domain::log_workspace_update(tx, call.scope(), id, keys, warnings ? *warnings : none);
      return {};
    }));
    if (!warnings) return internal_error("Failed to archive execution workspace: " + warnings.error().message);
  }
  return workspace_answer(call);
}

Result<Answer> list_operations(Call& call) {
  return ok_json(call.services.database.read([&](store::Reader& reader) {
    std::string body;
    append_json(body, reader.all<domain::WorkspaceOperation>(
                          "select {} from workspace_operations where execution_workspace_id = :1 order by started_at desc, created_at desc, id limit 1000",
                          call.entity<ExecutionWorkspaceId>()));
    return body;
  }));
}

std::int64_t number(const Call& call, std::string_view name, std::int64_t otherwise, std::int64_t least, std::int64_t most) {
  const auto text = call.query.text(name);
  if (!text) return otherwise;
  char* end = nullptr;
  const long long value = std::strtoll(text->c_str(), &end, 10);
  if (end == text->c_str() || *end != '\0') return otherwise;
  return std::clamp<std::int64_t>(value, least, most);
}

Result<Answer> read_operation_log(Call& call) {
  const auto id = call.entity<WorkspaceOperationId>();
  const auto row = call.services.database.read(
      [&](store::Reader& reader) { return reader.one<domain::WorkspaceOperation>("select {} from workspace_operations where id = :1", id); });
  if (!row || !row->log_ref || call.services.workspace_host == nullptr) return not_found("Workspace operation log not found");
  auto piece = heartbeat::read_run_log(call.services.workspace_host->operations.log_directory, *row->log_ref,
                                       static_cast<std::uint64_t>(number(call, "offset", 0, 0, INT64_MAX)),
                                       static_cast<std::uint64_t>(number(call, "limitBytes", 256000, 1, 1048576)));
  if (!piece) return piece.error().kind == ErrorKind::not_found ? not_found("Workspace operation log not found") : std::move(piece).error();
  std::string body;
  JsonObjectWriter writer(body);
  writer.field("operationId", id).field("store", row->log_store).field("logRef", row->log_ref).field("content", piece->content);
  if (piece->next_offset) writer.field("nextOffset", *piece->next_offset);
  writer.end();
  Answer out = ok_json(std::move(body));
  out.headers.emplace_back("Cache-Control", "no-cache, no-store");
  return out;
}

}  // namespace

const EntityKind execution_workspace_kind{"Execution workspace not found", locate_workspace};

void add_execution_workspace_routes(Routes& routes) {
  routes.get("/api/companies/{companyId}/execution-workspaces", list_workspaces).company();
  routes.get("/api/execution-workspaces/{id}", workspace_answer).entity(execution_workspace_kind);
  routes.patch("/api/execution-workspaces/{id}", update_workspace).entity(execution_workspace_kind);
  routes.get("/api/execution-workspaces/{id}/close-readiness", close_readiness).entity(execution_workspace_kind);
  routes.get("/api/execution-workspaces/{id}/workspace-operations", list_operations).entity(execution_workspace_kind);
  routes.get("/api/workspace-operations/{id}/log", read_operation_log).entity(operation_kind);
}

}  // namespace paperclip::api
