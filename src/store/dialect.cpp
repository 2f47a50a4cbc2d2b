#include "store/dialect.h"

#include <fmt/format.h>

#include "base/text.h"

namespace paperclip::store {

namespace {

std::string literal(std::string_view text) { return "'" + replace_all(std::string(text), "'", "''") + "'"; }

/// SQLite's JSON path of one key, as a literal.
std::string path(std::string_view key) { return literal("$.\"" + std::string(key) + "\""); }

}  // namespace

std::string Dialect::json_text(std::string_view expression, std::string_view key) const {
  return fmt::format("({} ->> {})", expression, literal(key));
}

std::string Dialect::json_member(std::string_view expression, std::string_view key) const {
  return fmt::format("({} -> {})", expression, literal(key));
}

std::string Dialect::json_number(std::string_view expression, std::string_view key) const {
  if (sqlite())
    return fmt::format("(case when json_type({0}, {1}) in ('integer', 'real') then cast(({0} ->> {2}) as real) end)",
                       expression, path(key), literal(key));
  return fmt::format("(case when jsonb_typeof({0} -> {1}) = 'number' then ({0} ->> {1})::double precision end)",
                     expression, literal(key));
}

std::string Dialect::json_bool(std::string_view expression, std::string_view key) const {
  if (sqlite()) return fmt::format("coalesce(json_type({}, {}) = 'true', false)", expression, path(key));
  return fmt::format("coalesce(({} -> {}) = 'true'::jsonb, false)", expression, literal(key));
}

std::string Dialect::json_has(std::string_view expression, std::string_view key) const {
  if (sqlite()) return fmt::format("(json_type({}, {}) is not null)", expression, path(key));
  return fmt::format("(({} -> {}) is not null)", expression, literal(key));
}

std::string Dialect::json_strings(std::string_view expression) const {
  if (sqlite()) return fmt::format("(select value from json_each({}) where type = 'text')", expression);
  return fmt::format(
      "(select element #>> '{{}}' as value from jsonb_array_elements(case when jsonb_typeof({0}) = 'array' then {0} "
      "else '[]'::jsonb end) as elements(element) where jsonb_typeof(element) = 'string')",
      expression);
}

std::string Dialect::contains_ci(std::string_view expression, std::string_view parameter) const {
  return fmt::format("({}(lower({}), lower({})) > 0)", sqlite() ? "instr" : "strpos", expression, parameter);
}

std::string Dialect::equals_ci(std::string_view expression, std::string_view parameter) const {
  return fmt::format("(lower({}) = lower({}))", expression, parameter);
}

std::string Dialect::starts_with(std::string_view expression, std::string_view parameter) const {
  return fmt::format("(substr({0}, 1, length({1})) = {1})", expression, parameter);
}

std::string Dialect::day(std::string_view expression) const {
  if (sqlite()) return fmt::format("substr({}, 1, 10)", expression);
  return fmt::format("to_char({} at time zone 'UTC', 'YYYY-MM-DD')", expression);
}

std::string Dialect::month(std::string_view expression) const {
  if (sqlite()) return fmt::format("substr({}, 1, 7)", expression);
  return fmt::format("to_char({} at time zone 'UTC', 'YYYY-MM')", expression);
}

std::string Dialect::epoch_ms(std::string_view expression) const {
  if (sqlite())
    return fmt::format("(cast(strftime('%s', {0}) as integer) * 1000 + cast(substr({0}, 21, 3) as integer))",
                       expression);
  return fmt::format("(extract(epoch from {}) * 1000)::bigint", expression);
}

std::string Dialect::greatest(std::string_view a, std::string_view b) const {
  // SQLite's max() is NULL as soon as one is; PostgreSQL's greatest() ignores NULLs.
  if (sqlite()) return fmt::format("max(coalesce({0}, {1}), coalesce({1}, {0}))", a, b);
  return fmt::format("greatest({}, {})", a, b);
}

std::string Dialect::least(std::string_view a, std::string_view b) const {
  if (sqlite()) return fmt::format("min(coalesce({0}, {1}), coalesce({1}, {0}))", a, b);
  return fmt::format("least({}, {})", a, b);
}

}  // namespace paperclip::store
