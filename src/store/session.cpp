#include "store/session.h"

#include <list>
#include <unordered_map>

#include "base/text.h"
#include "store/error.h"
#include "store/soci_session.h"
#include "store/sql.h"

namespace paperclip::store {

namespace {

std::size_t mix(std::size_t hash, const void* pointer) {
  return (hash ^ reinterpret_cast<std::size_t>(pointer)) * 0x9E3779B97F4A7C15ull;
}

constexpr std::string_view control_sql(Control what) {
  switch (what) {
    case Control::begin_write: return "BEGIN IMMEDIATE";
    case Control::begin_read: return "BEGIN";
    case Control::commit: return "COMMIT";
    case Control::rollback: return "ROLLBACK";
    case Control::savepoint: return "SAVEPOINT rule";
    case Control::release: return "RELEASE rule";
    case Control::rollback_to: return "ROLLBACK TO rule";
  }
  return "";
}

constexpr const char* postgresql_control(Control what) {
  switch (what) {
    case Control::begin_write: return "BEGIN ISOLATION LEVEL SERIALIZABLE";
    case Control::begin_read: return "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    case Control::commit: return "COMMIT";
    case Control::rollback: return "ROLLBACK";
    case Control::savepoint: return "SAVEPOINT rule";
    case Control::release: return "RELEASE rule";
    case Control::rollback_to: return "ROLLBACK TO rule; RELEASE rule";
  }
  return "";
}

}  // namespace

struct Session::Connection {
  struct Kept {
    std::size_t hash;
    std::string sql;  // as the caller wrote it
    const RowShape* shape;
    std::vector<const Codec*> codecs;
    Statement statement;
    bool busy = false;

    bool is(std::string_view wanted, const RowShape* row, Params params) const {
      if (sql != wanted || shape != row || codecs.size() != params.size()) return false;
      for (std::size_t i = 0; i < codecs.size(); ++i)
        if (codecs[i] != params[i].codec) return false;
      return true;
    }
  };
  using Position = std::list<Kept>::iterator;

  Connection(const soci::backend_factory& factory, const std::string& text, Engine engine_, std::size_t limit_)
      : engine(engine_), limit(limit_), session(factory, text) {}

  soci::sqlite3_session_backend& sqlite() const {
    return *static_cast<soci::sqlite3_session_backend*>(const_cast<soci::session&>(session).get_backend());
  }
  PGconn* postgresql() const {
    return static_cast<soci::postgresql_session_backend*>(const_cast<soci::session&>(session).get_backend())->conn_;
  }

  Position find(std::string_view sql, const RowShape* shape, Params params);
  void forget(Position position);

  /// Runs `use(statement)` on the kept statement; any error throws the statement away.
  template <class Use>
  void with(std::string_view sql, const RowShape* shape, Params params, Use&& use) {
    Position position = find(sql, shape, params);
    position->busy = true;
    try {
      use(position->statement);
      position->busy = false;
    } catch (...) {
      // The text of the error is read before the statement goes, the connection keeps it only until then.
      try {
        rethrow_as_store_error(session, engine);
      } catch (...) {
        forget(position);
        throw;
      }
    }
  }

