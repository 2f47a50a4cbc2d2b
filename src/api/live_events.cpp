#include "api/live_events.h"

#include <charconv>

#include "api/call.h"
#include "api/guard.h"
#include "api/services.h"
#include "base/text.h"
#include "domain/access/resolver.h"
#include "heartbeat/live_events.h"
#include "net/worker_pool.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

constexpr std::string_view before_company = "/api/companies/", after_company = "/events/ws";

net::Response plain(int status, std::string body) {
  net::Response response;
  response.status = status;
  response.body = std::move(body);
  response.headers.set("Content-Type", "text/plain");
  return response;
}

// The company in the path, or nothing for another path.
std::optional<std::string> company_in(std::string_view path) {
  if (!path.starts_with(before_company) || !path.ends_with(after_company)) return std::nullopt;
  if (path.size() <= before_company.size() + after_company.size()) return std::nullopt;
  const auto part = path.substr(before_company.size(), path.size() - before_company.size() - after_company.size());
  if (part.find('/') != std::string_view::npos) return std::nullopt;
  return percent_decode(part);
}

// Agent keys only, by header or query; without a token whoever a request without one is.
bool may_listen(Services& services, const net::Request& request, const Query& query, CompanyId company) {
  std::string token;
  if (const auto header = request.headers.find("authorization")) {
    token = trim(*header);
    if (token.size() > 6 && equals_ignoring_case(std::string_view(token).substr(0, 6), "bearer")) token = trim(std::string_view(token).substr(6));
  }
  if (token.empty()) token = trim(query.find("token").value_or(""));
  if (!token.empty()) {
    const auto actor = services.actors.resolve_agent_key(token);
    return actor.ok() && actor->company_id == company;
  }
  const auto actor = services.actors.resolve(request);
  return actor.ok() && actor->is_board() && (actor->is_instance_admin || domain::authorise_company(*actor, company, false).ok());
}

std::optional<std::int64_t> sequence(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  return error == std::errc() && end == text->data() + text->size() && value >= 0 ? std::optional(value) : std::nullopt;
}

void follow(heartbeat::LiveEvents& live, net::WorkerPool& pool, CompanyId company, std::optional<std::int64_t> since, net::Upgrade upgrade) {
  // The listener's number is known once `add` returns; a socket that closed before is removed then.
  struct Place {
    std::mutex mutex;
    std::optional<heartbeat::LiveEvents::Listener> listener;
    bool closed = false;
  };
  auto place = std::make_shared<Place>();
  const auto join = [&live, place, company, since](const std::shared_ptr<net::WebSocket>& socket) {
    const auto listener = live.add(company, socket, since);
    std::lock_guard lock(place->mutex);
    if (place->closed) live.remove(listener);
    else place->listener = listener;
  };
  net::WebSocketHandlers handlers;
  handlers.on_open = [join, since, &pool](std::shared_ptr<net::WebSocket> socket) {
    // Reading what was missed takes the database; an I/O thread must not wait for it.
    if (!since) join(socket);
    else if (!pool.post([join, socket] { join(socket); })) socket->close(net::CloseCode::try_again_later);
  };
  handlers.on_close = [&live, place] {
    std::lock_guard lock(place->mutex);
    place->closed = true;
    if (place->listener) live.remove(*place->listener);
  };
  upgrade.accept(std::move(handlers));
}

}  // namespace

void handle_upgrade(Services& services, heartbeat::LiveEvents& live, net::WorkerPool& pool, const net::Request& request, net::Upgrade upgrade) {
  const auto name = company_in(request.path);
  if (!name) return upgrade.drop();
  if (!guard_request(services.settings, request)) return upgrade.refuse(plain(403, "forbidden"));
  const auto company = CompanyId::parse(*name);
  auto shared = std::make_shared<net::Upgrade>(std::move(upgrade));
  const bool posted = pool.post([&services, &live, &pool, request, company, shared] {
    const Query query(request.query);
    if (!company || !may_listen(services, request, query, *company)) return shared->refuse(plain(403, "forbidden"));
    const bool known = services.database.read([&](store::Reader& reader) { return reader.exists("select 1 from companies where id = :1", *company); });
    if (!known) return shared->refuse(plain(404, "company not found"));
    follow(live, pool, *company, sequence(query.text("since")), std::move(*shared));
  });
  if (!posted) shared->refuse(plain(503, "stopping"));
}

}  // namespace paperclip::api
