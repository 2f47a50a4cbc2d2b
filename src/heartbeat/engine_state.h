#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "domain/access/run_token.h"
#include "domain/runs/claim.h"
#include "domain/runs/finalise.h"
#include "environments/runner.h"
#include "environments/workspaces.h"
#include "heartbeat/engine.h"
#include "heartbeat/live_events.h"
#include "net/client.h"
#include "net/worker_pool.h"
#include "store/database.h"

/// The engine's inside, shared by its files: queue (engine.cpp), one run (execution.*), what an earlier server left
/// (recovery.cpp), what time brings (ticks.cpp).
namespace paperclip::heartbeat {

class Execution;

struct Engine::State {
  explicit State(EngineOptions options_);

  // Queue
  void poke(AgentId agent);
  void look_at_queue(AgentId agent);
  void poke_waiting();
  void receive(const store::Event& event);

  // Runs here. `add` reserves nothing: the slot was taken with the claim.
  void add(const std::shared_ptr<Execution>& execution);
  std::shared_ptr<Execution> find(RunId run);
  /// The run is accounted for: its slot is free, and whoever waited for it is looked at.
  void remove(RunId run, const std::vector<AgentId>& waiting_agents);
  /// On the pool; false while stopping.
  bool run_job(std::function<void()> job);
  /// On the pool, after a while.
  void run_later(std::chrono::milliseconds delay, std::function<void()> job);

  // Recovery
  void recover();
  void take_over(const domain::StoredRun& run);
  /// A run without a process: back into the queue, or ended. False if the database did not let us; the tick tries again.
  bool settle_without_process(RunId run);
  void settle_what_is_left();

  // Time
  void keep_time();
  void delete_what_is_old();
  void tick();
  void note_waits();
  void open_dead_ends();
  void review_productivity();
  void sweep_leases();

  const EngineOptions options;
  const environments::WorkspaceHost workspace_host;
  domain::ProfileDefaults profiles;
  std::string api_url;

  std::mutex mutex;
  std::condition_variable changed;
  std::map<RunId, std::shared_ptr<Execution>> live;
  int reserved = 0;                 // slots of claims under way
  int jobs = 0;                     // on the pool, queued or running
  std::set<AgentId> poked;          // a look is pending
  std::deque<AgentId> waiting;      // for a slot of the machine
  std::vector<RunId> unsettled;     // left by an earlier server, and the database did not let us account for them
  bool open = false;                // claims may be made
  bool stopping = false;
  std::multimap<std::chrono::steady_clock::time_point, std::function<void()>> timers;
  std::mutex ticking;               // one tick at a time
  std::optional<std::chrono::steady_clock::time_point> deleted_at;  // old things, the last time
  FigureCounter figures;
  std::mutex sweeping;              // the same for the sweep of leases, which waits for providers

  // Unless there is an executor:
  std::thread timekeeper;
  std::optional<net::WorkerPool> pool;
};

}  // namespace paperclip::heartbeat
