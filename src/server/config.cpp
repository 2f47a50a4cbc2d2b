#include "server/config.h"


#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "base/text.h"

namespace paperclip::server {

namespace fs = std::filesystem;

namespace {

std::optional<std::string> read_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

fs::path expand_home(const std::string& text, const Environment& env) {
  if (text == "~" || text.starts_with("~/")) return fs::path(env("HOME").value_or("/")) / text.substr(text.size() > 1 ? 2 : 1);
  return text;
}

// The `.env` form: NAME=value lines, `export` and quotes allowed, `#` comments.
std::map<std::string, std::string> parse_env_file(const std::string& text) {
  std::map<std::string, std::string> out;
  for (const auto& raw : split(text, '\n')) {
    auto line = trim(raw);
    if (line.empty() || line.front() == '#') continue;
    if (line.starts_with("export ")) line = trim(line.substr(7));
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    auto value = trim(line.substr(equals + 1));
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front())
      value = value.substr(1, value.size() - 2);
    out.emplace(trim(line.substr(0, equals)), value);
  }
  return out;
}

bool is_loopback_host(std::string_view host) { return host.empty() || host == "localhost" || host == "127.0.0.1" || host == "::1"; }

// What the file says, where the environment says nothing.
class Sources {
 public:
  Sources(const Environment& environment, std::map<std::string, std::string> env_files, json::value file)
      : environment_(environment), env_files_(std::move(env_files)), file_(std::move(file)) {}

  std::optional<std::string> variable(const std::string& name) const {
    if (auto value = environment_(name)) return value;
    const auto at = env_files_.find(name);
    return at == env_files_.end() ? std::nullopt : std::optional(at->second);
  }
  /// The variable's trimmed value if it says anything.
  std::optional<std::string> text(const std::string& name) const {
    auto value = variable(name);
    if (!value) return std::nullopt;
    std::string trimmed(trim(*value));
    return trimmed.empty() ? std::nullopt : std::optional(trimmed);
  }
  std::optional<std::string> file_text(std::string_view path) const {
    const auto* found = find_path(file_, path);
    if (found == nullptr || !found->is_string() || found->get_string().empty()) return std::nullopt;
    return std::string(found->get_string());
  }
  const json::value* file_value(std::string_view path) const { return find_path(file_, path); }
  bool flag(const std::string& name, std::string_view path, bool otherwise) const {
    if (const auto value = variable(name)) return *value == "true";
    const auto* found = path.empty() ? nullptr : find_path(file_, path);
    return found != nullptr && found->is_bool() ? found->get_bool() : otherwise;
  }

