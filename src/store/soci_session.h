#pragma once

// Only for session.cpp and statement.cpp: SOCI's headers end here. <sqlite3.h> must not be included beside them; SOCI
// brings it in its own namespace, `sqlite_api`.
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <memory>
#include <string>
#include <vector>

#include "store/session.h"

namespace paperclip::store {

/// Turns the exception being handled into the StoreError it means. Call from a catch block.
[[noreturn]] void rethrow_as_store_error(soci::session& session, Engine engine);

/// One kept statement: its text, and buffers of its own to which SOCI is bound once for all executions.
/// After an error it must be thrown away: SOCI's PostgreSQL binding then still holds the old argument's text.
class Statement {
 public:
  Statement(soci::session& session, Engine engine, const std::string& engine_sql, const RowShape* shape, Params params);

  void select(Params params, FunctionRef<void*()> next, FunctionRef<bool(void*)> filled);
  std::int64_t execute(Params params);

 private:
  struct Bound {
    Slot slot;
    soci::indicator indicator = soci::i_null;
  };
  /// Ends the read: on SQLite an unfinished statement would hold its snapshot beyond COMMIT.
  struct Reset {
    Statement& statement;
    ~Reset();
  };

  void bind(Params params);
  void fill(void* row);
  void check_width();
  bool begin();

  Engine engine_;
  const RowShape* shape_;
  std::vector<Bound> in_, out_;
  soci::statement statement_;
  bool width_checked_ = false;
};

}  // namespace paperclip::store
