#pragma once

#include <functional>
#include <utility>

#include "base/time.h"
#include "domain/access/actor.h"
#include "environments/bridge.h"
#include "net/worker_pool.h"

namespace paperclip::store {
class Database;
}

namespace paperclip::api {

/// The API for agents behind a callback bridge: in process, as the run's agent. On threads of its own, so that people's
/// requests never stand behind agents'.
class BridgeApi : public environments::CallbackApi {
 public:
  /// Takes a request with a known caller the whole way: Dispatcher::perform.
  using Perform = std::function<net::Response(const net::Request&, domain::Actor)>;
  BridgeApi(store::Database& database, Clock& clock, Perform perform, std::size_t threads = 8)
      : database_(database), clock_(clock), perform_(std::move(perform)), pool_(threads) {}

  [[nodiscard]] bool post(std::function<void()> job) override { return pool_.post(std::move(job)); }
  net::Response perform(const environments::BridgeCaller& caller, const net::Request& request) override;
  /// Ends what is under way, and takes nothing more.
  void stop() { pool_.stop(); }

 private:
  store::Database& database_;
  Clock& clock_;
  Perform perform_;
  net::WorkerPool pool_;
};

}  // namespace paperclip::api
