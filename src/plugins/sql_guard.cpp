#include "plugins/sql_guard.h"

#include <algorithm>
#include <optional>
#include <regex>

#include "base/crypto.h"
#include "base/text.h"

namespace paperclip::plugins {

namespace {

// Steps over a quoted text or a comment that begins at `at`; the position behind it, or `at` when none begins there.
std::size_t behind_quote(std::string_view sql, std::size_t at, bool& comment) {
  comment = false;
  if (sql[at] == '\'' || sql[at] == '"') {
    std::size_t end = at + 1;
    while (end < sql.size()) {
      if (sql[end] == sql[at]) {
        if (end + 1 < sql.size() && sql[end + 1] == sql[at]) {
          end += 2;
          continue;
        }
        return end + 1;
      }
      ++end;
    }
    return sql.size();
  }
  if (sql.substr(at, 2) == "--") {
    comment = true;
    const auto end = sql.find('\n', at);
    return end == std::string_view::npos ? sql.size() : end;
  }
  if (sql.substr(at, 2) == "/*") {
    comment = true;
    int depth = 0;
    std::size_t end = at;
    while (end < sql.size()) {
      if (sql.substr(end, 2) == "/*") {
        ++depth;
        end += 2;
      } else if (sql.substr(end, 2) == "*/") {
        end += 2;
        if (--depth == 0) return end;
      } else {
        ++end;
      }
    }
    return sql.size();
  }
  return at;
}

// Lower case, comments gone, strings emptied. Quoted identifiers keep their text when it is plain, so that "public".x is
// seen as what it is; others become `?`.
std::string skeleton(std::string_view sql) {
  std::string out;
  for (std::size_t at = 0; at < sql.size();) {
    bool comment = false;
    const std::size_t end = behind_quote(sql, at, comment);
    if (end == at) {
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(sql[at++])));
      continue;
    }
    if (comment) {
      out += ' ';
    } else if (sql[at] == '\'') {
      out += "''";
    } else {
      const auto name = sql.substr(at + 1, end - at - 2);
      const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c == '_'; });
      out += plain ? std::string(name) : std::string("?");
    }
    at = end;
  }
  // No regular expression here: std's recurses, and the text is as long as a plugin likes.
  std::string tidy;
  for (const char c : out) {
    const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
    if (!space) {
      if (c == '.' && tidy.ends_with(' ')) tidy.pop_back();
      tidy += c;
    } else if (!tidy.empty() && tidy.back() != ' ' && tidy.back() != '.') {
      tidy += ' ';
    }
  }
  return std::string(trim(tidy));
}

bool has(const std::string& text, const char* pattern) { return std::regex_search(text, std::regex(pattern)); }

struct Reference {
  std::string word, schema, table;
};

std::vector<Reference> references_in(const std::string& text) {
  static const std::regex pattern(
      "\\b(from|join|references|into|update|(?:alter|create|drop|truncate)(?: or replace)?(?: unlogged| temp| temporary| materialized)? (?:table|view|index|sequence|type)(?: if not exists| if exists)?(?: only)?|on|using|table) "
      "(?:only )?([a-z0-9_]+)\\.([a-z0-9_]+)");
  std::vector<Reference> found;
  for (auto at = std::sregex_iterator(text.begin(), text.end(), pattern); at != std::sregex_iterator(); ++at) found.push_back({(*at)[1], (*at)[2], (*at)[3]});
  return found;
}

bool allowed_core(const SqlRules& rules, const std::string& table) {
  return std::find(rules.core_read_tables.begin(), rules.core_read_tables.end(), table) != rules.core_read_tables.end();
}

// Schemas that hold what no plugin is to see, wherever they are named.
Result<> check_system(const std::string& text) {
  if (has(text, "\\b(pg_catalog|information_schema|pg_toast)\\.")) return bad_request("Plugin SQL references a system schema");
  return {};
}

// `public` may also stand where the patterns below do not look, behind a comma say.
Result<> check_public_names(const std::string& text, const SqlRules& rules) {
  static const std::regex pattern("(?:^|[^a-z0-9_.])public\\.([a-z0-9_]+)");
  for (auto at = std::sregex_iterator(text.begin(), text.end(), pattern); at != std::sregex_iterator(); ++at)
    if (!allowed_core(rules, (*at)[1])) return bad_request("Plugin SQL references public." + std::string((*at)[1]) + ", which is not whitelisted");
  return {};
}

Result<> check_banned(const std::string& text) {
  static const std::vector<std::pair<const char*, const char*>> banned{
      {"\\bcreate extension\\b", "create extension"}, {"\\bcreate (event )?trigger\\b", "create trigger"},
      {"\\bcreate (or replace )?function\\b", "create function"}, {"\\bcreate (or replace )?procedure\\b", "create procedure"},
      {"\\bcreate (trusted )?(procedural )?language\\b", "create language"}, {"\\bgrant\\b", "grant"}, {"\\brevoke\\b", "revoke"},
      {"\\bsecurity definer\\b", "security definer"}, {"\\bcopy\\b", "copy"}, {"\\bcall\\b", "call"}, {"\\bdo (\\$|language\\b)", "do"}};
  for (const auto& [pattern, name] : banned)
    if (has(text, pattern)) return bad_request(std::string("Plugin SQL contains a disallowed statement or clause: ") + name);
  return check_system(text);
}

