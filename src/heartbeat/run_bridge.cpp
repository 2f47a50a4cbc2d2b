#include "heartbeat/run_bridge.h"

#include <algorithm>

#include "domain/environments/environment.h"
#include "store/database.h"

namespace paperclip::heartbeat {

namespace {

struct PlaceRow {
  domain::EnvironmentDriver driver;
  std::optional<RawJson> metadata;
};
BOOST_DESCRIBE_STRUCT(PlaceRow, (), (driver, metadata))

/// Until the runner listens nobody knows the port; it sets the variable anew.
constexpr const char* not_yet_known = "http://127.0.0.1:0";

void set(environments::RunCommand& command, std::string_view name, std::string value) {
  std::erase_if(command.env, [&](const auto& entry) { return entry.first == name; });
  command.env.emplace_back(name, std::move(value));
}

}  // namespace

std::optional<RunBridge> RunBridge::open(const EngineOptions& options, const domain::RunSetup& setup) {
  if (options.callbacks == nullptr) return std::nullopt;
  const auto place = options.database.read([&](store::Reader& reader) {
    constexpr auto of_environment = "select driver, metadata from environments where id = :1";
    // A server that takes the run over finds its environment by the lease.
    constexpr auto of_lease = "select e.driver, e.metadata from environment_leases l join environments e on e.id = l.environment_id "
                              "where l.heartbeat_run_id = :1 order by l.acquired_at desc, l.id desc limit 1";
    return setup.environment_id ? reader.one<PlaceRow>(of_environment, *setup.environment_id) : reader.one<PlaceRow>(of_lease, setup.run.id);
  });
  if (!place) return std::nullopt;
  const auto policy = environments::bridge_policy(place->metadata ? place->metadata->parse() : json::value());
  if (place->driver == domain::EnvironmentDriver::local && !policy.enabled) return std::nullopt;
  const environments::BridgeCaller caller{setup.run.id, setup.agent.id, setup.agent.company_id};
  return RunBridge(std::make_shared<environments::BridgeSession>(*options.callbacks, caller, policy), options.bridge_token(setup.run.id));
}

void RunBridge::describe(adapters::RunContext& run) const {
  run.place.bridged = true;
  run.api_url = not_yet_known;
  run.auth_token = token();
}

void RunBridge::lay_over(environments::RunCommand& command) const {
  set(command, "PAPERCLIP_API_URL", not_yet_known);
  set(command, "PAPERCLIP_API_KEY", token());
  set(command, "PAPERCLIP_API_BRIDGE_MODE", "queue_v1");
  command.callbacks = runner::encode(session_->setup(token_));
}

}  // namespace paperclip::heartbeat
