#pragma once

#include <deque>
#include <functional>
#include <map>

#include "chance.h"
#include "heartbeat/engine.h"

namespace paperclip::simulator {

/// The engine's jobs and timers, done one at a time in whatever order the dice say. One thread.
class JobQueue final : public heartbeat::Executor {
 public:
  explicit JobQueue(const VirtualClock& clock) : clock_(clock) {}

  bool post(std::function<void()> job) override {
    jobs_.push_back(std::move(job));
    return true;
  }
  void post_after(std::chrono::milliseconds delay, std::function<void()> job) override { timers_.emplace(clock_.steady_ms() + delay.count(), std::move(job)); }

  std::size_t size() const { return jobs_.size(); }
  std::optional<std::int64_t> next_timer() const { return timers_.empty() ? std::nullopt : std::optional(timers_.begin()->first); }
  void run_due_timers() {
    while (!timers_.empty() && timers_.begin()->first <= clock_.steady_ms()) {
      auto job = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
      job();
    }
  }
  void run_one(Dice& dice) {
    const auto at = jobs_.begin() + static_cast<std::ptrdiff_t>(dice.below(jobs_.size()));
    auto job = std::move(*at);
    jobs_.erase(at);
    job();
  }
  /// As when the server dies.
  void drop_all() {
    jobs_.clear();
    timers_.clear();
  }

 private:
  const VirtualClock& clock_;
  std::deque<std::function<void()>> jobs_;
  std::multimap<std::int64_t, std::function<void()>> timers_;
};

}  // namespace paperclip::simulator