std::optional<std::string> only_statement(std::string_view sql) {
  auto statements = split_statements(sql);
  if (statements.size() != 1) return std::nullopt;
  return skeleton(statements.front());
}

// A schema that is no alias: something of the text is named as a table of it.
Result<> check_public(const Reference& reference, const SqlRules& rules, bool may_read) {
  if (!allowed_core(rules, reference.table)) return bad_request("Plugin SQL references public." + reference.table + ", which is not whitelisted");
  if (!may_read) return bad_request("Plugin SQL cannot mutate or define objects in public." + reference.table);
  return {};
}

bool reads(const std::string& word) { return word == "from" || word == "join" || word == "references"; }

}  // namespace

std::string namespace_name(std::string_view plugin_key, std::string_view slug) {
  std::string words;
  for (const char c : lower(slug.empty() ? plugin_key : slug)) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (kept) words += c;
    else if (!words.empty() && words.back() != '_') words += '_';
  }
  while (words.ends_with('_')) words.pop_back();
  words = words.substr(0, 36);
  if (words.empty()) words = "plugin";
  return ("plugin_" + words + "_" + sha256_hex(plugin_key).substr(0, 10)).substr(0, 63);
}

std::vector<std::string> split_statements(std::string_view sql) {
  std::vector<std::string> statements;
  std::string current;
  const auto finish = [&] {
    if (!skeleton(current).empty()) statements.emplace_back(trim(current));
    current.clear();
  };
  for (std::size_t at = 0; at < sql.size();) {
    bool comment = false;
    const std::size_t end = behind_quote(sql, at, comment);
    if (end != at) {
      current += sql.substr(at, end - at);
      at = end;
      continue;
    }
    if (sql[at] == ';') finish();
    else current += sql[at];
    ++at;
  }
  finish();
  return statements;
}

Result<> check_migration(std::string_view statement, const SqlRules& rules) {
  const std::string text = skeleton(statement);
  if (auto fine = check_banned(text); !fine) return fine;
  if (auto fine = check_public_names(text, rules); !fine) return fine;
  if (has(text, "^(drop|truncate)\\b")) return bad_request("Destructive plugin migrations are not allowed in Phase 1");
  if (!has(text, "^(create|alter|comment)\\b")) return bad_request("Plugin migrations may contain DDL statements only");
  const auto found = references_in(text);
  const bool comment = text.starts_with("comment");
  if (found.empty() && !comment) return bad_request("Plugin migration objects must use fully qualified schema names");
  for (const auto& reference : found) {
    if (reference.schema == rules.schema) continue;
    // `comment on column schema.table.column` and `on alias.column` of a join look alike; only real schemas matter.
    if (reference.schema == "public") {
      if (auto fine = check_public(reference, rules, reads(reference.word)); !fine) return fine;
      continue;
    }
    if (reference.word == "on" && !comment && has(text, "\\bjoin\\b")) continue;
    return bad_request("Plugin SQL references schema \"" + reference.schema + "\" outside namespace \"" + rules.schema + "\"");
  }
  return {};
}

Result<> check_query(std::string_view sql, const SqlRules& rules) {
  const auto text = only_statement(sql);
  if (!text) return bad_request("ctx.db.query takes exactly one statement");
  if (auto fine = check_banned(*text); !fine) return fine;
  if (auto fine = check_public_names(*text, rules); !fine) return fine;
  if (!has(*text, "^(select|with) ")) return bad_request("ctx.db.query allows SELECT statements only");
  if (has(*text, "\\b(insert|update|delete|alter|create|drop|truncate)\\b")) return bad_request("ctx.db.query cannot contain mutation or DDL keywords");
  for (const auto& reference : references_in(*text)) {
    if (reference.schema == rules.schema || reference.word == "on" || reference.word == "using") continue;
    if (reference.schema == "public") {
      if (auto fine = check_public(reference, rules, true); !fine) return fine;
      continue;
    }
    return bad_request("ctx.db.query cannot read schema \"" + reference.schema + "\"");
  }
  return {};
}

Result<> check_execute(std::string_view sql, const SqlRules& rules) {
  const auto text = only_statement(sql);
  if (!text) return bad_request("ctx.db.execute takes exactly one statement");
  if (auto fine = check_banned(*text); !fine) return fine;
  if (auto fine = check_public_names(*text, rules); !fine) return fine;
  if (!has(*text, "^(insert into|update|delete from) ")) return bad_request("ctx.db.execute allows INSERT, UPDATE or DELETE only");
  if (has(*text, "\\b(alter|create|drop|truncate)\\b")) return bad_request("ctx.db.execute cannot contain DDL keywords");
  static const std::regex target("^(?:insert into|update|delete from) (?:only )?([a-z0-9_]+)\\.([a-z0-9_]+)");
  std::smatch found;
  if (!std::regex_search(*text, found, target) || found[1] != rules.schema) return bad_request("ctx.db.execute target must be inside plugin namespace \"" + rules.schema + "\"");
  for (const auto& reference : references_in(*text))
    if (reference.schema != rules.schema && reference.word != "on" && reference.word != "using")
      return bad_request("ctx.db.execute cannot reference public or other non-plugin schemas");
  return {};
}

}  // namespace paperclip::plugins
