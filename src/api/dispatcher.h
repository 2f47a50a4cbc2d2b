#pragma once

#include <functional>
#include <optional>

#include "api/router.h"
#include "net/http.h"
#include "net/server.h"
#include "net/worker_pool.h"

namespace paperclip::api {

struct Services;

/// Takes a request through guard, actor, route, tenancy, schema and handler, and turns the outcome into an answer.
class Dispatcher {
 public:
  /// What is not under `/api`, `/llms` or `/_plugins`: the web UI. Empty: 404.
  using Fallback = std::function<std::optional<net::Response>(const net::Request&)>;

  Dispatcher(Services& services, const Routes& routes, net::WorkerPool& pool, Fallback fallback = {});

  /// On an I/O thread: answers at once where that is cheap, else from the pool.
  void handle(net::Request request, net::Responder respond);

  /// The whole way on the caller's thread, with a given actor if there is one: how the callback bridge and plugins
  /// call the API in process.
  net::Response perform(const net::Request& request, std::optional<domain::Actor> actor = std::nullopt);

 private:
  Result<Answer> run(const net::Request& request, const Router::Match& match, std::optional<domain::Actor> actor);

  Services& services_;
  Router router_;
  net::WorkerPool& pool_;
  Fallback fallback_;
};

/// `{"error":…,"details":…}` with the error's status (spec/platform.md 1.3).
net::Response error_response(const Error& error);

}  // namespace paperclip::api
