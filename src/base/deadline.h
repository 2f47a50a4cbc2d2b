#pragma once

#include <algorithm>
#include <chrono>

namespace paperclip {

/// Until when a caller is willing to wait. Made once, where the wait begins, and handed down; nobody extends it on the way.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Deadline(Clock::time_point at) : at_(at) {}
  static Deadline in(std::chrono::nanoseconds wait) { return Deadline(Clock::now() + std::chrono::ceil<Clock::duration>(wait)); }
  /// Waits for ever; only for what ends by other means.
  static Deadline never() { return Deadline(Clock::time_point::max()); }

  Clock::time_point at() const { return at_; }
  bool passed() const { return Clock::now() >= at_; }
  /// What is left, zero once it has passed, at most a day: ready for poll and condition variables.
  std::chrono::milliseconds left() const {
    if (at_ == Clock::time_point::max()) return std::chrono::hours(24);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(at_ - Clock::now());
    return std::clamp<std::chrono::milliseconds>(left, std::chrono::milliseconds(0), std::chrono::hours(24));
  }
  /// The earlier of the two.
  Deadline or_sooner(Deadline other) const { return at_ < other.at_ ? *this : other; }

 private:
  Clock::time_point at_;
};

}  // namespace paperclip
