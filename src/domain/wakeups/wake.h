#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "domain/access/actor.h"
#include "store/transaction.h"

/// Asking for an agent's attention (spec/execution.md 4). The request, its coalescing, deferral or refusal and the
/// run it makes are rows of the caller's transaction.
namespace paperclip::domain {

struct WakeRequest {
  std::string source = "on_demand";                   // timer | assignment | on_demand | automation
  std::optional<std::string> trigger_detail;          // manual | ping | callback | system
  std::optional<std::string> reason;
  std::optional<json::object> payload;
  std::optional<std::string> idempotency_key;
  std::optional<Author> requested_by;
  json::object context;
};

enum class WakeResult { queued, coalesced, deferred, skipped };

struct WakeOutcome {
  WakeResult result = WakeResult::skipped;
  std::optional<RunId> run_id;        // queued and coalesced
  std::string skip_code;              // skipped
};

/// Fails with 404 for an unknown agent and 409 when the agent cannot be invoked or a budget forbids it; the recorded
/// refusal of a budget stays in the transaction only if the caller commits it. Callers that wake as a side effect
/// use `wake_quietly`.
Result<WakeOutcome> enqueue_wakeup(store::Transaction& tx, AgentId agent, const WakeRequest& request);

/// What became of a request when a refusal is to be recorded: the row it left (`skipped`, budget) stays.
struct WakeAttempt {
  WakeOutcome outcome;
  std::optional<Error> refusal;
};
/// Never fails the transaction; whoever answers a caller commits first and then reports the refusal.
WakeAttempt attempt_wakeup(store::Transaction& tx, AgentId agent, const WakeRequest& request);

/// The same for side effects of another rule: a refusal is recorded and never fails the caller.
void wake_quietly(store::Transaction& tx, AgentId agent, const WakeRequest& request);

}  // namespace paperclip::domain
