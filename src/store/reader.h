#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "store/dialect.h"
#include "store/error.h"
#include "store/function_ref.h"
#include "store/row.h"

namespace paperclip::store {

class Session;

/// Reads on one session, within one consistent snapshot. Not for use after the function that received it has returned,
/// nor on another thread.
///
/// SQL: arguments are `:1`, `:2` … in argument order; `{}` is the row's column list and `{i}` the same qualified with
/// alias `i`; more in store/sql.h. Statements are kept per session, so SQL text should be one of a few constants.
/// Everything here throws StoreError.
class Reader {
 public:
  Reader(Session& session, Timestamp now);
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// All rows. `Row` is a described struct, or a std::tuple / std::pair of scalars in select order.
  template <class Row, class... Args>
  std::vector<Row> all(std::string_view sql, const Args&... args) {
    std::vector<Row> rows;
    const Param params[] = {param(args)..., {}};
    select(
        sql, shape_of<Row>(), {params, sizeof...(Args)}, [&]() -> void* { return &rows.emplace_back(); },
        [](void*) { return true; });
    return rows;
  }

  /// The first row, if there is one.
  template <class Row, class... Args>
  std::optional<Row> one(std::string_view sql, const Args&... args) {
    std::optional<Row> row;
    const Param params[] = {param(args)..., {}};
    select(
        sql, shape_of<Row>(), {params, sizeof...(Args)}, [&]() -> void* { return &row.emplace(); },
        [](void*) { return false; });
    return row;
  }

  /// The first column of the first row; nullopt if there is no row or it is NULL.
  template <class T, class... Args>
  std::optional<T> value(std::string_view sql, const Args&... args) {
    auto cell = one<std::optional<T>>(sql, args...);
    return cell ? std::move(*cell) : std::nullopt;
  }

  /// The first column of all rows. A NULL throws unless T is optional.
  template <class T, class... Args>
  std::vector<T> column(std::string_view sql, const Args&... args) {
    if constexpr (std::same_as<T, bool>) {  // std::vector<bool> has no objects to fill
      std::vector<bool> values;
      each<bool>(sql, [&](bool value) { values.push_back(value); }, args...);
      return values;
    } else {
      return all<T>(sql, args...);
    }
  }

  /// Calls `on_row(row)` for each row as it arrives; the one Row object is filled again each time. If `on_row` returns
  /// bool, false stops.
  template <class Row, class F, class... Args>
  void each(std::string_view sql, F&& on_row, const Args&... args) {
    Row row{};
    const Param params[] = {param(args)..., {}};
    select(
        sql, shape_of<Row>(), {params, sizeof...(Args)}, [&]() -> void* { return &row; },
        [&](void*) -> bool {
          if constexpr (std::same_as<decltype(on_row(row)), bool>) {
            return on_row(row);
          } else {
            on_row(row);
            return true;
          }
        });
  }

  /// `each` with arguments that are only known at run time (a search and its filters), made with `param(value)`.
  template <class Row, class F>
  void each_with(std::string_view sql, Params params, F&& on_row) {
    Row row{};
    select(
        sql, shape_of<Row>(), params, [&]() -> void* { return &row; },
        [&](void*) {
          on_row(row);
          return true;
        });
  }

  /// True if the query has a row.
  template <class... Args>
  bool exists(std::string_view sql, const Args&... args) {
    const Param params[] = {param(args)..., {}};
    return any(sql, {params, sizeof...(Args)});
  }

  const Dialect& dialect() const { return dialect_; }
  /// The same for the whole transaction or read.
  Timestamp now() const { return now_; }

 protected:
  Session& session_;

 private:
  void select(std::string_view sql, const RowShape& shape, Params params, FunctionRef<void*()> next,
              FunctionRef<bool(void*)> filled);
  bool any(std::string_view sql, Params params);

  Dialect dialect_;
  Timestamp now_;
};

}  // namespace paperclip::store
