#include "api/dispatcher.h"

#include <spdlog/spdlog.h>

#include "api/guard.h"
#include "api/services.h"
#include "base/text.h"
#include "domain/access/resolver.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

bool is_write(net::Method method) {
  return method != net::Method::get && method != net::Method::head && method != net::Method::options;
}

bool is_json(const net::Request& request) {
  const auto type = request.headers.find("content-type");
  if (!type) return false;
  const auto essence = trim(type->substr(0, type->find(';')));
  return equals_ignoring_case(essence, "application/json");
}

// The JSON body, or nothing when there is none or it is of another type: the schema then sees "undefined".
Result<std::optional<json::value>> read_body(const net::Request& request) {
  if (request.body.empty() || !is_json(request)) return std::optional<json::value>();
  auto parsed = parse_json(request.body);
  if (!parsed) return std::move(parsed).error();
  if (!parsed->is_object() && !parsed->is_array()) return bad_request("Invalid JSON: the body must be an object or an array");
  return std::optional<json::value>(*std::move(parsed));
}

Result<> check_caller(const Route& route, const domain::Actor& actor) {
  if (route.callers & anyone) return {};
  if (actor.kind == domain::ActorKind::none) return unauthorized();
  const auto deny = [&](const char* otherwise) -> Result<> {
    const ErrorKind kind = route.denial_status == 401 ? ErrorKind::unauthorized : ErrorKind::forbidden;
    return Error(kind, route.denial != nullptr ? route.denial : otherwise);
  };
  if (actor.is_board()) {
    if (route.callers & board) return {};
    if (route.callers & instance_admin) {
      if (actor.is_local_implicit() || actor.is_instance_admin) return {};
      return deny("Instance admin access required");
    }
    return deny("Agent authentication required");
  }
  if (route.callers & agent) return {};
  if (route.callers & instance_admin) return forbidden("Board access required");
  return deny("Board access required");
}

Result<> check_tenancy(const Route& route, Call& call) {
  if (route.tenancy == Tenancy::none) return {};
  const bool write = is_write(route.method);
  if (route.tenancy == Tenancy::company) {
    const auto id = CompanyId::parse(call.param(route.tenancy_param));
    if (!id) {
      if (call.actor.kind == domain::ActorKind::none) return unauthorized();
      return not_found("Company not found");
    }
    call.company_scope.emplace(TRY(domain::authorise_company(call.actor, *id, write)));
    return {};
  }
  const EntityKind& kind = *route.entity_kind;
  auto located = TRY(call.services.database.read([&](store::Reader& reader) {
    return kind.locate(reader, call, call.param(route.tenancy_param));
  }));
  if (!located) {
    if (call.actor.kind == domain::ActorKind::none) return unauthorized();
    return not_found(kind.missing);
  }
  call.entity_id = located->id;
  auto scope = domain::authorise_company(call.actor, located->company_id, write);
  if (!scope) {
    // A foreign entity is answered like a missing one. Only a member who may not write hears so.
    const bool member = call.actor.is_board() &&
                        domain::authorise_company(call.actor, located->company_id, false).ok();
    if (member || call.actor.kind == domain::ActorKind::none) return std::move(scope).error();
    return not_found(kind.missing);
  }
  call.company_scope.emplace(*std::move(scope));
  return {};
}

net::Response to_response(Answer answer) {
  net::Response response;
  response.status = answer.status;
  response.body = std::move(answer.body);
  if (!answer.content_type.empty()) response.headers.set("Content-Type", answer.content_type);
  for (auto& [name, value] : answer.headers) response.headers.set(name, value);
  return response;
}

}  // namespace

net::Response error_response(const Error& error) {
  json::object body = error.extra.is_object() ? error.extra.get_object() : json::object();
  std::string text;
  JsonObjectWriter writer(text);
  writer.field("error", error.kind == ErrorKind::internal ? std::string_view("Internal server error") : std::string_view(error.message));
  if (!error.details.is_null()) writer.field("details", error.details);
  for (const auto& item : body) writer.field(item.key(), item.value());
  writer.end();
  net::Response response;
  response.status = http_status(error.kind);
  response.body = std::move(text);
  response.headers.set("Content-Type", "application/json; charset=utf-8");
  return response;
}

Dispatcher::Dispatcher(Services& services, const Routes& routes, net::WorkerPool& pool, Fallback fallback)
    : services_(services), router_(routes), pool_(pool), fallback_(std::move(fallback)) {}

void Dispatcher::handle(net::Request request, net::Responder respond) {
  if (auto guarded = guard_request(services_.settings, request); !guarded) return respond(error_response(guarded.error()));
  auto match = router_.find(request.method, request.path);
  if (match.route != nullptr && match.route->inline_on_io_thread && !request.headers.find("authorization")) {
    auto answer = run(request, match, std::nullopt);
    return respond(answer ? to_response(*std::move(answer)) : error_response(answer.error()));
  }
  auto job = [this, request = std::make_shared<net::Request>(std::move(request)),
              respond = std::make_shared<net::Responder>(std::move(respond))] { (*respond)(perform(*request)); };
  if (!pool_.post(std::move(job))) return;  // stopping: the dropped responder answers
}

net::Response Dispatcher::perform(const net::Request& request, std::optional<domain::Actor> actor) {
  const auto match = router_.find(request.method, request.path);
  if (match.route == nullptr) {
    const std::string path = lower(request.path);
    if (path == "/api" || path.starts_with("/api/")) return error_response(not_found("API route not found"));
    if (fallback_)
      if (auto page = fallback_(request)) return *std::move(page);
    return error_response(not_found("Not found"));
  }
  auto answer = run(request, match, std::move(actor));
  if (answer) return to_response(*std::move(answer));
  if (answer.error().kind == ErrorKind::internal)
    spdlog::error("request.failed method={} path={} error={}", request.method_text, request.path, answer.error().message);
  return error_response(answer.error());
}

Result<Answer> Dispatcher::run(const net::Request& request, const Router::Match& match, std::optional<domain::Actor> actor) {
  const Route& route = *match.route;
  try {
    if (!actor) actor = TRY(services_.actors.resolve(request));
    TRY(guard_mutation(services_.settings, request, *actor));
    Call call{services_, request, *std::move(actor), match.params, Query(request.query), std::nullopt, std::nullopt, {}};
    if (route.reads_json) call.body = TRY(read_body(request));
    TRY(check_caller(route, call.actor));
    if (route.check_access_first) TRY(check_tenancy(route, call));
    if (route.check_body) TRY(route.check_body(call.body ? &*call.body : nullptr));
    if (!route.check_access_first) TRY(check_tenancy(route, call));
    return route.handle(call);
  } catch (const std::exception& problem) {
    return internal_error(problem.what());
  }
}

}  // namespace paperclip::api
