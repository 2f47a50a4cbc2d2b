#include "api/all_routes.h"
#include "api/plugin_calls.h"
#include "api/services.h"
#include "base/text.h"
#include "plugins/host.h"
#include "store/database.h"

/// What pages and agents ask of a plugin's worker: data, actions, tools (spec/plugins.md 18, 20).
namespace paperclip::api {

namespace {

using domain::Plugin;
using domain::PluginStatus;

Result<> check_company(Call& call, const json::value& body) {
  const auto* company = member(body, "companyId");
  if (company == nullptr || company->is_null()) return domain::require_instance_admin(call.actor);
  if (!company->is_string() || trim(company->get_string()).empty()) return bad_request("\"companyId\" must be a non-empty string when provided");
  if (call.actor.is_local_implicit()) return {};
  const auto id = CompanyId::parse(trim(company->get_string()));
  if (!id) return forbidden("User does not have access to this company");
  auto scope = domain::authorise_company(call.actor, *id, true);
  if (!scope) return std::move(scope).error();
  return {};
}

Result<Answer> ask(Call& call, std::string_view method, std::optional<std::string> key) {
  TRY(require_board_with_company(call));
  const auto plugin = TRY(plugin_in_path(call));
  if (plugin.status != PluginStatus::ready)
    return answer(502, json::value{{"code", "WORKER_UNAVAILABLE"}, {"message", "Plugin is not ready (current status: " + std::string(to_text(plugin.status)) + ")"}});
  const json::value body = call.body.value_or(json::object());
  if (!key) {
    key = string_at(body, "key");
    if (!key || key->empty()) return bad_request("\"key\" is required and must be a string");
  }
  TRY(check_company(call, body));
  const auto* params = member(body, "params");
  const auto* environment = member(body, "renderEnvironment");
  auto* host = TRY(plugin_host(call));
  const auto result = host->call(plugin.id, method,
                                 json::object{{"key", *key}, {"params", params != nullptr && !params->is_null() ? *params : json::value(json::object())},
                                              {"renderEnvironment", environment != nullptr ? *environment : json::value(nullptr)}});
  if (!result.ok()) return bridge_failure(*result.failure);
  return ok(json::value{{"data", result.result}});
}

Result<Answer> get_data(Call& call) { return ask(call, "getData", call.param("key")); }
Result<Answer> perform_action(Call& call) { return ask(call, "performAction", call.param("key")); }
Result<Answer> get_data_by_body(Call& call) { return ask(call, "getData", std::nullopt); }
Result<Answer> perform_action_by_body(Call& call) { return ask(call, "performAction", std::nullopt); }

Result<Answer> follow_stream(Call& call) {
  TRY(require_board_with_company(call));
  const auto company = call.query.text("companyId");
  // A plugin that is not there comes first where the caller named a company.
  if (!company) return bad_request("\"companyId\" query parameter is required");
  TRY(plugin_in_path(call));
  const auto id = CompanyId::parse(*company);
  if (!id) return forbidden("User does not have access to this company");
  auto scope = domain::authorise_company(call.actor, *id, false);
  if (!scope) return std::move(scope).error();
  Answer out = answer(501, json::value{{"error", "Plugin stream bridge is not enabled"}});
  return out;
}

// `key:tool`, cut at the last colon.
struct FoundTool {
  Plugin plugin;
  domain::ToolDeclaration tool;
};

json::value tool_json(const Plugin& plugin, const domain::ToolDeclaration& tool) {
  return json::value{{"name", plugin.plugin_key + ":" + tool.name}, {"displayName", static_cast<const std::string&>(tool.display_name)},
                     {"description", static_cast<const std::string&>(tool.description)}, {"parametersSchema", tool.parameters_schema.value}, {"pluginId", plugin.id.view()}};
}

Result<Answer> list_tools(Call& call) {
  TRY(require_board_with_company(call));
  const auto wanted = call.query.text("pluginId");
  json::array out;
  for (const auto& plugin : call.services.database.read([](store::Reader& reader) { return domain::list_plugins(reader, PluginStatus::ready); })) {
    if (wanted && *wanted != plugin.plugin_key && *wanted != plugin.id.str()) continue;
    const auto manifest = domain::stored_manifest(plugin);
    if (!manifest || !manifest->tools) continue;
    for (const auto& tool : *manifest->tools) out.push_back(tool_json(plugin, tool));
  }
  return ok(json::value(std::move(out)));
}

struct RunContext {
  std::string agent_id, run_id, company_id, project_id;
};

Result<RunContext> read_context(const json::value& body) {
  const auto* context = member(body, "runContext");
  if (context == nullptr || !context->is_object()) return bad_request("\"runContext\" is required and must be an object");
  RunContext out{text_at(*context, "agentId").value_or(""), text_at(*context, "runId").value_or(""), text_at(*context, "companyId").value_or(""), text_at(*context, "projectId").value_or("")};
  if (out.agent_id.empty() || out.run_id.empty() || out.company_id.empty() || out.project_id.empty())
    return bad_request("\"runContext\" must include agentId, runId, companyId, and projectId");
  return out;
}

// The four belong together (spec/plugins.md 18).
Result<> check_context(Call& call, const RunContext& context) {
  const auto company = CompanyId::parse(context.company_id);
  if (!company) return forbidden("User does not have access to this company");
  auto scope = domain::authorise_company(call.actor, *company, true);
  if (!scope) return std::move(scope).error();
  const auto agent = AgentId::parse(context.agent_id);
  const auto run = RunId::parse(context.run_id);
  const auto project = ProjectId::parse(context.project_id);
  return call.services.database.read([&](store::Reader& reader) -> Result<> {
    if (!agent || !reader.exists("select 1 from agents where id = :1 and company_id = :2", *agent, *company))
      return forbidden("\"runContext.agentId\" does not belong to \"runContext.companyId\"");
    if (!run || !reader.exists("select 1 from heartbeat_runs where id = :1 and company_id = :2", *run, *company))
      return forbidden("\"runContext.runId\" does not belong to \"runContext.companyId\"");
    if (!reader.exists("select 1 from heartbeat_runs where id = :1 and agent_id = :2", *run, *agent))
      return forbidden("\"runContext.runId\" does not belong to \"runContext.agentId\"");
    if (!project || !reader.exists("select 1 from projects where id = :1 and company_id = :2", *project, *company))
      return forbidden("\"runContext.projectId\" does not belong to \"runContext.companyId\"");
    return {};
  });
}

std::optional<FoundTool> find_tool(Call& call, const std::string& name) {
  const auto colon = name.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  const auto plugin = call.services.database.read([&](store::Reader& reader) { return domain::find_plugin(reader, name.substr(0, colon)); });
  if (!plugin || plugin->status != PluginStatus::ready) return std::nullopt;
  const auto manifest = domain::stored_manifest(*plugin);
  if (!manifest || !manifest->tools) return std::nullopt;
  for (const auto& tool : *manifest->tools)
    if (tool.name == name.substr(colon + 1)) return FoundTool{*plugin, tool};
  return std::nullopt;
}

Result<Answer> execute_tool(Call& call) {
  TRY(require_board_with_company(call));
  const json::value body = call.body.value_or(json::object());
  const auto name = string_at(body, "tool");
  if (!name || name->empty()) return bad_request("\"tool\" is required and must be a string");
  const auto context = TRY(read_context(body));
  TRY(check_context(call, context));
  const auto found = find_tool(call, *name);
  if (!found) return not_found("Tool \"" + *name + "\" not found");
  const auto* parameters = member(body, "parameters");
  auto* host = TRY(plugin_host(call));
  const auto result = host->call(
      found->plugin.id, "executeTool",
      json::object{{"toolName", static_cast<const std::string&>(found->tool.name)}, {"parameters", parameters != nullptr && !parameters->is_null() ? *parameters : json::value(json::object())},
                   {"runContext", {{"agentId", context.agent_id}, {"runId", context.run_id}, {"companyId", context.company_id}, {"projectId", context.project_id}}}});
  if (!result.ok()) {
    const std::string& message = result.failure->message;
    const bool worker = result.failure->code == plugins::rpc_code::worker_unavailable || message.find("not running") != std::string::npos || message.find("worker") != std::string::npos;
    return answer(worker ? 502 : 500, json::value{{"error", message}});
  }
  return ok(json::value{{"pluginId", found->plugin.plugin_key}, {"toolName", static_cast<const std::string&>(found->tool.name)}, {"result", result.result}});
}

}  // namespace

void add_plugin_bridge_routes(Routes& routes) {
  routes.post("/api/plugins/{pluginId}/data/{key}", get_data).callers(board);
  routes.post("/api/plugins/{pluginId}/actions/{key}", perform_action).callers(board);
  routes.post("/api/plugins/{pluginId}/bridge/data", get_data_by_body).callers(board);
  routes.post("/api/plugins/{pluginId}/bridge/action", perform_action_by_body).callers(board);
  routes.get("/api/plugins/{pluginId}/bridge/stream/{channel}", follow_stream).callers(board);
  routes.get("/api/plugins/tools", list_tools).callers(board);
  routes.post("/api/plugins/tools/execute", execute_tool).callers(board);
}

}  // namespace paperclip::api
