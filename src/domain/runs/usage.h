#pragma once

#include <optional>
#include <string>

#include "domain/costs/cost_event.h"
#include "domain/runs/sessions.h"
#include "store/transaction.h"

/// What a run used and cost (spec/execution.md 13.2, 13.3, 13.5).
namespace paperclip::domain {

struct TokenCounts {
  std::int64_t input = 0, cached_input = 0, output = 0;
  bool any() const { return input > 0 || cached_input > 0 || output > 0; }
};

/// What the adapter reported.
struct UsageReport {
  std::optional<TokenCounts> tokens;
  /// The tool counts over the whole session: this run's share is the difference to the run before.
  bool is_session_total = false;
  std::string provider, biller, model, billing_type;  // empty when unknown
  std::optional<double> cost_usd;
};

/// This run's own share.
struct RunUsage {
  TokenCounts tokens, raw;
  bool is_delta = false;
  bool known = false;  // tokens or cost were reported
};
RunUsage run_usage(store::Reader& reader, AgentId agent, RunId run, const UsageReport& report,
                   const std::optional<std::string>& session_display_id);

/// `usage_json`; null when nothing is known.
std::optional<RawJson> usage_json(const RunUsage& usage, const UsageReport& report, const SessionChoice& before, const SessionAfter& after);

/// The billing type as cost events store it.
BillingType billing_type_of(std::string_view reported);
/// 0 for what a subscription includes.
std::int64_t cost_cents(const UsageReport& report);

/// Adds the run to the agent's totals; the row is made when it is missing (spec/execution.md 27.1, 27.2).
void add_to_runtime_state(store::Transaction& tx, const WakeAgent& agent, RunId run, RunStatus status,
                          const std::optional<std::string>& session_id, const std::optional<std::string>& error,
                          const TokenCounts& tokens, std::int64_t cents);
/// Makes the agent's runtime state if there is none.
void ensure_runtime_state(store::Transaction& tx, AgentId agent, CompanyId company, std::string_view adapter_type);

}  // namespace paperclip::domain
