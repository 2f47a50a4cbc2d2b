#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "domain/runs/heartbeat_run.h"

namespace paperclip::heartbeat {

/// Counts of how long something took, as Prometheus wants them.
struct Histogram {
  static constexpr std::array<double, 14> bounds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};  // seconds
  std::array<std::uint64_t, bounds.size() + 1> counts{};  // of each bucket alone; the last has no bound
  double sum = 0;

  void add(double seconds);
  std::uint64_t total() const;
};

/// What the engine did since it began, for /metrics.
struct Figures {
  std::map<domain::RunStatus, std::uint64_t> ended;
  Histogram claim_latency;  // from a run's place in the queue to its claim
  std::uint64_t log_bytes = 0;
  int live = 0, live_limit = 0;
  std::int64_t heard_event = 0;  // sequence of the newest event that reached the engine
  std::size_t jobs = 0;          // that wait or run
};

/// Where they are counted. Thread-safe.
class FigureCounter {
 public:
  void count_claim(double waited_seconds);
  void count_end(domain::RunStatus status);
  void count_log_bytes(std::uint64_t bytes) { log_bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  void note_event(std::int64_t sequence) { heard_event_.store(sequence, std::memory_order_relaxed); }
  void read(Figures& into) const;

 private:
  mutable std::mutex mutex_;
  std::map<domain::RunStatus, std::uint64_t> ended_;
  Histogram claim_latency_;
  std::atomic<std::uint64_t> log_bytes_{0};
  std::atomic<std::int64_t> heard_event_{0};
};

}  // namespace paperclip::heartbeat
