#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "plugins/host.h"
#include "plugins/host_methods.h"

/// What a worker may look at (spec/plugins.md 9). Each answer is the REST route's own; an entity of another company is
/// as good as none.
namespace paperclip::plugins {

namespace {

std::optional<std::size_t> page_number(const json::value& params, std::string_view key) {
  const auto* value = member(params, key);
  if (value == nullptr) return std::nullopt;
  double number = -1;
  if (value->is_number()) number = value->to_number<double>();
  else if (value->is_string()) {
    const std::string text(value->get_string());
    char* end = nullptr;
    number = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0') return std::nullopt;
  }
  if (!std::isfinite(number)) return std::nullopt;
  return static_cast<std::size_t>(std::clamp(std::floor(number), 0.0, 1e9));
}

// `offset` and `limit` over the whole list.
json::value paged(const HostCall& call, json::value list) {
  if (!list.is_array()) return list;
  auto& items = list.get_array();
  const std::size_t from = std::min(page_number(call.params, "offset").value_or(0), items.size());
  const std::size_t count = std::min(page_number(call.params, "limit").value_or(items.size()), items.size() - from);
  json::array page;
  for (std::size_t i = from; i < from + count; ++i) page.push_back(std::move(items[i]));
  return page;
}

std::string query_of(const HostCall& call, std::initializer_list<const char*> keys) {
  std::string query;
  for (const char* key : keys)
    if (const auto value = call.text(key)) query += (query.empty() ? "?" : "&") + std::string(key) + "=" + percent_encode(*value);
  return query;
}

// null for what is missing or another company's.
Result<json::value> entity(const HostCall& call, const std::string& kind, std::string_view id_key) {
  const auto company = TRY(call.company());
  const auto id = TRY(call.needed(id_key));
  auto found = call.api("GET", "/api/" + kind + "/" + percent_encode(id));
  if (!found) {
    if (found.error().kind == ErrorKind::not_found) return json::value(nullptr);
    return std::move(found).error();
  }
  if (string_at(*found, "companyId") != company.str()) return json::value(nullptr);
  return found;
}

Result<json::value> company_list(const HostCall& call, const std::string& kind, std::initializer_list<const char*> filters) {
  const auto company = TRY(call.company());
  return call.api("GET", "/api/companies/" + company.str() + "/" + kind + query_of(call, filters));
}

// Keeps the items whose fields are what the params say.
json::value filtered(const HostCall& call, json::value list, std::initializer_list<const char*> keys) {
  if (!list.is_array()) return list;
  json::array kept;
  for (auto& item : list.get_array()) {
    bool fits = true;
    for (const char* key : keys)
      if (const auto wanted = call.text(key)) fits = fits && string_at(item, key) == *wanted;
    if (fits) kept.push_back(std::move(item));
  }
  return kept;
}

Result<json::value> list_companies(const HostCall& call) { return paged(call, TRY(call.api("GET", "/api/companies"))); }

Result<json::value> get_company(const HostCall& call) {
  const auto company = TRY(call.company());
  auto found = call.api("GET", "/api/companies/" + company.str());
  if (!found && found.error().kind == ErrorKind::not_found) return json::value(nullptr);
  return found;
}

Result<json::value> list_projects(const HostCall& call) { return paged(call, TRY(company_list(call, "projects", {}))); }
Result<json::value> get_project(const HostCall& call) { return entity(call, "projects", "projectId"); }

bool looks_like_path(std::string_view text) { return text.find_first_of("/\\") != std::string_view::npos; }

// spec/plugins.md 9.3
json::value workspace_object(const json::value& row) {
  std::string path(trim(string_at(row, "cwd").value_or("")));
  if (!looks_like_path(path) || is_uuid(path)) path.clear();
  std::string name(trim(string_at(row, "name").value_or("")));
  if (name.empty() || is_uuid(name) || looks_like_path(name)) {
    const auto slash = path.find_last_of("/\\");
    name = path.empty() ? "" : path.substr(slash == std::string::npos ? 0 : slash + 1);
    if (name.empty()) name = "Workspace";
  }
  json::object out{{"path", path}, {"name", name}};
  for (const char* key : {"id", "projectId", "isPrimary", "createdAt", "updatedAt"}) {
    const auto* value = member(row, key);
    out[key] = value != nullptr ? *value : json::value(nullptr);
  }
  return out;
}

Result<json::value> workspaces_of(const HostCall& call, const json::value& project) {
  if (project.is_null()) return json::value(json::array());
  const auto rows = TRY(call.api("GET", "/api/projects/" + string_at(project, "id").value_or("") + "/workspaces"));
  json::array out;
  if (rows.is_array())
    for (const auto& row : rows.get_array()) out.push_back(workspace_object(row));
  return json::value(std::move(out));
}

Result<json::value> list_workspaces(const HostCall& call) { return workspaces_of(call, TRY(get_project(call))); }

Result<json::value> primary_of(const HostCall& call, const json::value& project) {
  if (project.is_null()) return json::value(nullptr);
  const auto all = TRY(workspaces_of(call, project));
  for (const auto& workspace : all.get_array())
    if (workspace.at("isPrimary").is_bool() && workspace.at("isPrimary").get_bool()) return workspace;
  // The folder that the server keeps for a project without a workspace.
  const std::string id = string_at(project, "id").value_or("");
  const auto* codebase = member(project, "codebase");
  const std::string path = codebase != nullptr ? string_at(*codebase, "effectiveLocalFolder").value_or("") : "";
  return json::value{{"id", id + ":managed"}, {"projectId", id}, {"name", string_at(project, "name").value_or("Workspace")}, {"path", path}, {"isPrimary", true},
                     {"createdAt", string_at(project, "createdAt").value_or("")}, {"updatedAt", string_at(project, "updatedAt").value_or("")}};
}

Result<json::value> get_primary_workspace(const HostCall& call) { return primary_of(call, TRY(get_project(call))); }

Result<json::value> get_issue(const HostCall& call) { return entity(call, "issues", "issueId"); }

Result<json::value> get_workspace_for_issue(const HostCall& call) {
  const auto issue = TRY(get_issue(call));
  const auto project = string_at(issue, "projectId");
  if (!project) return json::value(nullptr);
  auto found = call.api("GET", "/api/projects/" + *project);
  if (!found) return json::value(nullptr);
  return primary_of(call, *found);
}

Result<json::value> list_issues(const HostCall& call) {
  if (const auto origin = call.text("originKind"); origin && origin->starts_with("plugin:")) {
    const std::string own = "plugin:" + call.plugin.row.plugin_key;
    if (*origin != own && !origin->starts_with(own + ":")) return bad_request("Plugin may only use originKind values under " + own);
  }
  return paged(call, TRY(company_list(call, "issues", {"projectId", "assigneeAgentId", "originKind", "originId", "status"})));
}

// What hangs on an issue: [] or null when the issue is not the company's.
Result<json::value> of_issue(const HostCall& call, const std::string& rest, json::value otherwise) {
  const auto issue = TRY(get_issue(call));
  if (issue.is_null()) return otherwise;
  auto found = call.api("GET", "/api/issues/" + string_at(issue, "id").value_or("") + rest);
  if (!found && found.error().kind == ErrorKind::not_found) return otherwise;
  return found;
}

Result<json::value> list_comments(const HostCall& call) { return of_issue(call, "/comments", json::array()); }

Result<json::value> list_documents(const HostCall& call) {
  if (TRY(get_issue(call)).is_null()) return not_found("Issue not found");
  return of_issue(call, "/documents", json::array());
}
Result<json::value> get_document(const HostCall& call) {
  if (TRY(get_issue(call)).is_null()) return not_found("Issue not found");
  return of_issue(call, "/documents/" + percent_encode(TRY(call.needed("key"))), nullptr);
}

Result<json::value> get_relations(const HostCall& call) {
  const auto issue = TRY(get_issue(call));
  if (issue.is_null()) return not_found("Issue not found");
  json::object out{{"blockedBy", json::array()}, {"blocks", json::array()}};
  for (const char* key : {"blockedBy", "blocks"})
    if (const auto* list = member(issue, key); list != nullptr && list->is_array()) out[key] = *list;
  return json::value(std::move(out));
}

Result<json::value> list_agents(const HostCall& call) { return paged(call, filtered(call, TRY(company_list(call, "agents", {})), {"status"})); }
Result<json::value> get_agent(const HostCall& call) { return entity(call, "agents", "agentId"); }
Result<json::value> list_goals(const HostCall& call) { return paged(call, filtered(call, TRY(company_list(call, "goals", {})), {"level", "status"})); }
Result<json::value> get_goal(const HostCall& call) { return entity(call, "goals", "goalId"); }

}  // namespace

void add_read_methods(HostMethods::Table& table) {
  table["companies.list"] = {"companies.read", list_companies};
  table["companies.get"] = {"companies.read", get_company};
  table["projects.list"] = {"projects.read", list_projects};
  table["projects.get"] = {"projects.read", get_project};
  table["projects.listWorkspaces"] = {"project.workspaces.read", list_workspaces};
  table["projects.getPrimaryWorkspace"] = {"project.workspaces.read", get_primary_workspace};
  table["projects.getWorkspaceForIssue"] = {"project.workspaces.read", get_workspace_for_issue};
  table["issues.list"] = {"issues.read", list_issues};
  table["issues.get"] = {"issues.read", get_issue};
  table["issues.relations.get"] = {"issue.relations.read", get_relations};
  table["issues.listComments"] = {"issue.comments.read", list_comments};
  table["issues.documents.list"] = {"issue.documents.read", list_documents};
  table["issues.documents.get"] = {"issue.documents.read", get_document};
  table["agents.list"] = {"agents.read", list_agents};
  table["agents.get"] = {"agents.read", get_agent};
  table["goals.list"] = {"goals.read", list_goals};
  table["goals.get"] = {"goals.read", get_goal};
}

}  // namespace paperclip::plugins
