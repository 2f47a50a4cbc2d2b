#include "domain/activity/activity.h"

#include <atomic>

#include "base/write_json.h"
#include "domain/redaction/redaction.h"

namespace paperclip::domain {

namespace {

// Entries of one transaction share its time, and so do those of transactions in the same millisecond: this tells which
// came first.
int next_ordinal() {
  static std::atomic<unsigned> count{0};
  return static_cast<int>(count.fetch_add(1, std::memory_order_relaxed) & 0x7FFFFFFF);
}

}  // namespace

void log_activity(store::Transaction& tx, CompanyId company, const Author& author, ActivityEntry entry) {
  const json::value details = entry.details.is_null() ? json::value(nullptr) : redact(entry.details);
  std::optional<RawJson> stored;
  if (!details.is_null()) stored = RawJson(details);
  tx.execute("insert into activity_log (id, company_id, actor_type, actor_id, action, entity_type, entity_id, agent_id, run_id, details, created_at, ordinal) "
             "values (:1, :2, :3, :4, :5, :6, :7, :8, :9, :10, :11, :12)",
             tx.new_id<AnyId>(), company, author.type, author.id, entry.action, entry.entity_type, entry.entity_id,
             author.agent_id, author.run_id, stored, tx.now(), next_ordinal());
  std::string payload;
  JsonObjectWriter(payload)
      .field("actorType", author.type)
      .field("actorId", author.id)
      .field("action", entry.action)
      .field("entityType", entry.entity_type)
      .field("entityId", entry.entity_id)
      .field("agentId", author.agent_id)
      .field("runId", author.run_id)
      .field("details", details)
      .end();
  store::Event event;
  event.company_id = company;
  event.type = "activity.logged";
  event.payload = RawJson(std::move(payload));
  tx.emit(std::move(event));
}

}  // namespace paperclip::domain
