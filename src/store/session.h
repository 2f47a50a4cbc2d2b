#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "store/codec.h"
#include "store/dialect.h"
#include "store/function_ref.h"
#include "store/row.h"

namespace paperclip::store {

/// The statements that begin and end things.
enum class Control {
  begin_write,  // SQLite: BEGIN IMMEDIATE; PostgreSQL: serializable
  begin_read,   // one snapshot, read only
  commit,
  rollback,
  savepoint,  // innermost first, all by one name
  release,
  rollback_to,  // and forget it
};

/// One connection, used by one thread at a time, with its kept statements. This and `Statement` are the only places
/// that know SOCI. All functions throw StoreError and its kinds; a message never holds bound values.
class Session {
 public:
  struct File {
    std::string path;
    bool writer = false;
    int cache_kib = 512;
    std::chrono::milliseconds busy_timeout{5000};
    std::size_t kept_statements = 500;
  };
  static std::unique_ptr<Session> open_sqlite(const File& file);
  /// `url` is what libpq understands: `postgres://…` or `key=value …`.
  static std::unique_ptr<Session> open_postgresql(const std::string& url, std::size_t kept_statements = 500);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Engine engine() const { return engine_; }

  /// For each row of the result: fills what `next()` points to, then calls `filled` with it; false ends the read.
  void select(std::string_view sql, const RowShape& shape, Params params, FunctionRef<void*()> next,
              FunctionRef<bool(void*)> filled);
  /// Returns the number of rows inserted, updated or deleted.
  std::int64_t execute(std::string_view sql, Params params);
  /// Keeps the text that `make()` returns for (verb, key, shape).
  const std::string& made_sql(int verb, std::string_view key, const RowShape& shape, FunctionRef<std::string()> make);
  void control(Control what);
  /// Several statements, none with arguments; nothing is kept.
  void script(const std::string& sql);

  /// True between a successful begin and its end; a failing SQLite statement can end a transaction by itself.
  bool in_transaction() const;
  /// PostgreSQL: a statement has failed, the transaction can only be rolled back.
  bool failed() const;
  /// False when the connection to PostgreSQL is gone.
  bool connected() const;
  /// PostgreSQL's socket, for waiting on notifications; -1 on SQLite.
  int socket() const;
  /// Takes all notifications that have arrived; true if there were any.
  bool take_notifications();
  std::size_t kept_statements() const;

 private:
  struct Connection;
  explicit Session(std::unique_ptr<Connection> connection, Engine engine);

  Engine engine_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace paperclip::store
