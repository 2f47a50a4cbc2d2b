#include <fmt/format.h>
#include <sys/stat.h>

#include <ctime>
#include <ostream>

#include "base/text.h"
#include "cli/command_line.h"
#include "cli/local/all.h"
#include "cli/local/instance.h"
#include "cli/local/retention.h"
#include "cli/output.h"
#include "os/child_environment.h"
#include "os/files.h"
#include "os/process.h"
#include "store/backup.h"

namespace paperclip::cli {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

struct BackupOptions : InstanceOptions {
  std::string directory, prefix = "paperclip";
  std::optional<std::int64_t> retention_days;
  bool as_json = false;
};

std::string time_in_name() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%d-%H%M%S", &local);
  return text;
}

// The URL without its password, and the password: an argument is for everyone to see, a variable is not.
std::pair<std::string, std::string> without_password(const std::string& url) {
  const auto begin = url.find("://");
  if (begin == std::string::npos) return {url, ""};
  const auto end = url.find_first_of("/?", begin + 3);
  const auto at = url.rfind('@', end == std::string::npos ? std::string::npos : end);
  const auto colon = url.find(':', begin + 3);
  if (at == std::string::npos || at < begin || colon == std::string::npos || colon > at) return {url, ""};
  return {url.substr(0, colon) + url.substr(at), percent_decode(url.substr(colon + 1, at - colon - 1)).value_or("")};
}

Result<> dump_postgres(const Surroundings& around, const std::string& database_url, const fs::path& file) {
  auto environment = os::ChildEnvironment::from_host(os::own_environment());
  auto [url, password] = without_password(database_url);
  environment.set("PGPASSWORD", password);
  const std::string named = around.variable("PAPERCLIP_PG_DUMP_PATH");
  const auto said = TRY(os::run_command(
      {.argv = {named.empty() ? "pg_dump" : named, "--format=plain", "--clean", "--if-exists", "--no-owner",
                "--no-privileges", "--compress=6", "--file=" + file.string(), "--dbname=" + url},
       .environment = std::move(environment).variables()},
      Deadline::in(1h)));
  if (said.ok()) {
    ::chmod(file.c_str(), 0600);
    return {};
  }
  (void)os::remove_tree(file);
  return internal_error("pg_dump failed: " + std::string(trim(said.stderr_text)));
}

Result<int> prune(const fs::path& directory, const std::string& prefix, int retention_days) {
  std::vector<BackupFile> files;
  for (const auto& name : TRY(os::list_directory(directory))) {
    if (!name.starts_with(prefix + "-") ||
        !(name.ends_with(".sqlite") || name.ends_with(".sql") || name.ends_with(".sql.gz")))
      continue;
    struct stat status{};
    if (::stat((directory / name).c_str(), &status) == 0)
      files.push_back({directory / name, std::chrono::sys_seconds(std::chrono::seconds(status.st_mtime))});
  }
  const auto now = std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
  int removed = 0;
  for (const auto& path : beyond_retention(std::move(files), now, {.daily_days = retention_days})) {
    TRY(os::remove_tree(path));
    ++removed;
  }
  return removed;
}

Result<int> backup(const Surroundings& outside, const BackupOptions& options) {
  const Surroundings around = at_instance(outside, options);
  const auto config = TRY(server::load_config(around.environment, around.working_directory));
  const auto content = read_configuration(config.config_file);
  const json::value filed = content ? json::value(*content) : json::value(nullptr);
  if (options.prefix.empty() || options.prefix.find('/') != std::string::npos)
    return bad_request("Invalid --filename-prefix '" + options.prefix + "': it becomes part of a file's name.");

  std::int64_t retention = 7;
  if (const auto* days = find_path(filed, "database.backup.retentionDays"); days != nullptr && days->is_int64())
    retention = days->get_int64();
  if (const auto days = around.variable("PAPERCLIP_DB_BACKUP_RETENTION_DAYS"); !days.empty())
    retention = std::atoll(days.c_str());
  if (options.retention_days) retention = *options.retention_days;
  if (retention < 1 || retention > 3650)
    return bad_request(fmt::format("Invalid retention of {} days: expected 1 to 3650.", retention));

  fs::path directory = config.instance_root / "data" / "backups";
  if (const auto* named = find_path(filed, "database.backup.dir"); named != nullptr && named->is_string())
    directory = expand_path(around, std::string(named->get_string()));
  if (const auto named = around.variable("PAPERCLIP_DB_BACKUP_DIR"); !named.empty())
    directory = expand_path(around, named);
  if (!options.directory.empty()) directory = expand_path(around, options.directory);
  TRY(os::make_directories(directory));

  const bool postgres = !config.database_url.empty();
  const fs::path file =
      directory / fmt::format("{}-{}.{}", options.prefix, time_in_name(), postgres ? "sql.gz" : "sqlite");
  if (postgres) {
    TRY(dump_postgres(around, config.database_url, file));
  } else {
    const fs::path database = config.instance_root / "db" / "paperclip.sqlite";
    std::error_code ignored;
    if (!fs::exists(database, ignored))
      return not_found("There is no database at " + database.string() +
                       " yet. It is made when the server first starts.");
    TRY(store::copy_sqlite(database.string(), file));
  }
  const int pruned = TRY(prune(directory, options.prefix, static_cast<int>(retention)));
  std::error_code ignored;
  const json::object result{
      {"backupFile", file.string()},
      {"sizeBytes", fs::file_size(file, ignored)},
      {"prunedCount", pruned},
      {"backupDir", directory.string()},
      {"retentionDays", retention},
      {"connectionSource", !postgres                                 ? "embedded"
                           : around.variable("DATABASE_URL").empty() ? "config.database.connectionString"
                                                                     : "DATABASE_URL"}};
  if (options.as_json)
    print_value(around.out, result, true);
  else
    around.out << fmt::format("{} ({} bytes){}\nKeep {} with it: without that key its secrets cannot be read.\n",
                              file.string(), fs::file_size(file, ignored),
                              pruned == 0 ? "" : fmt::format(", {} old ones removed", pruned),
                              config.secrets_key_file.string());
  return 0;
}

}  // namespace

void add_backup_command(CommandLine& line) {
  line.add<BackupOptions>(
      line.top(), "db-backup", "Copy the database, also while the server runs",
      [](OptionSet& command, BackupOptions& options) {
        declare_instance_options(command, options);
        command.add("--dir", options.directory, "Where to");
        command.add("--retention-days", options.retention_days,
                    "For how long all backups are kept; then one a week, then one a month");
        command.add("--filename-prefix", options.prefix, "Beginning of the file's name").with_default();
        command.flag("--json", options.as_json, "Print JSON");
      },
      backup);
}

}  // namespace paperclip::cli
