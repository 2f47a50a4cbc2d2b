#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/secret.h"

namespace paperclip::server {

/// Reads an environment variable; nullopt when it is not set. Tests pass their own.
using Environment = std::function<std::optional<std::string>(const std::string&)>;
Environment process_environment();

/// Everything the server is configured by (spec/platform.md 2): environment over file over default.
struct Config {
  std::filesystem::path home;           // PAPERCLIP_HOME or ~/.paperclip
  std::string instance_id;              // PAPERCLIP_INSTANCE_ID or default
  std::filesystem::path instance_root;  // <home>/instances/<id>
  std::filesystem::path config_file;    // whether or not it exists
  bool config_file_used = false;

  std::string deployment_mode;  // local_trusted | authenticated
  std::string exposure;         // private | public
  std::string bind;             // loopback | lan | tailnet | custom
  std::string host;
  std::uint16_t port = 3100;
  std::vector<std::string> allowed_hostnames;
  std::string public_url;

  std::string database_url;  // empty: embedded SQLite in <instance>/db
  std::filesystem::path log_directory, run_log_directory, operation_log_directory, storage_directory;
  std::filesystem::path secrets_key_file;
  SecretText secrets_master_key;
  bool secrets_strict = false;
  std::string storage_provider = "local_disk";
  std::size_t attachment_max_bytes = 10485760;
  std::vector<std::string> allowed_content_types;
  bool company_deletion_enabled = true;
  bool serve_ui = true;

  SecretText token_secret;  // PAPERCLIP_AGENT_JWT_SECRET, else BETTER_AUTH_SECRET; empty: one is made and kept
  std::chrono::seconds token_lifetime{172800};
  std::string token_issuer = "paperclip", token_audience = "paperclip-api";

  int max_live_runs = 128;  // PAPERCLIP_MAX_LIVE_RUNS (OURS): runs at once on this machine
  /// PAPERCLIP_{RUN_LOG,EVENT,PLUGIN_LOG}_RETENTION_DAYS (OURS); 0: for ever.
  int run_log_retention_days = 90, event_retention_days = 7, plugin_log_retention_days = 7;
  bool scheduler_enabled = true;
  std::chrono::milliseconds scheduler_interval{30000};
};

/// Loads `.env` files beside the configuration and in `working_directory`, the configuration file, and the environment.
/// A broken file counts as absent; a broken variable or a forbidden combination is an error that says what to do.
Result<Config> load_config(const Environment& environment, const std::filesystem::path& working_directory);

}  // namespace paperclip::server
