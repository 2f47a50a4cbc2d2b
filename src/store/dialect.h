#pragma once

#include <string>
#include <string_view>

namespace paperclip::store {

enum class Engine { sqlite, postgresql };

/// What differs between the engines, as SQL text. `expression` is any SQL, such as `i.payload` or `:2`.
/// What SQL text may use directly, because both engines agree: `true`/`false`, `nulls first`/`nulls last` (always write
/// one of them where a NULL can be), `on conflict … do …`, `returning`, `->>` compared with JSON strings only, window
/// functions, `coalesce`, `cast(… as text)`. `{for update}` and `{for update skip locked}` in SQL vanish on SQLite.
class Dialect {
 public:
  explicit Dialect(Engine engine) : engine_(engine) {}
  Engine engine() const { return engine_; }
  bool sqlite() const { return engine_ == Engine::sqlite; }

  /// The text of a JSON string member. Compare with text only: a number or a boolean is not the same text on both.
  std::string json_text(std::string_view expression, std::string_view key) const;
  /// A JSON number member as a double; NULL if it is missing or no number.
  std::string json_number(std::string_view expression, std::string_view key) const;
  /// True if the member is the JSON literal true; false otherwise, also when missing.
  std::string json_bool(std::string_view expression, std::string_view key) const;
  /// True if the object has the key, whatever its value.
  std::string json_has(std::string_view expression, std::string_view key) const;
  /// A member as JSON, for nesting: `json_text(json_member("payload", "issue"), "id")`.
  std::string json_member(std::string_view expression, std::string_view key) const;
  /// A table expression with one column named `value`: the strings of a JSON array.
  std::string json_strings(std::string_view expression) const;

  /// True if the text holds the parameter's text, ignoring case (ASCII only on SQLite); no wildcards.
  std::string contains_ci(std::string_view expression, std::string_view parameter) const;
  /// Equality ignoring case (ASCII only on SQLite).
  std::string equals_ci(std::string_view expression, std::string_view parameter) const;
  /// True if the text begins with the parameter's text; case counts, no wildcards.
  std::string starts_with(std::string_view expression, std::string_view parameter) const;

  std::string nulls_first(std::string_view ordering) const { return std::string(ordering) + " nulls first"; }
  std::string nulls_last(std::string_view ordering) const { return std::string(ordering) + " nulls last"; }

  /// The UTC day of a timestamp as text `YYYY-MM-DD`.
  std::string day(std::string_view expression) const;
  /// The UTC month of a timestamp as text `YYYY-MM`.
  std::string month(std::string_view expression) const;
  /// A timestamp as milliseconds since 1970, an integer.
  std::string epoch_ms(std::string_view expression) const;
  /// The larger of two values; a NULL counts as absent.
  std::string greatest(std::string_view a, std::string_view b) const;
  std::string least(std::string_view a, std::string_view b) const;

  std::string_view for_update() const { return sqlite() ? "" : " for update"; }
  std::string_view skip_locked() const { return sqlite() ? "" : " for update skip locked"; }
  std::string_view bool_literal(bool value) const { return value ? "true" : "false"; }

 private:
  Engine engine_;
};

}  // namespace paperclip::store
