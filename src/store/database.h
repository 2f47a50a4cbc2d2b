#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "store/event.h"
#include "store/migrations.h"
#include "store/reader.h"
#include "store/transaction.h"

namespace paperclip::store {

/// A SQLite file, created if missing. Its directory must exist.
struct SqliteFile {
  std::string path;
};
/// What libpq understands: `postgres://user:password@host/database` or `host=… dbname=…`.
struct PostgresUrl {
  std::string url;
};

struct OpenOptions {
  std::variant<SqliteFile, PostgresUrl> where;
  /// Versions from 2 upwards; version 1 is the store's own.
  std::vector<Migration> migrations;
  Clock* clock = &Clock::system();
  Random* random = &Random::system();
  /// Read sessions; each is opened when it is first needed.
  int readers = 4;
  /// Write sessions; SQLite has one.
  int writers = 4;
  /// How long a caller waits for a free session before it gets an Error `unavailable`.
  std::chrono::milliseconds patience{30'000};
};

/// Counters since the database was opened.
struct Statistics {
  std::uint64_t rules = 0;  // run to an answer
  std::uint64_t commits = 0;
  std::uint64_t largest_batch = 0;  // rules in one commit
  std::uint64_t retries = 0;        // runs after a serialisation failure
  std::uint64_t events_delivered = 0;
};

/// Where state lives. Thread-safe.
class Database {
 public:
  /// Connects, migrates, starts its threads. An error's message is for the person who starts the server.
  static Result<std::unique_ptr<Database>> open(OpenOptions options);
  /// Answers all rules that wait, delivers all events, joins its threads. No call may be under way or follow.
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Runs `rule(Transaction&)`, which returns a Result, and blocks until it is committed. An error result rolls back
  /// and is returned. A StoreError becomes an Error; any other exception rolls back and is thrown here. The rule runs
  /// on another thread (SQLite) or several times (PostgreSQL, after serialisation failures). Not for use inside a rule.
  template <class Rule>
  auto write(Rule&& rule) -> decltype(rule(std::declval<Transaction&>())) {
    using Outcome = decltype(rule(std::declval<Transaction&>()));
    std::optional<Outcome> outcome;
    auto run = [&](Transaction& tx) -> bool { return outcome.emplace(rule(tx)).ok(); };
    if (auto failure = run_rule(run)) return std::move(*failure);
    return std::move(*outcome);
  }

  /// Runs `f(Reader&)` on one snapshot that holds everything committed before. If `f` returns a Result, a StoreError
  /// becomes an Error; otherwise it is thrown. A read inside a read takes a second session.
  template <class F>
  auto read(F&& f) -> decltype(f(std::declval<Reader&>())) {
    using Outcome = decltype(f(std::declval<Reader&>()));
    if constexpr (std::is_constructible_v<Outcome, Error> && requires(Outcome o) {
                    o.ok();
                    o.error();
                  }) {
      try {
        return read_once(f);
      } catch (const StoreError& error) { return error.error(); }
    } else {
      return read_once(f);
    }
  }

  /// From now on each committed event is given to `receive`, in commit order, on the delivery thread; what it throws is
  /// logged. It should return soon: others wait. On PostgreSQL other servers' events come too (see Event::origin).
  void subscribe(std::function<void(const Event&)> receive);
  /// Waits until everything committed so far has been delivered; false if that takes longer than `limit`.
  bool wait_delivered(std::chrono::milliseconds limit);

  /// Writes a compact, consistent copy to a new file of mode 0600, while others read and write; on the disk when it
  /// returns. SQLite only; on PostgreSQL `unprocessable`, that is pg_dump's work. `conflict` if the file exists.
  Result<void> backup_to(const std::filesystem::path& file);

  Engine engine() const;
  /// Names this opening of the database, in the events that it emits.
  const std::string& origin() const;
  Statistics statistics() const;
  const Clock& clock() const;

 private:
  struct Parts;
  class ReadLease {
   public:
    explicit ReadLease(Database& database);
    ~ReadLease();
    Reader& reader() { return *reader_; }

   private:
    Database& database_;
    std::unique_ptr<Session> session_;
    std::optional<Reader> reader_;
  };

  explicit Database(std::unique_ptr<Parts> parts);

  std::optional<Error> run_rule(FunctionRef<bool(Transaction&)> rule);

  template <class F>
  auto read_once(F& f) -> decltype(f(std::declval<Reader&>())) {
    ReadLease lease(*this);
    return f(lease.reader());
  }

  std::unique_ptr<Parts> parts_;
};

}  // namespace paperclip::store
