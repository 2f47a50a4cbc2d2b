#include "api/bridge_api.h"

#include <spdlog/spdlog.h>

#include "api/dispatcher.h"
#include "domain/access/run_actor.h"
#include "store/database.h"

namespace paperclip::api {

net::Response BridgeApi::perform(const environments::BridgeCaller& caller, const net::Request& request) {
  net::Response response;
  try {
    auto actor = database_.read([&](store::Reader& reader) { return domain::run_actor(reader, caller.agent, caller.company, caller.run, clock_.now()); });
    response = actor ? perform_(request, *std::move(actor)) : error_response(unauthorized());
  } catch (const std::exception& problem) {
    response = error_response(internal_error(problem.what()));
  }
  spdlog::debug("bridge.call run={} method={} path={} status={}", caller.run.view(), request.method_text, request.path, response.status);
  return response;
}

}  // namespace paperclip::api
