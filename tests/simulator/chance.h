#pragma once

#include <atomic>
#include <cstring>
#include <mutex>
#include <random>
#include <vector>

#include "base/random.h"
#include "base/time.h"

namespace paperclip::simulator {

/// All chance of one simulation; the same seed, the same story.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed * 0x9e3779b97f4a7c15ULL + 1) {}
  std::uint64_t below(std::uint64_t n) { return n == 0 ? 0 : engine_() % n; }
  int between(int low, int high) { return low + static_cast<int>(below(static_cast<std::uint64_t>(high - low + 1))); }
  bool chance(double p) { return static_cast<double>(engine_() >> 11) * 0x1.0p-53 < p; }
  template <class T>
  T& one_of(std::vector<T>& from) {
    return from[below(from.size())];
  }

 private:
  std::mt19937_64 engine_;
};

/// Ids that a seed repeats.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  void fill(unsigned char* out, std::size_t size) override {
    const std::lock_guard lock(mutex_);
    for (; size > 0;) {
      const std::uint64_t word = engine_();
      const std::size_t step = std::min(size, sizeof word);
      std::memcpy(out, &word, step);
      out += step;
      size -= step;
    }
  }

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_;
};

/// Two times: the wall's, which may jump, and the one that never goes back.
class VirtualClock final : public Clock {
 public:
  Timestamp now() const override { return {wall_.load()}; }
  std::chrono::steady_clock::time_point steady() const override { return std::chrono::steady_clock::time_point(std::chrono::milliseconds(steady_.load())); }
  std::int64_t steady_ms() const { return steady_; }
  void advance(std::int64_t ms) {
    wall_ += ms;
    steady_ += ms;
  }
  void jump(std::int64_t ms) { wall_ += ms; }

 private:
  std::atomic<std::int64_t> wall_{1'777'800'000'000};  // 2026-05-03
  std::atomic<std::int64_t> steady_{1'000'000};
};

}  // namespace paperclip::simulator
