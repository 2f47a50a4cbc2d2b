#pragma once

#include <boost/describe/class.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"

namespace paperclip::store {

class Reader;
class Transaction;

/// Something that others should notice: written in the transaction that made it true, delivered after its commit.
struct Event {
  /// Given at the end of the transaction, in commit order; never given twice. A rule leaves it 0.
  std::int64_t sequence = 0;
  /// Absent for what concerns the whole instance.
  std::optional<CompanyId> company_id;
  /// Dotted words, such as `issue.updated`.
  std::string type;
  RawJson payload;
  /// Set by `Transaction::emit`.
  Timestamp created_at;
  /// Which server emitted it (`Database::origin`). Set by `Transaction::emit`.
  std::string origin;
};
BOOST_DESCRIBE_STRUCT(Event, (), (sequence, company_id, type, payload, created_at, origin))

/// Committed events after `sequence`, oldest first: what a client or a server that was away has missed.
std::vector<Event> events_after(Reader& reader, std::int64_t sequence, int limit);
/// The same for one company: its own and the instance's.
std::vector<Event> events_after(Reader& reader, const CompanyId& company, std::int64_t sequence, int limit);
/// The sequence number of the newest event ever; 0 if there was none.
std::int64_t last_event(Reader& reader);
/// The oldest sequence number from which a client can still resume without a gap; 0 if nothing was pruned.
std::int64_t oldest_event(Reader& reader);
/// Deletes at most `limit` events older than `before`, oldest first; returns how many. The newest event stays.
std::int64_t prune_events(Transaction& tx, Timestamp before, int limit = 10'000);

}  // namespace paperclip::store
