#include <array>

#include "base/text.h"
#include "store/error.h"
#include "store/soci_session.h"

namespace paperclip::store {

namespace {

/// SQLite: `UNIQUE constraint failed: issues.company_id, issues.number` or `…: index 'name'`.
[[noreturn]] void unique_on_sqlite(std::string_view message) {
  const auto colon = message.rfind("failed: ");
  std::string_view names = colon == std::string_view::npos ? "" : message.substr(colon + 8);
  if (names.starts_with("index '")) {
    names = names.substr(7, names.size() - 8);
    throw UniqueViolation("a row with this key already exists (" + std::string(names) + ")", "", {},
                          std::string(names));
  }
  std::string table;
  std::vector<std::string> columns;
  for (const auto& part : split(names, ',')) {
    const auto name = trim(part);
    const auto dot = name.find('.');
    if (dot == std::string_view::npos) continue;
    table = name.substr(0, dot);
    columns.emplace_back(name.substr(dot + 1));
  }
  throw UniqueViolation("a row with the same " + std::string(names) + " already exists", table, columns, "");
}

[[noreturn]] void throw_sqlite(sqlite_api::sqlite3* native, const std::string& fallback) {
  const int code = sqlite_api::sqlite3_extended_errcode(native);
  const std::string message = code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE
                                  ? fallback
                                  : std::string(sqlite_api::sqlite3_errmsg(native));
  switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID: unique_on_sqlite(message);
    case SQLITE_CONSTRAINT_FOREIGNKEY: throw ForeignKeyViolation("a reference does not hold: " + message);
    default: break;
  }
  switch (code & 0xff) {
    case SQLITE_FULL:
      throw StoreError(ErrorKind::unavailable, "the database cannot grow, the disk is full: " + message);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
      throw StoreError(ErrorKind::unavailable, "the database file cannot be read or written: " + message);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: throw StoreError(ErrorKind::unavailable, "the database file is damaged: " + message);
    case SQLITE_BUSY:
    case SQLITE_LOCKED: throw StoreError(ErrorKind::unavailable, "the database is held by another program: " + message);
    default: throw StoreError(ErrorKind::internal, "database: " + message);
  }
}

struct ErrorClass {
  std::string_view prefix;
  ErrorKind kind;
};
constexpr std::array error_classes{
    ErrorClass{"22021", ErrorKind::bad_request},  // not in the repertoire: invalid UTF-8
    ErrorClass{"22P05", ErrorKind::bad_request},  // untranslatable character: \u0000 in jsonb
    ErrorClass{"53", ErrorKind::unavailable},     // out of disk, memory or connections
    ErrorClass{"55P03", ErrorKind::unavailable},  // lock not available
    ErrorClass{"57", ErrorKind::unavailable},     // shutting down, cancelled
    ErrorClass{"58", ErrorKind::unavailable},     // I/O error
};

[[noreturn]] void throw_postgresql(const std::string& state, const std::string& text) {
  // Only the first line: DETAIL and CONTEXT repeat values.
  std::string message = text.substr(0, text.find('\n'));
  if (const auto at = message.find("ERROR:  "); at != std::string::npos) message = message.substr(at + 8);
  if (state == "23505") {
    const auto open = message.find('"');
    const auto close = open == std::string::npos ? open : message.find('"', open + 1);
    const std::string name = close == std::string::npos ? "" : message.substr(open + 1, close - open - 1);
    throw UniqueViolation("a row with this key already exists (" + name + ")", "", {}, name);
  }
  if (state == "23503") throw ForeignKeyViolation("a reference does not hold: " + message);
  if (state == "40001" || state == "40P01") throw SerializationFailure(message);
  if (state.starts_with("08") || state == "57P01" || state == "57P02" || state == "57P03")
    throw ConnectionLost(message);
  for (const auto& known : error_classes)
    if (state.starts_with(known.prefix)) throw StoreError(known.kind, "database: " + message);
  throw StoreError(ErrorKind::internal, "database: " + message + " [" + state + "]");
}

}  // namespace

void rethrow_as_store_error(soci::session& session, Engine engine) {
  // SOCI's what() repeats the bound values, so it goes nowhere; get_error_message() does not.
  try {
    throw;
  } catch (const soci::postgresql_soci_error& error) {
    throw_postgresql(error.sqlstate(), error.get_error_message());
  } catch (const soci::soci_error& error) {
    if (engine == Engine::sqlite)
      throw_sqlite(static_cast<soci::sqlite3_session_backend*>(session.get_backend())->conn_,
                   error.get_error_message());
    throw StoreError(ErrorKind::internal, "database: " + error.get_error_message());
  }
}

}  // namespace paperclip::store
