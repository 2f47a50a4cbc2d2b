#include <algorithm>
#include <set>

#include "api/all_routes.h"
#include "api/plugin_calls.h"
#include "api/services.h"
#include "base/text.h"
#include "domain/issues/issue.h"
#include "net/uri.h"
#include "plugins/host.h"
#include "store/database.h"

/// Routes that a plugin declares itself: `/api/plugins/:pluginId/api/*` (spec/plugins.md 19).
namespace paperclip::api {

namespace {

using domain::ApiRouteDeclaration;
using domain::Plugin;

constexpr std::size_t most_body_bytes = 1'000'000;

struct Matched {
  const ApiRouteDeclaration* route;
  json::object params;
};

std::vector<std::string> segments_of(std::string_view path) {
  std::vector<std::string> out;
  for (auto& part : split(path, '/'))
    if (!part.empty()) out.push_back(std::move(part));
  return out;
}

std::optional<Matched> match(const domain::PluginManifest& manifest, std::string_view method, std::string_view path) {
  if (!manifest.api_routes) return std::nullopt;
  const auto given = segments_of(path);
  for (const auto& route : *manifest.api_routes) {
    const auto wanted = segments_of(route.path);
    if (to_text(route.method) != method || wanted.size() != given.size()) continue;
    json::object params;
    bool fits = true;
    for (std::size_t i = 0; fits && i < wanted.size(); ++i) {
      if (wanted[i].starts_with(':')) params[wanted[i].substr(1)] = percent_decode(given[i]).value_or(given[i]);
      else fits = wanted[i] == given[i];
    }
    if (fits) return Matched{&route, std::move(params)};
  }
  return std::nullopt;
}

Result<> check_caller(const Call& call, const std::string& auth) {
  if (auth == "webhook") return unprocessable("Webhook-scoped plugin API routes require a signature verifier and are not enabled");
  const auto& actor = call.actor;
  if (auth == "board") return actor.is_board() ? Result<>() : forbidden("Board access required");
  if (actor.kind == domain::ActorKind::none) return unauthorized();
  if (auth == "agent") return actor.is_agent() ? Result<>() : forbidden("Agent access required");
  return actor.is_agent() || actor.is_board() ? Result<>() : forbidden("Board or agent access required");
}

Result<std::optional<CompanyId>> find_company(Call& call, const Matched& matched, const json::value& body) {
  const auto unresolved = [] { return bad_request("Unable to resolve company for plugin API route"); };
  if (!matched.route->company_resolution) return call.actor.is_agent() ? call.actor.company_id : std::optional<CompanyId>();
  const auto& rule = *matched.route->company_resolution;
  std::optional<std::string> found;
  switch (rule.from) {
    case domain::CompanyResolutionFrom::body: found = string_at(body, *rule.key); break;
    case domain::CompanyResolutionFrom::query: found = call.query.text(*rule.key); break;
    case domain::CompanyResolutionFrom::issue: {
      const auto issue = IssueId::parse(string_at(matched.params, *rule.param).value_or(""));
      if (!issue) return unresolved();
      const auto company = call.services.database.read([&](store::Reader& reader) { return reader.value<CompanyId>("select company_id from issues where id = :1", *issue); });
      if (!company) return unresolved();
      return company;
    }
  }
  const auto id = CompanyId::parse(found.value_or(""));
  if (!id) return unresolved();
  return std::optional<CompanyId>(*id);
}

// An agent changes only what its run holds (spec/plugins.md 19, 9).
Result<> check_checkout(Call& call, const Matched& matched, const CompanyId& company) {
  const std::string policy = matched.route->checkout_policy ? std::string(*matched.route->checkout_policy) : std::string("none");
  if (!call.actor.is_agent() || policy == "none") return {};
  const auto* given = matched.params.if_contains("issueId");
  if (given == nullptr) return unprocessable("Checkout-protected plugin API routes require an issueId route parameter");
  const auto id = IssueId::parse(given->get_string());
  const auto issue = !id ? std::nullopt : call.services.database.read([&](store::Reader& reader) {
    return reader.one<domain::Issue>("select {} from issues where id = :1 and company_id = :2", *id, company);
  });
  if (!issue) return not_found("Issue not found");
  const bool own = issue->assignee_agent_id == call.actor.agent_id;
  if (policy == "required-for-agent-in-progress" && (issue->status != domain::IssueStatus::in_progress || !own)) return {};
  if (!call.actor.run_id) return unauthorized("Agent run id required");
  if (!own || issue->checkout_run_id != call.actor.run_id) return conflict("Issue run ownership conflict");
  return {};
}

json::value actor_json(const domain::Actor& actor) {
  const auto id = [](const auto& value) { return value ? json::value(value->view()) : json::value(nullptr); };
  if (actor.is_agent())
    return json::value{{"actorType", "agent"}, {"actorId", actor.agent_id->view()}, {"agentId", actor.agent_id->view()}, {"userId", nullptr}, {"runId", id(actor.run_id)}};
  const std::string user = actor.user_id.empty() ? "board" : actor.user_id;
  return json::value{{"actorType", "user"}, {"actorId", user}, {"agentId", nullptr}, {"userId", user}, {"runId", id(actor.run_id)}};
}

json::object query_json(const Call& call) {
  json::object out;
  for (const auto& [name, value] : call.query.all()) {
    auto* there = out.if_contains(name);
    if (there == nullptr) out[name] = value;
    else if (there->is_array()) there->get_array().emplace_back(value);
    else *there = json::array{*there, json::value(value)};
  }
  return out;
}

Answer failed(const plugins::RpcFailure& failure) {
  namespace code = plugins::rpc_code;
  int status = 502;
  if (failure.code == code::capability_denied) status = 403;
  if (failure.code == code::not_implemented) status = 501;
  return answer(status, json::value{{"error", failure.message}});
}

Answer from_worker(const json::value& result) {
  Answer out;
  if (const auto* status = member(result, "status"); status != nullptr && status->is_int64() && status->get_int64() >= 200 && status->get_int64() <= 599) out.status = static_cast<int>(status->get_int64());
  static const std::set<std::string> passed{"cache-control", "etag", "last-modified", "x-request-id"};
  if (const auto* headers = member(result, "headers"); headers != nullptr && headers->is_object())
    for (const auto& item : headers->get_object()) {
      const std::string name = lower(std::string_view(item.key()));
      if (passed.contains(name) && item.value().is_string()) out.headers.emplace_back(name, std::string(item.value().get_string()));
    }
  if (out.status == 204) return out;
  const auto* body = member(result, "body");
  out.body = body != nullptr ? to_string(*body) : std::string("null");
  return out;
}

Result<Answer> call_plugin_route(Call& call) {
  const auto plugin = TRY(plugin_in_path(call));
  if (plugin.status != domain::PluginStatus::ready) return Error(ErrorKind::unavailable, "Plugin is not ready (current status: " + std::string(to_text(plugin.status)) + ")");
  auto* host = TRY(plugin_host(call));
  const auto active = host->active(plugin.id);
  if (!active || !active->worker->running()) return Error(ErrorKind::unavailable, "Plugin worker is not running");
  if (!active->manifest.has("api.routes.register")) return not_found("Plugin does not expose scoped API routes");
  const std::string path = "/" + call.param("rest");
  const auto matched = match(active->manifest, call.request.method_text, path);
  if (!matched) return not_found("Plugin API route not found");
  TRY(check_caller(call, matched->route->auth));

  const bool write = call.request.method != net::Method::get;
  const auto type = lower(call.request.headers.find("content-type").value_or(""));
  json::value body = nullptr;
  if (type.starts_with("application/json") && !call.request.body.empty()) body = TRY(parse_json(call.request.body));
  const auto company = TRY(find_company(call, *matched, body));
  if (company) {
    auto scope = domain::authorise_company(call.actor, *company, write);
    if (!scope) return std::move(scope).error();
    TRY(check_checkout(call, *matched, *company));
  }
  if (write && !type.empty() && !type.starts_with("application/json")) return answer(415, json::value{{"error", "Plugin API routes accept JSON requests only"}});
  if (call.request.body.size() > most_body_bytes) return Error(ErrorKind::too_large, "Plugin API request body is too large");

  json::object headers;
  for (const char* name : {"accept", "content-type", "user-agent", "x-paperclip-run-id", "x-request-id"})
    if (const auto value = call.request.headers.find(name)) headers[name] = *value;
  const auto result = active->worker->call(
      "handleApiRequest", json::object{{"routeKey", static_cast<const std::string&>(matched->route->route_key)}, {"method", call.request.method_text}, {"path", path}, {"params", matched->params},
                                       {"query", query_json(call)}, {"body", std::move(body)}, {"actor", actor_json(call.actor)},
                                       {"companyId", company ? json::value(company->view()) : json::value(nullptr)}, {"headers", std::move(headers)}});
  if (!result.ok()) return failed(*result.failure);
  return from_worker(result.result);
}

}  // namespace

void add_plugin_scoped_routes(Routes& routes) {
  const char* path = "/api/plugins/{pluginId}/api/{*rest}";
  // Who may call is the plugin's to say, route by route.
  routes.get(path, call_plugin_route).callers(anyone).raw_body();
  routes.post(path, call_plugin_route).callers(anyone).raw_body();
  routes.patch(path, call_plugin_route).callers(anyone).raw_body();
  routes.remove(path, call_plugin_route).callers(anyone).raw_body();
}

}  // namespace paperclip::api
