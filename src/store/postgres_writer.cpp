#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>

#include "store/write_path.h"

namespace paperclip::store {

namespace {

constexpr int most_attempts = 12;
constexpr const char* event_lock = "select pg_advisory_xact_lock(7310467802)";

/// True while this thread runs a rule.
thread_local bool inside_rule = false;

struct InsideRule {
  InsideRule() { inside_rule = true; }
  ~InsideRule() { inside_rule = false; }
};

/// Gives the session back however the attempt ends; what was not committed is rolled back there.
struct Borrowed {
  SessionPool& pool;
  std::unique_ptr<Session> session;
  explicit Borrowed(SessionPool& pool_) : pool(pool_), session(pool.take()) {}
  ~Borrowed() { pool.give(std::move(session)); }
};

}  // namespace

PostgresWriter::PostgresWriter(SessionPool::Open open, int sessions, std::chrono::milliseconds patience,
                               TransactionSources sources)
    : pool_(std::move(open), sessions, patience), sources_(sources) {}

std::optional<Error> PostgresWriter::run(Rule rule) {
  if (inside_rule) throw std::logic_error("Database::write called inside a rule; use Transaction::nested");
  try {
    for (int attempts = 1;; ++attempts) {
      if (attempt(rule) == Attempt::done) return std::nullopt;
      if (attempts == most_attempts)
        return Error(ErrorKind::unavailable, "the database is too busy: the transaction collided with others " +
                                                 std::to_string(attempts) + " times");
      ++counters_.retries;
      back_off(attempts);
    }
  } catch (const StoreError& error) {
    ++counters_.rules;
    return error.error();
  }
}

PostgresWriter::Attempt PostgresWriter::attempt(Rule rule) {
  Borrowed borrowed(pool_);
  Session& session = *borrowed.session;
  bool begun = false;
  try {
    session.control(Control::begin_write);
    begun = true;
    Transaction tx(session, sources_.clock.now(), sources_.random, sources_.origin);
    const bool keep = [&] {
      const InsideRule inside;
      return rule(tx);
    }();
    if (keep) commit(session, tx);
    ++counters_.rules;
    return Attempt::done;
  } catch (const SerializationFailure&) { return Attempt::again; } catch (const ConnectionLost&) {
    // A session that died while it lay in the pool: nothing has happened yet.
    if (!begun) return Attempt::again;
    throw;
  }
}

/// Events get their numbers last and under a lock that ends with the commit: a sequence alone is not commit order.
void PostgresWriter::commit(Session& session, Transaction& tx) {
  if (session.failed())  // COMMIT would roll back and say that it went well
    throw StoreError(ErrorKind::internal,
                     "the rule went on after a statement had failed; use Transaction::try_insert or nested");
  if (tx.has_events()) {
    session.script(event_lock);
    tx.write_events();
    session.script(std::string("NOTIFY ") + FollowedDelivery::channel);
  }
  try {
    session.control(Control::commit);
  } catch (const ConnectionLost&) {
    throw ConnectionLost("the connection was lost during the commit; whether it took effect is not known");
  }
  ++counters_.commits;
}

void PostgresWriter::back_off(int attempt) {
  const auto longest = std::min(1 << attempt, 200);
  std::this_thread::sleep_for(
      std::chrono::microseconds(sources_.random.next() % (static_cast<unsigned>(longest) * 1000u)));
}

}  // namespace paperclip::store
