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

// What stands beside a plugin's own details: which plugin it was and for whom (spec/plugins.md 9.2).
json::value with_plugin(json::value details, const Author& author) {
  const PluginAuthor& plugin = *author.plugin;
  json::object out = details.is_object() ? std::move(details.get_object()) : json::object();
  const auto or_null = [](const std::optional<std::string>& text) { return text ? json::value(*text) : json::value(nullptr); };
  const std::optional<std::string> agent = plugin.agent_id ? std::optional(plugin.agent_id->str()) : std::nullopt;
  out["pluginId"] = plugin.id;
  out["sourcePluginId"] = plugin.id;
  out["pluginKey"] = plugin.key;
  out["sourcePluginKey"] = plugin.key;
  out["initiatingActorType"] = agent ? json::value("agent") : plugin.user_id ? json::value("user") : json::value(nullptr);
  out["initiatingActorId"] = or_null(agent ? agent : plugin.user_id);
  out["initiatingAgentId"] = or_null(agent);
  out["initiatingUserId"] = or_null(plugin.user_id);
  out["initiatingRunId"] = or_null(author.run_id ? std::optional(author.run_id->str()) : std::nullopt);
  return out;
}

bool is_reading(std::string_view action) {
  return action == "issue.read_marked" || action == "issue.read_unmarked" || action == "issue.inbox_archived" || action == "issue.inbox_unarchived";
}

}  // namespace

// Comments need no look: each sets `updated_at`.
void note_activity(store::Transaction& tx, CompanyId company, std::string_view action, std::string_view entity_type, const std::string& entity_id) {
  if (entity_type != "issue" || is_reading(action)) return;
  if (const auto issue = IssueId::parse(entity_id))
    tx.execute("update issues set activity_at = :1 where id = :2 and company_id = :3", tx.now(), *issue, company);
}

void log_activity(store::Transaction& tx, CompanyId company, const Author& author, ActivityEntry entry) {
  if (author.plugin) entry.details = with_plugin(std::move(entry.details), author);
  const json::value details = entry.details.is_null() ? json::value(nullptr) : redact(entry.details);
  std::optional<RawJson> stored;
  if (!details.is_null()) stored = RawJson(details);
  tx.execute("insert into activity_log (id, company_id, actor_type, actor_id, action, entity_type, entity_id, agent_id, run_id, details, created_at, ordinal) "
             "values (:1, :2, :3, :4, :5, :6, :7, :8, :9, :10, :11, :12)",
             tx.new_id<AnyId>(), company, author.type, author.id, entry.action, entry.entity_type, entry.entity_id,
             author.agent_id, author.run_id, stored, tx.now(), next_ordinal());
  note_activity(tx, company, entry.action, entry.entity_type, entry.entity_id);
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
