#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/call.h"
#include "base/read_json.h"

namespace paperclip::store {
class Reader;
}

namespace paperclip::api {

/// Who may call: a set of actor kinds.
enum Callers : unsigned {
  anyone = 1,         // also without credentials
  board = 2,
  agent = 4,
  board_or_agent = 6, // anyone with credentials
  instance_admin = 8, // the local board or an instance admin
};

/// Where an entity lives: found by the path, before the handler runs.
struct Located {
  CompanyId company_id;
  std::string id;  // canonical
};

/// How a path names an entity. `locate` gets the decoded parameter; nullopt means there is none.
struct EntityKind {
  const char* missing;  // the 404's message, the same for a foreign entity (OURS, docs/decisions)
  Result<std::optional<Located>> (*locate)(store::Reader&, const Call&, std::string_view reference);
};

enum class Tenancy {
  none,     // the instance, or the caller itself
  company,  // {companyId} in the path
  entity,   // an EntityKind's parameter in the path
};

/// One endpoint: all of its policy, visible where it is declared.
struct Route {
  net::Method method = net::Method::get;
  std::string path;                   // "/api/issues/{id}/checkout"
  unsigned callers = board_or_agent;
  const char* denial = nullptr;       // the 403's message when the caller is of the wrong kind
  int denial_status = 403;
  Tenancy tenancy = Tenancy::none;
  std::string tenancy_param;
  const EntityKind* entity_kind = nullptr;
  bool reads_json = true;             // false: the body is taken as it comes (uploads)
  bool check_access_first = false;    // tenancy before the body's schema
  bool inline_on_io_thread = false;   // answers at once, without the pool (health)
  const char* body_name = nullptr;    // the body's type, for documentation
  std::function<Result<>(const json::value*)> check_body;  // schema only
  std::function<Result<Answer>(Call&)> handle;
};

/// Declares a route's policy; the table keeps the result.
class RouteBuilder {
 public:
  explicit RouteBuilder(Route& route) : route_(route) {}
  RouteBuilder& callers(unsigned who, const char* denial = nullptr, int status = 403) {
    route_.callers = who;
    route_.denial = denial;
    route_.denial_status = status;
    return *this;
  }
  /// The path's company; the caller must have access (403 otherwise, as the reference).
  RouteBuilder& company(std::string param = "companyId") {
    route_.tenancy = Tenancy::company;
    route_.tenancy_param = std::move(param);
    return *this;
  }
  /// The path's entity; a foreign one is answered like a missing one.
  RouteBuilder& entity(const EntityKind& kind, std::string param = "id") {
    route_.tenancy = Tenancy::entity;
    route_.tenancy_param = std::move(param);
    route_.entity_kind = &kind;
    return *this;
  }
  RouteBuilder& raw_body() { route_.reads_json = false; return *this; }
  RouteBuilder& access_first() { route_.check_access_first = true; return *this; }
  RouteBuilder& on_io_thread() { route_.inline_on_io_thread = true; return *this; }

 private:
  Route& route_;
};

/// All endpoints. Built once at start; the router, the tenancy test and the documentation read it.
class Routes {
 public:
  using Handler = Result<Answer> (*)(Call&);
  template <class Body>
  using BodyHandler = Result<Answer> (*)(Call&, const Body&);

  RouteBuilder get(std::string path, Handler handler) { return add(net::Method::get, std::move(path), handler); }
  RouteBuilder post(std::string path, Handler handler) { return add(net::Method::post, std::move(path), handler); }
  RouteBuilder put(std::string path, Handler handler) { return add(net::Method::put, std::move(path), handler); }
  RouteBuilder patch(std::string path, Handler handler) { return add(net::Method::patch, std::move(path), handler); }
  RouteBuilder remove(std::string path, Handler handler) { return add(net::Method::delete_, std::move(path), handler); }
  /// With a body that is decoded (and refused with 400) before the handler runs.
  template <class Body>
  RouteBuilder post(std::string path, BodyHandler<Body> handler) { return add(net::Method::post, std::move(path), handler); }
  template <class Body>
  RouteBuilder put(std::string path, BodyHandler<Body> handler) { return add(net::Method::put, std::move(path), handler); }
  template <class Body>
  RouteBuilder patch(std::string path, BodyHandler<Body> handler) { return add(net::Method::patch, std::move(path), handler); }
  template <class Body>
  RouteBuilder remove(std::string path, BodyHandler<Body> handler) { return add(net::Method::delete_, std::move(path), handler); }

  const std::vector<std::unique_ptr<Route>>& all() const { return routes_; }

 private:
  RouteBuilder add(net::Method method, std::string path, Handler handler);
  template <class Body>
  RouteBuilder add(net::Method method, std::string path, BodyHandler<Body> handler) {
    auto& route = routes_.emplace_back(std::make_unique<Route>());
    route->method = method;
    route->path = std::move(path);
    route->check_body = [](const json::value* body) -> Result<> {
      auto decoded = decode<Body>(body);
      if (!decoded) return std::move(decoded).error();
      return {};
    };
    route->handle = [handler](Call& call) -> Result<Answer> {
      auto body = decode<Body>(call.body ? &*call.body : nullptr);
      if (!body) return std::move(body).error();
      return handler(call, *body);
    };
    return RouteBuilder(*route);
  }
  std::vector<std::unique_ptr<Route>> routes_;
};

}  // namespace paperclip::api
