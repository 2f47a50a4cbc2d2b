#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/write_json.h"
#include "domain/access/actor.h"
#include "domain/access/scope.h"
#include "net/http.h"

namespace paperclip::api {

struct Services;

/// What a handler answers on success. Failures are Errors.
struct Answer {
  int status = 200;
  std::string body;
  std::string content_type = "application/json; charset=utf-8";
  std::vector<std::pair<std::string, std::string>> headers;
};

/// Any described struct, list, map or JSON as an answer.
template <class T>
Answer answer(int status, const T& value) {
  Answer out;
  out.status = status;
  append_json(out.body, value);
  return out;
}
template <class T>
Answer ok(const T& value) { return answer(200, value); }
template <class T>
Answer created(const T& value) { return answer(201, value); }
/// JSON text that was written elsewhere.
inline Answer ok_json(std::string text, int status = 200) { return {status, std::move(text), "application/json; charset=utf-8", {}}; }
/// `{"ok":true}`
inline Answer ok_true() { return ok_json(R"({"ok":true})"); }

/// Query parameters in order, decoded.
class Query {
 public:
  Query() = default;
  explicit Query(std::string_view raw);
  /// The first value of that name; nothing when absent.
  std::optional<std::string> find(std::string_view name) const;
  /// The same, but an empty value counts as absent.
  std::optional<std::string> text(std::string_view name) const;
  /// True for `true` and `1`.
  bool flag(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& all() const { return items_; }

 private:
  std::vector<std::pair<std::string, std::string>> items_;
};

/// One request on its way through a handler.
struct Call {
  Services& services;
  const net::Request& request;
  domain::Actor actor;
  std::map<std::string, std::string, std::less<>> params;  // decoded path parameters
  Query query;
  std::optional<json::value> body;                          // parsed JSON body; empty when none was sent
  std::optional<domain::CompanyScope> company_scope;        // set when the route has a tenancy
  std::string entity_id;                                    // the canonical id of the entity the path names

  const std::string& param(std::string_view name) const { return params.find(name)->second; }
  /// Only on routes with a tenancy.
  const domain::CompanyScope& scope() const { return *company_scope; }
  CompanyId company_id() const { return company_scope->company_id(); }
  /// The entity id as its type; only on routes whose tenancy is an entity.
  template <class IdType>
  IdType entity() const { return *IdType::parse(entity_id); }
  /// A path parameter that must be a UUID; the error is `message`'s 404 otherwise.
  template <class IdType>
  Result<IdType> id_param(std::string_view name, const char* message) const {
    if (auto id = IdType::parse(param(name))) return *id;
    return not_found(message);
  }
};

}  // namespace paperclip::api
