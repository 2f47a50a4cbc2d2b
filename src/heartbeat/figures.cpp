#include "heartbeat/figures.h"

#include <algorithm>
#include <numeric>

namespace paperclip::heartbeat {

void Histogram::add(double seconds) {
  const auto at = std::lower_bound(bounds.begin(), bounds.end(), seconds);
  ++counts[static_cast<std::size_t>(at - bounds.begin())];
  sum += seconds;
}

std::uint64_t Histogram::total() const { return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}); }

void FigureCounter::count_claim(double waited_seconds) {
  const std::lock_guard lock(mutex_);
  // A clock that was set back is no wait.
  claim_latency_.add(std::max(waited_seconds, 0.0));
}

void FigureCounter::count_end(domain::RunStatus status) {
  const std::lock_guard lock(mutex_);
  ++ended_[status];
}

void FigureCounter::read(Figures& into) const {
  const std::lock_guard lock(mutex_);
  into.ended = ended_;
  into.claim_latency = claim_latency_;
  into.log_bytes = log_bytes_;
  into.heard_event = heard_event_;
}

}  // namespace paperclip::heartbeat
