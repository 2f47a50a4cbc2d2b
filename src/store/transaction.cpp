#include "store/transaction.h"

#include <algorithm>
#include <exception>

#include "os/crash_point.h"
#include "store/session.h"
#include "store/sql.h"

namespace paperclip::store {

namespace {

template <class Each>
void join(std::string& out, const RowShape& shape, std::string_view separator, Each&& each) {
  bool first = true;
  for (std::size_t i = 0; i < shape.columns.size(); ++i) {
    std::string part = each(i, shape.columns[i].name);
    if (part.empty()) continue;
    if (!first) out += separator;
    first = false;
    out += part;
  }
}

std::string insert_sql(std::string_view table, const RowShape& shape) {
  std::string sql = "insert into " + quoted(table) + " (";
  join(sql, shape, ", ", [](std::size_t, std::string_view name) { return quoted(name); });
  sql += ") values (";
  join(sql, shape, ", ", [](std::size_t i, std::string_view) { return ":" + std::to_string(i + 1); });
  return sql + ")";
}

std::string upsert_sql(std::string_view table, const RowShape& shape, std::span<const std::string_view> conflict) {
  std::string sql = insert_sql(table, shape) + " on conflict (";
  for (std::size_t i = 0; i < conflict.size(); ++i) sql += (i ? ", " : "") + quoted(conflict[i]);
  std::string settings;
  join(settings, shape, ", ", [&](std::size_t, std::string_view name) -> std::string {
    if (name == "id" || name == "created_at" || std::ranges::find(conflict, name) != conflict.end()) return "";
    return quoted(name) + " = excluded." + quoted(name);
  });
  return sql + (settings.empty() ? ") do nothing" : ") do update set " + settings);
}

std::string update_sql(std::string_view table, const RowShape& shape) {
  std::string sql = "update " + quoted(table) + " set ", condition;
  join(sql, shape, ", ", [&](std::size_t i, std::string_view name) -> std::string {
    std::string part = quoted(name) + " = :" + std::to_string(i + 1);
    if (name != "id") return part;
    condition = std::move(part);
    return "";
  });
  if (condition.empty())
    throw StoreError(ErrorKind::internal, "update of a type without an id in " + std::string(table));
  return sql + " where " + condition;
}

}  // namespace

Transaction::Transaction(Session& session, Timestamp now, Random& random, std::string_view origin)
    : Reader(session, now), random_(random), origin_(origin) {}

std::int64_t Transaction::run(std::string_view sql, Params params) { return session_.execute(sql, params); }

std::int64_t Transaction::write(Verb verb, std::string_view table, const RowShape& shape, const void* entity,
                                std::span<const std::string_view> conflict_columns) {
  std::string key(table);
  for (const auto column : conflict_columns) key.append(" ").append(column);
  const std::string& sql = session_.made_sql(static_cast<int>(verb), key, shape, [&]() -> std::string {
    switch (verb) {
      case Verb::insert: return insert_sql(table, shape);
      case Verb::insert_if_absent: return insert_sql(table, shape) + " on conflict do nothing";
      case Verb::update: return update_sql(table, shape);
      case Verb::upsert: return upsert_sql(table, shape, conflict_columns);
    }
    return "";
  });
  std::vector<Param> params;
  params.reserve(shape.columns.size());
  for (const Column& column : shape.columns)
    params.push_back({column.codec, static_cast<const char*>(entity) + column.offset, {}, column.name});
  return session_.execute(sql, params);
}

Transaction::Savepoint::Savepoint(Transaction& tx)
    : tx_(tx), events_(tx.events_.size()), exceptions_(std::uncaught_exceptions()) {
  tx_.session_.control(Control::savepoint);
}

Transaction::Savepoint::~Savepoint() noexcept(false) {
  if (keep_) {
    tx_.session_.control(Control::release);
    return;
  }
  tx_.events_.resize(events_);
  try {
    // A failure that ended the whole transaction took the savepoint along.
    if (tx_.session_.in_transaction()) tx_.session_.control(Control::rollback_to);
  } catch (...) {
    if (std::uncaught_exceptions() == exceptions_) throw;
  }
}

void Transaction::emit(Event event) {
  event.created_at = now();
  event.origin = origin_;
  if (event.payload.text.empty()) event.payload.text = "{}";
  events_.push_back(std::move(event));
}

void Transaction::write_events() {
  if (events_.empty()) return;
  crash_point("event.append.before");
  for (Event& event : events_)
    event.sequence = *value<std::int64_t>(
        "insert into events (company_id, type, payload, created_at, origin) values (:1, :2, :3, :4, :5) "
        "returning sequence",
        event.company_id, event.type, event.payload, event.created_at, event.origin);
  crash_point("event.append.after");
}

}  // namespace paperclip::store
