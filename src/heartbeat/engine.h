#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "adapters/run.h"
#include "base/deadline.h"
#include "base/id.h"
#include "base/secret.h"
#include "base/time.h"
#include "heartbeat/figures.h"
#include "heartbeat/retention.h"

namespace paperclip::store {
class Database;
struct Event;
}
namespace paperclip::domain {
class SecretVault;
class RunTokens;
}
namespace paperclip::environments {
class CallbackApi;
class EgressGateway;
class Leases;
class Runner;
}
namespace paperclip::net {
class HttpClient;
}

namespace paperclip::heartbeat {

class LiveEvents;

/// Where the engine's work is done: on threads of its own, or one job after the other where a test says so.
class Executor {
 public:
  virtual ~Executor() = default;
  /// False if it takes nothing more; the job is dropped then.
  virtual bool post(std::function<void()> job) = 0;
  virtual void post_after(std::chrono::milliseconds delay, std::function<void()> job) = 0;
};

struct EngineOptions {
  store::Database& database;
  Clock& clock;
  const domain::SecretVault& vault;
  const domain::RunTokens& tokens;
  environments::Runner& runner;
  net::HttpClient& http;
  LiveEvents& live;
  environments::Leases* leases = nullptr;  // none: this machine is the only place
  adapters::HostEnvironment host;
  std::filesystem::path instance_root, run_log_directory, server_cwd;
  std::filesystem::path operation_log_directory;  // of what is done to workspaces
  /// Runs at once on this machine, whatever the agents' own limits add up to.
  int max_live_runs = 64;
  std::size_t workers = 16;
  /// How agents that cannot reach the API themselves call it, and the token they do it with; none: no bridges.
  environments::CallbackApi* callbacks = nullptr;
  /// Opens connections for sandboxes that may reach named hosts only. Null: such runs do not start.
  environments::EgressGateway* egress = nullptr;
  std::function<SecretText(RunId)> bridge_token;
  bool scheduler_enabled = true;
  std::chrono::milliseconds scheduler_interval{30'000};
  Retention retention;

  /// For the simulator (tests/simulator). With an executor the engine makes no threads and ticks only when told to;
  /// with `subscribe` committed events come from there instead of from the database.
  Executor* executor = nullptr;
  std::function<void(std::function<void(const store::Event&)>)> subscribe;
};

/// Makes runs happen: claims what is queued, starts it, follows it, accounts for it (spec/execution.md 5, 6, 13).
///
///   wakeup ──commit──▶ poke ──▶ claim ──▶ prepare ──▶ start ──▶ output … ──▶ exit ──▶ finalise ──▶ next
///            (rule)          (one rule)  (disk,      (runner)  (log, frames)         (one rule)
///                                         secrets)
///
/// Rules decide and are rows; this only carries them out, so it can be lost at any moment: a poke that got lost is found
/// by the tick, a run that outlived the server is taken over at the next start.
class Engine {
 public:
  explicit Engine(EngineOptions options);
  /// Stops without patience.
  ~Engine();
  Engine(const Engine&) = delete;

  /// Takes over what an earlier server left, then begins to claim; returns at once, the work goes on behind. `api_url` is
  /// the address agents call, without `/api`.
  void start(std::string api_url);
  /// Claims nothing more and ends its own work; agents go on running for the next server.
  void stop(Deadline deadline);

  /// Looks at the agent's queue, soon. From any thread; cheap when it is pending already.
  void poke(AgentId agent);
  /// Waits until the processes of all runs that are cancelled by now are gone and accounted for, so that who cancelled,
  /// paused or spent too much hears of it when it is true. False if that takes longer than the deadline; it happens all the
  /// same. Returns at once when nothing was cancelled.
  bool settle(Deadline deadline);
  /// One turn of the scheduler now: timers, due retries, lost pokes, stranded work. Blocks; not from a callback.
  void tick();

  /// What it did and does, for /metrics.
  Figures figures() const;
  /// Runs that hold a slot of the machine.
  std::size_t live_runs() const;
  /// How many there may be at once.
  std::size_t most_live_runs() const;
  /// True once nothing is claimed, starting or running here; false if that takes longer than the deadline.
  bool wait_idle(Deadline deadline);
  const std::filesystem::path& run_log_directory() const;

  struct State;  // engine_state.h

 private:
  std::unique_ptr<State> state_;
};

}  // namespace paperclip::heartbeat
