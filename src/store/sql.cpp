#include "store/sql.h"

#include <array>
#include <vector>

#include "store/error.h"

namespace paperclip::store {

namespace {

[[noreturn]] void wrong(std::string_view sql, const std::string& what) {
  throw StoreError(ErrorKind::internal, what + " in SQL: " + std::string(sql.substr(0, 400)));
}

bool digit(char c) { return c >= '0' && c <= '9'; }

/// If a literal, a quoted name or a `--` comment begins at `at`, its end; otherwise `at`.
std::size_t skip_quoted(std::string_view sql, std::size_t at) {
  const char c = sql[at];
  if (c == '\'' || c == '"') {
    const auto end = sql.find(c, at + 1);  // a doubled quote is simply two literals to us
    return end == std::string_view::npos ? sql.size() : end + 1;
  }
  if (sql.substr(at, 2) == "--") {
    const auto end = sql.find('\n', at);
    return end == std::string_view::npos ? sql.size() : end;
  }
  return at;
}

class Expansion {
 public:
  Expansion(std::string_view sql, const RowShape* row, Params params, Engine engine)
      : sql_(sql), row_(row), params_(params), engine_(engine), used_(params.size(), false) {}

  std::string run() {
    std::size_t at = 0;
    while (at < sql_.size()) {
      if (const auto end = skip_quoted(sql_, at); end != at) {
        if (sql_[at] != '-') out_ += sql_.substr(at, end - at);
        at = end;
      } else {
        at = step(at);
      }
    }
    for (std::size_t i = 0; i < used_.size(); ++i)
      if (!used_[i]) wrong(sql_, "argument :" + std::to_string(i + 1) + " is never used");
    return std::move(out_);
  }

 private:
  std::size_t step(std::size_t at) {
    const char c = sql_[at];
    if (c == ':' && at + 1 < sql_.size() && sql_[at + 1] == ':') return copy(at, 2);
    if (c == ':' && at + 1 < sql_.size() && digit(sql_[at + 1])) return parameter(at);
    if (c == '?' || c == '$') wrong(sql_, "arguments are written :1, :2 …");
    if (c == '{') return braces(at);
    if (c == ';' && sql_.find_first_not_of(" \t\r\n;", at) != std::string_view::npos)
      wrong(sql_, "more than one statement");
    return copy(at, 1);
  }

  std::size_t copy(std::size_t at, std::size_t size) {
    out_ += sql_.substr(at, size);
    return at + size;
  }

  /// Reads `:n` at `at`, marks it as used and returns its index; `at` moves behind it.
  std::size_t index(std::size_t& at) {
    std::size_t number = 0;
    for (++at; at < sql_.size() && digit(sql_[at]); ++at)
      number = number * 10 + static_cast<std::size_t>(sql_[at] - '0');
    if (number == 0 || number > params_.size()) wrong(sql_, "there is no argument :" + std::to_string(number));
    used_[number - 1] = true;
    return number - 1;
  }

  void placeholder(std::size_t index) {
    out_ += engine_ == Engine::sqlite ? '?' : '$';
    out_ += std::to_string(index + 1);
    const auto type = params_[index].codec->sql_type;
    if (engine_ == Engine::postgresql && !type.empty()) out_.append("::").append(type);
  }

  std::size_t parameter(std::size_t at) {
    placeholder(index(at));
    return at;
  }

  std::size_t braces(std::size_t at) {
    const auto end = sql_.find('}', at);
    if (end == std::string_view::npos) wrong(sql_, "unclosed {");
    const auto word = sql_.substr(at + 1, end - at - 1);
    if (word == "for update" || word == "for update skip locked") {
      if (engine_ == Engine::postgresql) out_ += word;
    } else if (word.starts_with("list :")) {
      std::size_t position = at + 6;
      list(index(position));
      if (position != end) wrong(sql_, "unknown {" + std::string(word) + "}");
    } else if (word.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789") == std::string_view::npos) {
      columns(word);
    } else {
      wrong(sql_, "unknown {" + std::string(word) + "}");
    }
    return end + 1;
  }

  void list(std::size_t index) {
    const auto type = params_[index].codec->element_type;
    if (type.empty()) wrong(sql_, "argument :" + std::to_string(index + 1) + " is no list");
    out_ += engine_ == Engine::sqlite ? "(select value from json_each(" : "(select value::";
    if (engine_ == Engine::postgresql) out_.append(type).append(" from jsonb_array_elements_text(");
    placeholder(index);
    out_ += "))";
  }

  void columns(std::string_view alias) {
    if (!row_ || row_->columns.empty() || row_->columns.front().name.empty())
      wrong(sql_, "{" + std::string(alias) + "} needs a described row type");
    bool first = true;
    for (const Column& column : row_->columns) {
      if (!first) out_ += ", ";
      first = false;
      if (!alias.empty()) out_.append(alias).append(".");
      out_ += quoted(column.name);
    }
  }

  std::string_view sql_;
  const RowShape* row_;
  Params params_;
  Engine engine_;
  std::vector<bool> used_;
  std::string out_;
};

struct SchemaWord {
  std::string_view word, sqlite, postgresql;
};
constexpr std::array schema_words{
    SchemaWord{"id", "TEXT", "uuid"},
    SchemaWord{"text", "TEXT", "text"},
    SchemaWord{"int", "INTEGER", "integer"},
    SchemaWord{"bigint", "INTEGER", "bigint"},
    SchemaWord{"bool", "INTEGER", "boolean"},
    SchemaWord{"double", "REAL", "double precision"},
    SchemaWord{"timestamp", "TEXT", "timestamptz(3)"},
    SchemaWord{"json", "TEXT", "jsonb"},
    // AUTOINCREMENT: a number is never given twice, even when the newest row is gone.
    SchemaWord{"serial_pk", "INTEGER PRIMARY KEY AUTOINCREMENT", "bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"},
    SchemaWord{"true", "1", "true"},
    SchemaWord{"false", "0", "false"},
    SchemaWord{"strict", " STRICT", ""},
};

}  // namespace

std::string quoted(std::string_view name) {
  std::string out;
  out.reserve(name.size() + 2);
  out += '"';
  out += name;
  out += '"';
  return out;
}

std::string expand_sql(std::string_view sql, const RowShape* row, Params params, Engine engine) {
  return Expansion(sql, row, params, engine).run();
}

std::string expand_schema(std::string_view sql, Engine engine) {
  std::string out;
  std::size_t at = 0;
  while (at < sql.size()) {
    if (const auto end = skip_quoted(sql, at); end != at) {
      out += sql.substr(at, end - at);
      at = end;
    } else if (sql[at] == '{') {
      const auto close = sql.find('}', at);
      const auto word = close == std::string_view::npos ? "" : sql.substr(at + 1, close - at - 1);
      const SchemaWord* found = nullptr;
      for (const auto& candidate : schema_words)
        if (candidate.word == word) found = &candidate;
      if (!found) wrong(sql, "unknown {" + std::string(word) + "}");
      out += engine == Engine::sqlite ? found->sqlite : found->postgresql;
      at = close + 1;
    } else {
      out += sql[at++];
    }
  }
  return out;
}

}  // namespace paperclip::store
