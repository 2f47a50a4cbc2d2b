#include "store/event.h"
#include "store/transaction.h"

namespace paperclip::store {

std::vector<Event> events_after(Reader& reader, std::int64_t sequence, int limit) {
  return reader.all<Event>("select {} from events where sequence > :1 order by sequence limit :2", sequence, limit);
}

std::vector<Event> events_after(Reader& reader, const CompanyId& company, std::int64_t sequence, int limit) {
  return reader.all<Event>(
      "select {} from events where sequence > :2 and (company_id = :1 or company_id is null) order by sequence limit "
      ":3",
      company, sequence, limit);
}

std::int64_t last_event(Reader& reader) {
  return reader.value<std::int64_t>("select max(sequence) from events").value_or(0);
}

std::int64_t oldest_event(Reader& reader) {
  const auto oldest = reader.value<std::int64_t>("select min(sequence) from events").value_or(1);
  return oldest <= 1 ? 0 : oldest;
}

std::int64_t prune_events(Transaction& tx, Timestamp before, int limit) {
  // The newest stays, so that `last_event` never goes back.
  return tx.execute(
      "delete from events where sequence in (select sequence from events where created_at < :1 "
      "and sequence < (select max(sequence) from events) order by sequence limit :2)",
      before, limit);
}

}  // namespace paperclip::store
