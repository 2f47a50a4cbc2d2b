#pragma once

#include <string>
#include <string_view>

#include "store/codec.h"
#include "store/dialect.h"
#include "store/row.h"

namespace paperclip::store {

/// Turns a caller's SQL into the engine's. Outside of literals, quoted names and comments:
///   `:1`, `:2` …            the first, second … argument; each may be used many times and must be used once.
///                           On PostgreSQL it has the SQL type of its C++ type.
///   `{}`                    the row type's columns, quoted
///   `{i}`                   the same, each qualified with the alias `i`
///   `{list :1}`             the elements of a std::vector argument: `status in {list :1}`
///   `{for update}`          and `{for update skip locked}`: nothing on SQLite, where there is one writer anyway
/// `row` is null for a statement that returns no rows. Throws StoreError (internal) for SQL that is wrong in a way that
/// one engine would forgive: an argument that is missing or never used, a second statement after `;`, an unknown `{…}`.
std::string expand_sql(std::string_view sql, const RowShape* row, Params params, Engine engine);

/// Turns a migration's SQL into the engine's: replaces the type words `{id} {text} {int} {bigint} {bool} {double}
/// {timestamp} {json} {serial_pk} {true} {false} {strict}` outside of literals. Throws StoreError for any other `{…}`.
std::string expand_schema(std::string_view sql, Engine engine);

/// `"name"`.
std::string quoted(std::string_view name);

}  // namespace paperclip::store
