#include "domain/wakeups/timers.h"

#include <boost/describe/class.hpp>

#include "domain/wakeups/heartbeat_policy.h"
#include "domain/wakeups/wake.h"

namespace paperclip::domain {

namespace {

struct TimedAgent {
  AgentId id;
  RawJson runtime_config;
  std::optional<Timestamp> last_heartbeat_at;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(TimedAgent, (), (id, runtime_config, last_heartbeat_at, created_at))

bool is_due(const TimedAgent& agent, Timestamp now) {
  const auto policy = heartbeat_policy(agent.runtime_config.parse());
  const auto since = now - agent.last_heartbeat_at.value_or(agent.created_at);
  // OURS: a heartbeat that lies ahead is from before the clock was set back; nobody waits for it to come.
  return policy.enabled && policy.interval.count() > 0 && (since >= policy.interval || since < -std::chrono::minutes(1));
}

}  // namespace

std::vector<AgentId> agents_due(store::Reader& reader) {
  std::vector<AgentId> due;
  const auto invokable_with_timer =
      "select {} from agents where status not in ('paused', 'terminated', 'pending_approval') and " +
      reader.dialect().json_bool(reader.dialect().json_member("runtime_config", "heartbeat"), "enabled") + " order by created_at, id";
  reader.each<TimedAgent>(invokable_with_timer, [&](const TimedAgent& agent) {
    if (is_due(agent, reader.now())) due.push_back(agent.id);
  });
  return due;
}

void wake_by_timer(store::Transaction& tx, AgentId id) {
  const auto agent = tx.one<TimedAgent>("select {} from agents where id = :1", id);
  if (!agent || !is_due(*agent, tx.now())) return;
  WakeRequest wake;
  wake.source = "timer";
  wake.trigger_detail = "system";
  wake.reason = "heartbeat_timer";
  wake.requested_by = Author::system("heartbeat_scheduler");
  wake.context = json::object{{"source", "scheduler"}, {"reason", "interval_elapsed"}, {"now", to_iso(tx.now())}};
  wake_quietly(tx, id, wake);
}

}  // namespace paperclip::domain
