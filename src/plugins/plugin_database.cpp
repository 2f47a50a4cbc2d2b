#include "plugins/plugin_database.h"

#include <libpq-fe.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "base/crypto.h"
#include "base/random.h"
#include "base/text.h"
#include "os/files.h"
#include "plugins/package.h"

namespace paperclip::plugins {

namespace fs = std::filesystem;

struct PluginDatabase::Connection {
  explicit Connection(PGconn* connection) : raw(connection) {}
  ~Connection() { PQfinish(raw); }
  Connection(const Connection&) = delete;
  PGconn* const raw;

  struct Done {
    explicit Done(PGresult* result_) : result(result_) {}
    Done(Done&& other) noexcept : result(std::exchange(other.result, nullptr)) {}
    ~Done() { PQclear(result); }
    PGresult* result;
  };

  Result<Done> run(const std::string& sql, const std::vector<std::optional<std::string>>& params = {}) {
    std::vector<const char*> values;
    for (const auto& param : params) values.push_back(param ? param->c_str() : nullptr);
    Done done(PQexecParams(raw, sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(), nullptr, nullptr, 0));
    const auto status = PQresultStatus(done.result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY) return done;
    const char* primary = done.result != nullptr ? PQresultErrorField(done.result, PG_DIAG_MESSAGE_PRIMARY) : nullptr;
    return bad_request(primary != nullptr ? std::string(primary) : std::string(trim(PQerrorMessage(raw))));
  }
};

namespace {

// `$1` … outside of quotes, told to `on_number`, which gives the text in its place.
template <class F>
std::string replace_placeholders(const std::string& sql, F&& on_number) {
  std::string out;
  char quote = 0;
  for (std::size_t at = 0; at < sql.size(); ++at) {
    const char c = sql[at];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (c == '$' && at + 1 < sql.size() && sql[at + 1] >= '1' && sql[at + 1] <= '9') {
      std::size_t end = at + 1;
      while (end < sql.size() && sql[end] >= '0' && sql[end] <= '9') ++end;
      int number = 0;
      std::from_chars(sql.data() + at + 1, sql.data() + end, number);
      out += on_number(number);
      at = end - 1;
      continue;
    }
    out += c;
  }
  return out;
}

std::optional<std::string> text_of(const json::value& value) {
  if (value.is_null()) return std::nullopt;
  if (value.is_string()) return std::string(value.get_string());
  return to_string(value);
}

struct Bound {
  std::string sql;
  std::vector<std::optional<std::string>> params;
};

// Every parameter is used and every placeholder has one; an array becomes a list in brackets, so that `IN $1` works.
Result<Bound> bind(const std::string& sql, const json::array& params) {
  std::set<int> used;
  std::optional<Error> wrong;
  Bound bound;
  std::vector<std::string> places;
  for (const auto& param : params) {
    std::string place;
    const auto add = [&](const json::value& value) {
      bound.params.push_back(text_of(value));
      place += (place.empty() ? "$" : ", $") + std::to_string(bound.params.size());
    };
    if (param.is_array()) {
      for (const auto& item : param.get_array()) add(item);
      place = place.empty() ? "(null)" : "(" + place + ")";
    } else {
      add(param);
    }
    places.push_back(std::move(place));
  }
  bound.sql = replace_placeholders(sql, [&](int number) -> std::string {
    used.insert(number);
    if (number >= 1 && static_cast<std::size_t>(number) <= places.size()) return places[static_cast<std::size_t>(number - 1)];
    if (!wrong) wrong = bad_request("SQL placeholder $" + std::to_string(number) + " has no matching parameter");
    return "null";
  });
  if (wrong) return *std::move(wrong);
  if (used.size() < params.size()) return bad_request("Every ctx.db parameter must be referenced by a $n placeholder");
  return bound;
}

json::value cell(PGresult* result, int row, int column) {
  if (PQgetisnull(result, row, column) != 0) return nullptr;
  const std::string_view text(PQgetvalue(result, row, column), static_cast<std::size_t>(PQgetlength(result, row, column)));
  switch (PQftype(result, column)) {
    case 16: return text == "t";  // bool
    case 21: case 23: case 26: {  // int2, int4, oid
      std::int64_t number = 0;
      std::from_chars(text.data(), text.data() + text.size(), number);
      return number;
    }
    case 700: case 701: {  // float4, float8
      double number = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (error == std::errc() && end == text.data() + text.size() && number - number == 0) return number;
      return json::value(text);
    }
    case 114: case 3802: {  // json, jsonb
      auto parsed = parse_json(text, {.max_depth = 512});
      return parsed ? *std::move(parsed) : json::value(text);
    }
    default: return json::value(text);
  }
}

std::string quoted_name(const std::string& name) { return "\"" + name + "\""; }  // our own names: letters, digits, `_`

}  // namespace

PluginDatabase::PluginDatabase(std::string url, const domain::Plugin& plugin, const domain::PluginManifest& manifest)
    : url_(std::move(url)), plugin_(plugin), manifest_(manifest) {
  const auto& declared = *manifest_.database;
  rules_.schema = namespace_name(plugin.plugin_key, declared.namespace_slug ? std::string(*declared.namespace_slug) : std::string());
  if (declared.core_read_tables_)
    for (const auto& table : *declared.core_read_tables_) rules_.core_read_tables.push_back(table);
}

PluginDatabase::~PluginDatabase() = default;

Result<PluginDatabase::Connection*> PluginDatabase::connect() {
  if (connection_ && PQstatus(connection_->raw) == CONNECTION_OK) return connection_.get();
  connection_ = std::make_unique<Connection>(PQconnectdb(url_.c_str()));
  if (PQstatus(connection_->raw) != CONNECTION_OK) {
    connection_.reset();
    return Error(ErrorKind::unavailable, "The plugin database cannot be reached");
  }
  PQsetNoticeProcessor(connection_->raw, [](void*, const char*) {}, nullptr);
  TRY(connection_->run("set time zone 'UTC'"));
  return connection_.get();
}

Result<> PluginDatabase::migrate(const fs::path& package_root) {
  std::lock_guard lock(mutex_);
  Connection& connection = *TRY(connect());
  std::error_code ec;
  const std::string& named = manifest_.database->migrations_dir;
  const fs::path root = fs::canonical(package_root, ec), directory = fs::canonical(package_root / named, ec);
  if (ec) return bad_request("Plugin migrationsDir does not exist: " + (package_root / named).string());
  if (!is_inside(directory, root)) return bad_request("Plugin migrationsDir escapes package root: " + named);
  TRY(connection.run("create schema if not exists " + quoted_name(rules_.schema)));
  TRY(connection.run("insert into plugin_database_namespaces (id, plugin_id, plugin_key, namespace_name, namespace_mode, status, created_at, updated_at) "
                     "values ($1, $2, $3, $4, 'schema', 'active', now(), now()) on conflict (plugin_id) do update set status = 'active', namespace_name = excluded.namespace_name, updated_at = now()",
                     {Random::system().uuid(), plugin_.id.str(), plugin_.plugin_key, rules_.schema}));
  TRY(connection.run("begin"));
  std::string failed_file, failed_sum;
  auto applied = apply(connection, directory, failed_file, failed_sum);
  if (applied) {
    TRY(connection.run("commit"));
    return {};
  }
  TRY(connection.run("rollback"));
  // On record although everything else was rolled back.
  if (!failed_file.empty())
    TRY(connection.run("insert into plugin_migrations (id, plugin_id, plugin_key, namespace_name, migration_key, checksum, plugin_version, status, started_at, error_message) "
                       "values ($1, $2, $3, $4, $5, $6, $7, 'failed', now(), $8) on conflict (plugin_id, migration_key) do update set status = 'failed', error_message = excluded.error_message",
                       {Random::system().uuid(), plugin_.id.str(), plugin_.plugin_key, rules_.schema, failed_file, failed_sum, plugin_.version, applied.error().message}));
  TRY(connection.run("update plugin_database_namespaces set status = 'migration_failed', updated_at = now() where plugin_id = $1", {plugin_.id.str()}));
  return applied;
}

Result<> PluginDatabase::apply(Connection& connection, const fs::path& directory, std::string& failed_file, std::string& failed_sum) {
  const std::string digest = sha256_hex(plugin_.id.view()).substr(0, 12);
  TRY(connection.run("select pg_advisory_xact_lock($1::bigint)", {std::to_string(std::stoll(digest, nullptr, 16))}));
  auto files = TRY(os::list_directory(directory));
  std::erase_if(files, [](const auto& name) { return !name.ends_with(".sql"); });
  for (const auto& file : files) {
    const std::string content = TRY(os::read_file(directory / file));
    failed_file = file;
    failed_sum = sha256_hex(content);
    {
      auto known = TRY(connection.run("select checksum, status from plugin_migrations where plugin_id = $1 and migration_key = $2", {plugin_.id.str(), file}));
      if (PQntuples(known.result) > 0 && std::string_view(PQgetvalue(known.result, 0, 1)) == "applied") {
        if (PQgetvalue(known.result, 0, 0) == failed_sum) continue;
        failed_file.clear();  // what was applied stays on record as it was
        return bad_request("Plugin migration checksum mismatch for " + file);
      }
    }
    const auto statements = split_statements(content);
    if (statements.empty()) return bad_request("Plugin migration " + file + " is empty");
    for (const auto& statement : statements) {
      TRY(check_migration(statement, rules_));
      TRY(connection.run(statement));
    }
    TRY(connection.run("insert into plugin_migrations (id, plugin_id, plugin_key, namespace_name, migration_key, checksum, plugin_version, status, started_at, applied_at) "
                       "values ($1, $2, $3, $4, $5, $6, $7, 'applied', now(), now()) on conflict (plugin_id, migration_key) do update set checksum = excluded.checksum, "
                       "plugin_version = excluded.plugin_version, status = 'applied', applied_at = now(), error_message = null",
                       {Random::system().uuid(), plugin_.id.str(), plugin_.plugin_key, rules_.schema, file, failed_sum, plugin_.version}));
  }
  return {};
}

Result<> PluginDatabase::require_active(Connection& connection) {
  const auto row = TRY(connection.run("select 1 from plugin_database_namespaces where plugin_id = $1 and status = 'active'", {plugin_.id.str()}));
  if (PQntuples(row.result) == 0) return bad_request("Plugin database namespace is not active");
  return {};
}

Result<json::value> PluginDatabase::query(const std::string& sql, const json::array& params) {
  TRY(check_query(sql, rules_));
  const Bound bound = TRY(bind(sql, params));
  std::lock_guard lock(mutex_);
  Connection& connection = *TRY(connect());
  TRY(require_active(connection));
  TRY(connection.run("begin read only"));
  auto found = connection.run(bound.sql, bound.params);
  TRY(connection.run(found ? "commit" : "rollback"));
  if (!found) return std::move(found).error();
  json::array rows;
  for (int row = 0; row < PQntuples(found->result); ++row) {
    json::object out;
    for (int column = 0; column < PQnfields(found->result); ++column) out[PQfname(found->result, column)] = cell(found->result, row, column);
    rows.push_back(std::move(out));
  }
  return json::value(std::move(rows));
}

Result<json::value> PluginDatabase::execute(const std::string& sql, const json::array& params) {
  TRY(check_execute(sql, rules_));
  const Bound bound = TRY(bind(sql, params));
  std::lock_guard lock(mutex_);
  Connection& connection = *TRY(connect());
  TRY(require_active(connection));
  const auto done = TRY(connection.run(bound.sql, bound.params));
  std::int64_t count = 0;
  const std::string_view text(PQcmdTuples(done.result));
  std::from_chars(text.data(), text.data() + text.size(), count);
  return json::value{{"rowCount", count}};
}

Result<> PluginDatabase::drop() {
  std::lock_guard lock(mutex_);
  Connection& connection = *TRY(connect());
  TRY(connection.run("drop schema if exists " + quoted_name(rules_.schema) + " cascade"));
  return {};
}

}  // namespace paperclip::plugins
