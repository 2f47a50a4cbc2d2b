#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "domain/plugins/manifest.h"
#include "domain/plugins/plugin.h"
#include "plugins/sql_guard.h"

namespace paperclip::plugins {

/// A plugin's own schema on PostgreSQL (spec/plugins.md 14): its migrations, and the SQL that its worker sends. libpq
/// stays behind this header; the connection is the plugin's alone. Thread-safe.
class PluginDatabase {
 public:
  PluginDatabase(std::string url, const domain::Plugin& plugin, const domain::PluginManifest& manifest);
  ~PluginDatabase();

  const std::string& schema() const { return rules_.schema; }
  /// Makes the schema and applies what is new in `migrations`, all or nothing; a failure is recorded and returned.
  Result<> migrate(const std::filesystem::path& package_root);
  /// Rows as objects: numbers, text for int8 and numeric, JSON parsed, times as PostgreSQL says them.
  Result<json::value> query(const std::string& sql, const json::array& params);
  /// `{rowCount}`
  Result<json::value> execute(const std::string& sql, const json::array& params);
  /// The schema and everything in it is gone.
  Result<> drop();

 private:
  struct Connection;
  Result<Connection*> connect();
  Result<> require_active(Connection& connection);
  Result<> apply(Connection& connection, const std::filesystem::path& directory, std::string& failed_file, std::string& failed_sum);

  const std::string url_;
  const domain::Plugin plugin_;
  const domain::PluginManifest manifest_;
  SqlRules rules_;
  std::mutex mutex_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace paperclip::plugins
