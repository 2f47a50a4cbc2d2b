#include <algorithm>

#include "api/all_routes.h"
#include "api/project_kind.h"
#include "api/services.h"
#include "domain/activity/activity.h"
#include "domain/projects/projects.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

// A UUID, or a shortname within `?companyId=` or the agent's own company (spec/work-domain.md 2.2).
Result<std::optional<Located>> locate_project(store::Reader& reader, const Call& call, std::string_view reference) {
  if (const auto id = ProjectId::parse(reference)) {
    const auto company = reader.value<CompanyId>("select company_id from projects where id = :1", *id);
    if (!company) return std::optional<Located>();
    return std::optional<Located>({*company, id->str()});
  }
  std::optional<CompanyId> company = call.actor.company_id;
  if (const auto named = call.query.text("companyId")) {
    company = CompanyId::parse(*named);
    if (!company) return std::optional<Located>();
    TRY(domain::authorise_company(call.actor, *company, false));
  }
  if (!company) return std::optional<Located>();
  const std::string wanted = domain::project_url_key(reference, ProjectId());
  std::vector<std::string> matches;
  reader.each<std::pair<ProjectId, std::string>>("select id, name from projects where company_id = :1",
      [&](const std::pair<ProjectId, std::string>& project) {
        if (domain::project_url_key(project.second, project.first) == wanted) matches.push_back(project.first.str());
      }, *company);
  if (matches.size() > 1) return conflict("Project shortname is ambiguous in this company. Use the project ID.");
  if (matches.empty()) return std::optional<Located>();
  return std::optional<Located>({*company, matches.front()});
}

domain::ProjectSettings project_settings(const Call& call) {
  return {call.services.settings.secrets_strict, call.services.settings.instance_root};
}

Result<Answer> project_answer(Call& call, ProjectId id, int status) {
  return call.services.database.read([&](store::Reader& reader) -> Result<Answer> {
    const auto project = domain::find_project(reader, call.company_id(), id);
    if (!project) return not_found("Project not found");
    std::string body;
    domain::append_project_json(body, reader, *project, call.services.settings.instance_root);
    return ok_json(std::move(body), status);
  });
}

Result<Answer> list_projects(Call& call) {
  return ok_json(call.services.database.read([&](store::Reader& reader) {
    std::string body = "[";
    for (const auto& project : reader.all<domain::Project>("select {} from projects where company_id = :1 order by created_at, id limit 10000", call.company_id())) {
      if (body.size() > 1) body += ',';
      domain::append_project_json(body, reader, project, call.services.settings.instance_root);
    }
    return body + "]";
  }));
}

Result<Answer> get_project(Call& call) { return project_answer(call, call.entity<ProjectId>(), 200); }

Result<Answer> create_project(Call& call, const domain::NewProject& body) {
  const auto id = TRY(call.services.database.write(
      [&](store::Transaction& tx) { return domain::create_project(tx, call.scope(), body, project_settings(call)); }));
  return project_answer(call, id, 201);
}

Result<Answer> update_project(Call& call, const domain::ProjectPatch& body) {
  std::vector<std::string> keys;
  for (const auto& item : call.body->get_object()) keys.emplace_back(item.key());
  TRY(call.services.database.write([&](store::Transaction& tx) {
    return domain::update_project(tx, call.scope(), call.entity<ProjectId>(), body, project_settings(call), keys);
  }));
  return project_answer(call, call.entity<ProjectId>(), 200);
}

Result<Answer> delete_project(Call& call) {
  const auto project = TRY(call.services.database.write(
      [&](store::Transaction& tx) { return domain::delete_project(tx, call.scope(), call.entity<ProjectId>()); }));
  std::string body;
  JsonObjectWriter(body).members(project).field("urlKey", domain::project_url_key(project.name, project.id)).end();
  return ok_json(std::move(body));
}

Answer workspace_answer(Call& call, const domain::ProjectWorkspace& workspace, int status) {
  std::string body;
  call.services.database.read([&](store::Reader& reader) {
    domain::append_workspace_json(body, reader, workspace);
    return true;
  });
  return ok_json(std::move(body), status);
}

void log_workspace(store::Transaction& tx, const Call& call, std::string_view action, json::value details) {
  domain::Author author = call.scope().author();
  author.run_id.reset();
  domain::log_activity(tx, call.company_id(), author, {action, "project", call.entity_id, std::move(details)});
}

Result<Answer> list_workspaces(Call& call) {
  return ok_json(call.services.database.read([&](store::Reader& reader) {
    std::string body = "[";
    for (const auto& workspace : domain::workspaces_of_project(reader, call.entity<ProjectId>())) {
      if (body.size() > 1) body += ',';
      domain::append_workspace_json(body, reader, workspace);
    }
    return body + "]";
  }));
}

Result<Answer> create_workspace(Call& call, const domain::NewWorkspace& body) {
  return workspace_answer(call, TRY(call.services.database.write([&](store::Transaction& tx) -> Result<domain::ProjectWorkspace> {
    auto workspace = TRY(domain::insert_workspace(tx, call.scope(), call.entity<ProjectId>(), body));
    log_workspace(tx, call, "project.workspace_created",
                  json::value{{"workspaceId", workspace.id.view()}, {"name", workspace.name},
                              {"cwd", workspace.cwd ? json::value(*workspace.cwd) : json::value(nullptr)}, {"isPrimary", workspace.is_primary}});
    return workspace;
  })), 201);
}

Result<Answer> update_workspace(Call& call, const domain::WorkspacePatch& body) {
  return workspace_answer(call, TRY(call.services.database.write([&](store::Transaction& tx) -> Result<domain::ProjectWorkspace> {
    auto workspace = TRY(domain::update_workspace(tx, call.scope(), call.entity<ProjectId>(), call.param("workspaceId"), body));
    std::vector<std::string> names;
    for (const auto& item : call.body->get_object()) names.emplace_back(item.key());
    std::sort(names.begin(), names.end());
    json::array keys;
    for (const auto& name : names) keys.emplace_back(name);
    log_workspace(tx, call, "project.workspace_updated", json::value{{"workspaceId", workspace.id.view()}, {"changedKeys", std::move(keys)}});
    return workspace;
  })), 200);
}

Result<Answer> delete_workspace(Call& call) {
  return workspace_answer(call, TRY(call.services.database.write([&](store::Transaction& tx) -> Result<domain::ProjectWorkspace> {
    auto workspace = TRY(domain::delete_workspace(tx, call.scope(), call.entity<ProjectId>(), call.param("workspaceId")));
    log_workspace(tx, call, "project.workspace_deleted", json::value{{"workspaceId", workspace.id.view()}, {"name", workspace.name}});
    return workspace;
  })), 200);
}

}  // namespace

const EntityKind project_kind{"Project not found", locate_project};

void add_project_routes(Routes& routes) {
  routes.get("/api/companies/{companyId}/projects", list_projects).company();
  routes.post("/api/companies/{companyId}/projects", create_project).company();
  routes.get("/api/projects/{id}", get_project).entity(project_kind);
  routes.patch("/api/projects/{id}", update_project).entity(project_kind);
  routes.remove("/api/projects/{id}", delete_project).entity(project_kind);
  routes.get("/api/projects/{id}/workspaces", list_workspaces).entity(project_kind);
  routes.post("/api/projects/{id}/workspaces", create_workspace).entity(project_kind);
  routes.patch("/api/projects/{id}/workspaces/{workspaceId}", update_workspace).entity(project_kind);
  routes.remove("/api/projects/{id}/workspaces/{workspaceId}", delete_workspace).entity(project_kind);
}

}  // namespace paperclip::api