 private:
  const Environment& environment_;
  std::map<std::string, std::string> env_files_;
  json::value file_;
};

Result<std::int64_t> number(const std::string& name, const std::string& text, std::int64_t min, std::int64_t max) {
  try {
    std::size_t used = 0;
    const auto value = std::stoll(text, &used);
    if (used == text.size() && value >= min && value <= max) return value;
  } catch (const std::exception&) {
  }
  return bad_request("Invalid " + name + " '" + text + "': expected a whole number from " + std::to_string(min) + " to " + std::to_string(max) + ".");
}

fs::path find_config_file(const Environment& env, const fs::path& working_directory, const fs::path& instance_root) {
  if (const auto named = env("PAPERCLIP_CONFIG"); named && !trim(*named).empty()) return fs::absolute(expand_home(*named, env));
  std::error_code ec;
  for (fs::path at = working_directory; !at.empty(); at = at.parent_path()) {
    if (fs::exists(at / ".paperclip" / "config.json", ec)) return at / ".paperclip" / "config.json";
    if (at == at.root_path()) break;
  }
  return instance_root / "config.json";
}

std::vector<std::string> comma_list(std::string_view text) {
  std::vector<std::string> out;
  for (const auto& part : split(text, ',')) {
    std::string item = lower(trim(part));
    if (!item.empty() && std::find(out.begin(), out.end(), item) == out.end()) out.push_back(std::move(item));
  }
  return out;
}

std::string hostname_of(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  auto host = url.substr(scheme + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  if (host.starts_with('[')) return lower(host.substr(1, host.find(']') - 1));
  return lower(host.substr(0, host.find(':')));
}

Result<> resolve_binding(Config& config, const Sources& from) {
  const auto mode = from.text("PAPERCLIP_DEPLOYMENT_MODE");
  config.deployment_mode = from.file_text("server.deploymentMode").value_or("local_trusted");
  if (mode == "local_trusted" || mode == "authenticated") config.deployment_mode = *mode;
  if (config.deployment_mode != "authenticated") config.deployment_mode = "local_trusted";
  const auto exposure = from.text("PAPERCLIP_DEPLOYMENT_EXPOSURE");
  config.exposure = from.file_text("server.exposure").value_or("private");
  if (exposure == "private" || exposure == "public") config.exposure = *exposure;
  const bool local = config.deployment_mode == "local_trusted";
  if (local) config.exposure = "private";

  const std::string host = from.text("HOST").value_or(from.file_text("server.host").value_or("127.0.0.1"));
  if (const auto bind = from.text("PAPERCLIP_BIND")) config.bind = *bind;
  else if (const auto wanted = from.file_text("server.bind"); wanted && !from.text("HOST")) config.bind = *wanted;
  else if (is_loopback_host(host)) config.bind = "loopback";
  else if (host == "0.0.0.0" || host == "::") config.bind = "lan";
  else config.bind = "custom";

  if (local && config.bind != "loopback") {
    if (!is_loopback_host(host))
      return bad_request("local_trusted mode requires loopback host binding (received: " + host +
                         "). Use authenticated mode for non-loopback deployments.");
    return bad_request("local_trusted requires server.bind=loopback");
  }
  if (config.bind == "loopback") {
    config.host = host == "::1" ? "::1" : "127.0.0.1";
  } else if (config.bind == "lan") {
    config.host = "0.0.0.0";
  } else if (config.bind == "custom") {
    const auto custom = from.text("PAPERCLIP_BIND_HOST");
    config.host = custom.value_or(from.file_text("server.customBindHost").value_or(is_loopback_host(host) || host == "0.0.0.0" ? "" : host));
    if (config.host.empty()) return bad_request("server.customBindHost is required when server.bind=custom");
  } else if (config.bind == "tailnet") {
    if (config.exposure == "public") return bad_request("server.bind=tailnet is only supported for authenticated/private deployments");
    const auto detected = from.text("PAPERCLIP_TAILNET_BIND_HOST");
    if (!detected) return bad_request("server.bind=tailnet requires a detected Tailscale address or PAPERCLIP_TAILNET_BIND_HOST");
    config.host = *detected;
  } else {
    return bad_request("Unknown bind '" + config.bind + "': expected loopback, lan, tailnet or custom (PAPERCLIP_BIND).");
  }
  if (const auto port = from.text("PORT")) config.port = static_cast<std::uint16_t>(TRY(number("PORT", *port, 0, 65535)));
  else if (const auto* filed = from.file_value("server.port"); filed != nullptr && filed->is_int64())
    config.port = static_cast<std::uint16_t>(TRY(number("server.port", std::to_string(filed->get_int64()), 1, 65535)));
  return {};
}

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

Result<Config> load_config(const Environment& environment, const fs::path& working_directory) {
  Config config;
  const auto home = environment("PAPERCLIP_HOME");
  config.home = fs::absolute(home && !trim(*home).empty() ? expand_home(std::string(trim(*home)), environment)
                                                           : expand_home("~/.paperclip", environment));
  config.instance_id = environment("PAPERCLIP_INSTANCE_ID").value_or("default");
  if (config.instance_id.empty()) config.instance_id = "default";
  for (char c : config.instance_id)
    if (!(std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-'))
      return bad_request("Invalid PAPERCLIP_INSTANCE_ID '" + config.instance_id + "'.");
  config.instance_root = config.home / "instances" / config.instance_id;
  config.config_file = find_config_file(environment, working_directory, config.instance_root);

  std::map<std::string, std::string> env_files;
  for (const auto& path : {config.config_file.parent_path() / ".env", working_directory / ".env"})
    if (const auto text = read_text(path))
      for (auto& [name, value] : parse_env_file(*text)) env_files.emplace(name, value);
  json::value file = nullptr;
  if (const auto text = read_text(config.config_file))
    if (auto parsed = parse_json(*text); parsed && parsed->is_object() && member(*parsed, "$meta") != nullptr) {
      file = *std::move(parsed);
      config.config_file_used = true;
    }
  const Sources from(environment, std::move(env_files), std::move(file));
  TRY(resolve_binding(config, from));

  for (const char* name : {"PAPERCLIP_AUTH_PUBLIC_BASE_URL", "BETTER_AUTH_URL", "BETTER_AUTH_BASE_URL", "PAPERCLIP_PUBLIC_URL"})
    if (config.public_url.empty()) config.public_url = from.text(name).value_or("");
  if (config.public_url.empty()) config.public_url = from.file_text("auth.publicBaseUrl").value_or("");
  if (const auto names = from.text("PAPERCLIP_ALLOWED_HOSTNAMES")) {
    config.allowed_hostnames = comma_list(*names);
  } else if (const auto* names = from.file_value("server.allowedHostnames"); names != nullptr && names->is_array()) {
    for (const auto& name : names->get_array())
      if (name.is_string()) config.allowed_hostnames.push_back(lower(name.get_string()));
  }
  if (const auto name = hostname_of(config.public_url); !name.empty()) config.allowed_hostnames.push_back(name);

  config.database_url = from.text("DATABASE_URL").value_or(
      from.file_text("database.mode") == "postgres" ? from.file_text("database.connectionString").value_or("") : "");
  const auto directory = [&](const char* variable, const char* path, fs::path otherwise) {
    auto text = from.text(variable);
    if (!text && *path != '\0') text = from.file_text(path);
    return text ? fs::absolute(expand_home(*text, environment)) : otherwise;
  };
  config.log_directory = directory("PAPERCLIP_LOG_DIR", "logging.logDir", config.instance_root / "logs");
  config.run_log_directory = directory("RUN_LOG_BASE_PATH", "", config.instance_root / "data" / "run-logs");
  config.operation_log_directory = directory("WORKSPACE_OPERATION_LOG_BASE_PATH", "", config.instance_root / "data" / "workspace-operation-logs");
  config.storage_directory = directory("PAPERCLIP_STORAGE_LOCAL_DIR", "storage.localDisk.baseDir", config.instance_root / "data" / "storage");
  config.secrets_key_file = directory("PAPERCLIP_SECRETS_MASTER_KEY_FILE", "secrets.localEncrypted.keyFilePath", config.instance_root / "secrets" / "master.key");
  config.secrets_master_key = SecretText(from.variable("PAPERCLIP_SECRETS_MASTER_KEY").value_or(""));
  config.secrets_strict = from.flag("PAPERCLIP_SECRETS_STRICT_MODE", "secrets.strictMode", false);
  config.storage_provider = from.text("PAPERCLIP_STORAGE_PROVIDER").value_or(from.file_text("storage.provider").value_or("local_disk"));
  if (const auto bytes = from.text("PAPERCLIP_ATTACHMENT_MAX_BYTES"))
    config.attachment_max_bytes = static_cast<std::size_t>(TRY(number("PAPERCLIP_ATTACHMENT_MAX_BYTES", *bytes, 1, 1073741824)));
  if (const auto types = from.text("PAPERCLIP_ALLOWED_ATTACHMENT_TYPES")) config.allowed_content_types = comma_list(*types);
  config.company_deletion_enabled = from.flag("PAPERCLIP_ENABLE_COMPANY_DELETION", "", config.deployment_mode == "local_trusted");
  config.serve_ui = from.flag("SERVE_UI", "server.serveUi", true);

  config.token_secret = SecretText(from.text("PAPERCLIP_AGENT_JWT_SECRET").value_or(from.text("BETTER_AUTH_SECRET").value_or("")));
  if (const auto seconds = from.text("PAPERCLIP_AGENT_JWT_TTL_SECONDS"))
    config.token_lifetime = std::chrono::seconds(TRY(number("PAPERCLIP_AGENT_JWT_TTL_SECONDS", *seconds, 1, 315360000)));
  config.token_issuer = from.text("PAPERCLIP_AGENT_JWT_ISSUER").value_or("paperclip");
  config.token_audience = from.text("PAPERCLIP_AGENT_JWT_AUDIENCE").value_or("paperclip-api");
  if (const auto runs = from.text("PAPERCLIP_MAX_LIVE_RUNS"))
    config.max_live_runs = static_cast<int>(TRY(number("PAPERCLIP_MAX_LIVE_RUNS", *runs, 1, 10000)));
  for (const auto& [variable, days] : {std::pair("PAPERCLIP_RUN_LOG_RETENTION_DAYS", &config.run_log_retention_days),
                                       std::pair("PAPERCLIP_EVENT_RETENTION_DAYS", &config.event_retention_days),
                                       std::pair("PAPERCLIP_PLUGIN_LOG_RETENTION_DAYS", &config.plugin_log_retention_days)})
    if (const auto text = from.text(variable)) *days = static_cast<int>(TRY(number(variable, *text, 0, 36500)));
  config.scheduler_enabled = from.variable("HEARTBEAT_SCHEDULER_ENABLED") != "false";
  if (const auto ms = from.text("HEARTBEAT_SCHEDULER_INTERVAL_MS"))
    config.scheduler_interval = std::chrono::milliseconds(std::max<std::int64_t>(10000, TRY(number("HEARTBEAT_SCHEDULER_INTERVAL_MS", *ms, 1, 86400000))));
  return config;
}

}  // namespace paperclip::server
