#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "auditor.h"
#include "chance.h"
#include "domain/access/run_token.h"
#include "domain/secrets/vault.h"
#include "heartbeat/engine.h"
#include "heartbeat/live_events.h"
#include "machine.h"
#include "net/client.h"
#include "queue.h"
#include "world.h"

namespace paperclip::simulator {

/// What many simulations share: an empty migrated database to copy, and parts without state.
class Stage {
 public:
  /// Below `root`, which should be in memory.
  explicit Stage(std::filesystem::path root);
  ~Stage();
  const std::filesystem::path& root() const { return root_; }
  const domain::SecretVault& vault() const { return *vault_; }
  const domain::RunTokens& tokens() const { return tokens_; }
  net::HttpClient& http() { return http_; }

 private:
  std::filesystem::path root_;
  std::optional<domain::SecretVault> vault_;
  domain::RunTokens tokens_{SecretText("a secret for simulations")};
  net::HttpClient http_;
};

/// One story: the real rules and the real engine, one step after the other.
///
/// Each step is one of: a job of the engine; a committed event that reaches it; a word from the machine; something a
/// person or an agent does; time that passes; the death of the server, also in the middle of a step. What comes next is
/// chance, and chance is the seed.
class Simulation {
 public:
  Simulation(Stage& stage, std::uint64_t seed, bool trace);
  ~Simulation();

  /// The complaint, if there is one.
  std::optional<std::string> run();
  std::uint64_t steps() const { return steps_; }
  /// Differs if two runs of a seed took different ways.
  std::uint64_t fingerprint() const { return fingerprint_; }

 private:
  struct Crash {};

  void open_engine();
  /// The server is gone, and comes back after a while.
  void crash();
  static void on_point(std::string_view name);
  void at_point(std::string_view name);
  void at_commit(std::string_view name);

  void step();
  void pass_time();
  void deliver_event();
  void maybe_tick();
  void proceed();
  bool has_work() const;
  bool at_rest();
  void audit();
  void complain(std::string what);
  void note(std::string_view what, std::string_view detail = {});

  Stage& stage_;
  const std::uint64_t seed_;
  const bool trace_;
  Dice dice_;
  VirtualClock clock_;
  SeededRandom random_;
  std::filesystem::path place_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<heartbeat::LiveEvents> live_;
  Machine machine_;
  JobQueue queue_;
  std::unique_ptr<heartbeat::Engine> engine_;
  std::function<void(const store::Event&)> hear_;
  std::mutex inbox_mutex_;
  std::deque<store::Event> inbox_;
  std::optional<World> world_;
  std::optional<Auditor> auditor_;

  static Simulation* current_;
  bool calm_ = false, faults_ = false;
  int crash_in_ = -1;  // points until the server dies; -1: it does not
  int max_live_runs_ = 4;
  std::int64_t next_tick_ = 0, served_since_ = 0;
  std::uint64_t steps_ = 0, fingerprint_ = 0;
  std::optional<std::string> complaint_;
};

}  // namespace paperclip::simulator
