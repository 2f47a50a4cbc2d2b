#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "chance.h"
#include "domain/runs/run_states.h"
#include "machine.h"
#include "store/database.h"

namespace paperclip::simulator {

/// Looks for what must never be true. Each answer is a complaint, or nothing.
class Auditor {
 public:
  Auditor(store::Database& database, const VirtualClock& clock, const Machine& machine, int max_live_runs)
      : database_(database), clock_(clock), machine_(machine), max_live_runs_(max_live_runs) {}

  /// After every commit.
  std::optional<std::string> after_commit();
  /// While the server has nothing to do: nobody waits who could go on. `served_since`: steady time since which it serves.
  std::optional<std::string> while_idle(std::int64_t served_since);
  /// When everything has come to rest.
  std::optional<std::string> at_rest(const std::filesystem::path& logs);
  /// Runs, wakes, issues and leases as they are: for whoever looks at a failing seed.
  std::string rows();

 private:
  /// Of what was committed just now (auditor_limits.cpp).
  std::optional<std::string> past_a_hard_stop(store::Reader& reader);
  std::optional<std::string> first(store::Reader& reader, std::string_view complaint, std::string_view sql);

  store::Database& database_;
  const VirtualClock& clock_;
  const Machine& machine_;
  const int max_live_runs_;
  std::map<RunId, domain::RunStatus> ended_;
  std::map<RunId, std::int64_t> claimable_since_;
  std::set<RunId> under_way_;
  std::int64_t cost_events_ = 0;
};

}  // namespace paperclip::simulator