  Engine engine;
  std::size_t limit;
  soci::session session;
  std::list<Kept> kept;  // the most recently used first; statements go before the session
  std::unordered_multimap<std::size_t, Position> by_hash;
  struct Made {
    int verb;
    std::string key;
    const RowShape* shape;
    std::string sql;
  };
  std::unordered_multimap<std::size_t, Made> made;
};

/// A statement that is in use (a query inside a query's callback) gets a twin.
Session::Connection::Position Session::Connection::find(std::string_view sql, const RowShape* shape, Params params) {
  std::size_t hash = mix(std::hash<std::string_view>{}(sql), shape);
  for (const Param& param : params) hash = mix(hash, param.codec);
  const auto [begin, end] = by_hash.equal_range(hash);
  for (auto entry = begin; entry != end; ++entry) {
    const Position position = entry->second;
    if (position->busy || !position->is(sql, shape, params)) continue;
    kept.splice(kept.begin(), kept, position);
    return position;
  }
  if (kept.size() >= limit) {
    for (auto last = std::prev(kept.end()); last != kept.begin(); --last) {
      if (last->busy) continue;
      forget(last);
      break;
    }
  }
  std::vector<const Codec*> codecs;
  for (const Param& param : params) codecs.push_back(param.codec);
  const std::string engine_sql = expand_sql(sql, shape, params, engine);
  try {
    kept.push_front(
        Kept{hash, std::string(sql), shape, std::move(codecs), Statement(session, engine, engine_sql, shape, params)});
  } catch (...) { rethrow_as_store_error(session, engine); }
  by_hash.emplace(hash, kept.begin());
  return kept.begin();
}

void Session::Connection::forget(Position position) {
  const auto [begin, end] = by_hash.equal_range(position->hash);
  for (auto entry = begin; entry != end; ++entry) {
    if (entry->second != position) continue;
    by_hash.erase(entry);
    break;
  }
  kept.erase(position);
}

Session::Session(std::unique_ptr<Connection> connection, Engine engine)
    : engine_(engine), connection_(std::move(connection)) {}
Session::~Session() = default;

namespace {

/// A session is used by one thread at a time, so SQLite need not lock at every column (12 % of a list), nor count its
/// memory. Takes effect only before SQLite's first use in the process.
void configure_sqlite() {
  static const bool once = [] {
    sqlite_api::sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    sqlite_api::sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    return true;
  }();
  (void)once;
}

}  // namespace

std::unique_ptr<Session> Session::open_sqlite(const File& file) {
  configure_sqlite();
  // A bare path is taken as it is, unless it has a `=`.
  const std::string text = file.path.find('=') == std::string::npos ? file.path : "dbname=\"" + file.path + "\"";
  try {
    auto connection = std::make_unique<Connection>(soci::sqlite3, text, Engine::sqlite, file.kept_statements);
    auto* native = connection->sqlite().conn_;
    sqlite_api::sqlite3_extended_result_codes(native, 1);
    sqlite_api::sqlite3_busy_timeout(native, static_cast<int>(file.busy_timeout.count()));
    std::unique_ptr<Session> session(new Session(std::move(connection), Engine::sqlite));
    session->script(
        "PRAGMA foreign_keys = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -" +
        std::to_string(file.cache_kib) + ";");
    if (file.writer)
      session->script("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864;");
    else
      session->script("PRAGMA query_only = ON;");
    return session;
  } catch (const soci::soci_error& error) {
    throw StoreError(ErrorKind::unavailable,
                     "cannot open the database " + file.path + ": " + error.get_error_message());
  }
}

namespace {

/// SOCI takes the text for pairs and gives one without any `=` a `=` of its own: a plain `postgres://host/name` would lose its name.
std::string with_parameter(const std::string& url) {
  return url.find('=') == std::string::npos ? url + (url.find('?') == std::string::npos ? "?" : "") + "application_name=paperclip" : url;
}

}  // namespace

std::unique_ptr<Session> Session::open_postgresql(const std::string& url, std::size_t kept_statements) {
  try {
    auto connection = std::make_unique<Connection>(soci::postgresql, with_parameter(url), Engine::postgresql, kept_statements);
    std::unique_ptr<Session> session(new Session(std::move(connection), Engine::postgresql));
    session->script(
        "SET TimeZone = 'UTC'; SET client_encoding = 'UTF8'; SET DateStyle = 'ISO'; "
        "SET standard_conforming_strings = on; SET client_min_messages = warning;");
    return session;
  } catch (const soci::soci_error& error) {
    // libpq's text names host and user, never the password.
    std::string message;
    for (const auto& line : split(error.get_error_message(), '\n')) message.append(" ").append(trim(line));
    throw ConnectionLost("cannot reach PostgreSQL:" + message);
  }
}

void Session::select(std::string_view sql, const RowShape& shape, Params params, FunctionRef<void*()> next,
                     FunctionRef<bool(void*)> filled) {
  connection_->with(sql, &shape, params, [&](Statement& statement) { statement.select(params, next, filled); });
}

std::int64_t Session::execute(std::string_view sql, Params params) {
  std::int64_t rows = 0;
  connection_->with(sql, nullptr, params, [&](Statement& statement) { rows = statement.execute(params); });
  return rows;
}

const std::string& Session::made_sql(int verb, std::string_view key, const RowShape& shape,
                                     FunctionRef<std::string()> make) {
  auto& made = connection_->made;
  const std::size_t hash = mix(std::hash<std::string_view>{}(key) + static_cast<std::size_t>(verb), &shape);
  const auto [begin, end] = made.equal_range(hash);
  for (auto entry = begin; entry != end; ++entry)
    if (entry->second.verb == verb && entry->second.key == key && entry->second.shape == &shape)
      return entry->second.sql;
  return made.emplace(hash, Connection::Made{verb, std::string(key), &shape, make()})->second.sql;
}

void Session::control(Control what) {
  if (engine_ == Engine::postgresql) return script(postgresql_control(what));
  execute(control_sql(what), {});
  if (what == Control::rollback_to) execute(control_sql(Control::release), {});
}

void Session::script(const std::string& sql) {
  try {
    if (engine_ == Engine::sqlite) {
      auto* native = connection_->sqlite().conn_;
      const int code = sqlite_api::sqlite3_exec(native, sql.c_str(), nullptr, nullptr, nullptr);
      if (code != SQLITE_OK) throw soci::sqlite3_soci_error(sqlite_api::sqlite3_errmsg(native), code);
    } else {
      const std::unique_ptr<PGresult, void (*)(PGresult*)> result(PQexec(connection_->postgresql(), sql.c_str()),
                                                                  PQclear);
      const auto status = PQresultStatus(result.get());
      if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return;
      const char* state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
      throw soci::postgresql_soci_error(PQerrorMessage(connection_->postgresql()), state ? state : "08000");
    }
  } catch (...) { rethrow_as_store_error(connection_->session, engine_); }
}

bool Session::in_transaction() const {
  if (engine_ == Engine::sqlite) return sqlite_api::sqlite3_get_autocommit(connection_->sqlite().conn_) == 0;
  const auto status = PQtransactionStatus(connection_->postgresql());
  return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

bool Session::failed() const {
  return engine_ == Engine::postgresql && PQtransactionStatus(connection_->postgresql()) == PQTRANS_INERROR;
}

bool Session::connected() const {
  return engine_ == Engine::sqlite || PQstatus(connection_->postgresql()) == CONNECTION_OK;
}

int Session::socket() const { return engine_ == Engine::sqlite ? -1 : PQsocket(connection_->postgresql()); }

bool Session::take_notifications() {
  if (engine_ == Engine::sqlite) return false;
  PGconn* native = connection_->postgresql();
  if (PQconsumeInput(native) == 0) throw ConnectionLost("the connection to PostgreSQL is gone");
  bool any = false;
  while (PGnotify* notification = PQnotifies(native)) {
    any = true;
    PQfreemem(notification);
  }
  return any;
}

std::size_t Session::kept_statements() const { return connection_->kept.size(); }

}  // namespace paperclip::store
