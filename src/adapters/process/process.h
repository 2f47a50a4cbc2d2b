#pragma once

#include "adapters/adapter.h"

namespace paperclip::adapters {

/// Any command: no prompt, no session; its exit code is the outcome (spec/adapters.md 12).
class ProcessAdapter final : public Adapter {
 public:
  std::string_view type() const override { return "process"; }
  /// Ours: without a token such an agent could not even check out its issue.
  bool wants_run_token() const override { return true; }
  /// OURS: a command of one's own runs wherever its program is.
  bool runs_remotely() const override { return true; }
  Result<PreparedRun> prepare(const RunContext& run) const override;
  std::string documentation() const override;
  std::vector<Check> test(const SelfTest& test) const override;
};

}  // namespace paperclip::adapters
