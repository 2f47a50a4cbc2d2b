#include "cli/local/instance.h"

#include "base/random.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/client.h"
#include "cli/command_line.h"
#include "cli/output.h"
#include "os/child_environment.h"
#include "os/files.h"
#include "os/process.h"

namespace paperclip::cli {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

void declare_instance_options(OptionSet& command, InstanceOptions& options) {
  command.add("-c,--config", options.config, "Configuration file");
  command.add("-d,--data-dir,--home", options.data_dir, "Paperclip home, in place of ~/.paperclip");
  command.add("-i,--instance", options.instance, "Instance id (default)");
}

Surroundings at_instance(const Surroundings& around, const InstanceOptions& options) {
  Surroundings out = around;
  if (!options.instance.empty())
    out.environment = overlay(around.environment, {{"PAPERCLIP_INSTANCE_ID", options.instance}});
  return with_data_directory(out, options.data_dir, options.config);
}

namespace {

std::string tailnet_address(const Surroundings& around) {
  if (const auto named = around.variable("PAPERCLIP_TAILNET_BIND_HOST"); !named.empty()) return named;
  const auto said = os::run_command({.argv = {"tailscale", "ip", "-4"},
                                     .environment = os::ChildEnvironment::from_host(os::own_environment()).variables()},
                                    Deadline::in(3s));
  return said && said->ok() ? std::string(trim(split(said->stdout_text, '\n').front())) : "";
}

}  // namespace

json::object default_configuration(const Surroundings& around, const server::Config& paths, Bind bind) {
  const fs::path& root = paths.instance_root;
  std::string mode = "authenticated", host = "0.0.0.0", bind_word = "lan";
  if (bind == Bind::loopback) mode = "local_trusted", host = "127.0.0.1", bind_word = "loopback";
  if (bind == Bind::tailnet) {
    host = tailnet_address(around);
    bind_word = "tailnet";
    if (host.empty()) {
      around.err << "No Tailscale address found; binding 127.0.0.1. Set PAPERCLIP_TAILNET_BIND_HOST to name one.\n";
      host = "127.0.0.1";
      bind_word = "loopback";
    }
  }
  const std::string public_url = paths.public_url;
  json::object database{{"mode", "embedded-postgres"},  // the file's word for "our own"; it is SQLite
                        {"embeddedPostgresDataDir", (root / "db").string()},
                        {"embeddedPostgresPort", 54329},
                        {"backup",
                         {{"enabled", true},
                          {"intervalMinutes", 60},
                          {"retentionDays", 30},
                          {"dir", (root / "data" / "backups").string()}}}};
  if (!paths.database_url.empty()) {
    database["mode"] = "postgres";
    database["connectionString"] = paths.database_url;
  }
  json::array hostnames;
  for (const auto& name : paths.allowed_hostnames) hostnames.emplace_back(name);
  json::object auth{{"baseUrlMode", public_url.empty() ? "auto" : "explicit"}, {"disableSignUp", false}};
  if (!public_url.empty()) auth["publicBaseUrl"] = public_url;
  return {{"database", std::move(database)},
          {"logging", {{"mode", "file"}, {"logDir", (root / "logs").string()}}},
          {"server",
           {{"deploymentMode", mode},
            {"exposure", "private"},
            {"bind", bind_word},
            {"host", host},
            {"port", paths.port == 0 ? 3100 : paths.port},
            {"allowedHostnames", std::move(hostnames)},
            {"serveUi", true}}},
          {"telemetry", {{"enabled", false}}},
          {"auth", std::move(auth)},
          {"storage",
           {{"provider", "local_disk"},
            {"localDisk", {{"baseDir", (root / "data" / "storage").string()}}},
            {"s3", {{"bucket", "paperclip"}, {"region", "us-east-1"}, {"prefix", ""}, {"forcePathStyle", false}}}}},
          {"secrets",
           {{"provider", "local_encrypted"},
            {"strictMode", false},
            {"localEncrypted", {{"keyFilePath", (root / "secrets" / "master.key").string()}}}}}};
}

namespace {

// The first thing that keeps a configuration from being used; nothing when it can be.
std::optional<std::string> wrong_with(const json::value& content) {
  const auto word = [&](std::string_view where,
                        std::initializer_list<std::string_view> allowed) -> std::optional<std::string> {
    const auto* value = find_path(content, where);
    if (value == nullptr) return std::nullopt;
    if (value->is_string())
      for (auto one : allowed)
        if (value->get_string() == one) return std::nullopt;
    std::string list;
    for (auto one : allowed) (list += list.empty() ? "" : ", ") += one;
    return std::string(where) + " is " + to_string(*value) + ", expected one of " + list;
  };
  for (auto section : {"$meta", "database", "logging", "server"})
    if (const auto* value = member(content, section); value == nullptr || !value->is_object())
      return std::string(section) + " is missing";
  const auto* version = find_path(content, "$meta.version");
  if (version == nullptr || !version->is_int64() || version->get_int64() != 1) return "$meta.version is not 1";
  for (auto wrong :
       {word("database.mode", {"embedded-postgres", "postgres"}), word("logging.mode", {"file", "cloud"}),
        word("server.deploymentMode", {"local_trusted", "authenticated"}),
        word("server.exposure", {"private", "public"}), word("server.bind", {"loopback", "lan", "tailnet", "custom"}),
        word("auth.baseUrlMode", {"auto", "explicit"}), word("storage.provider", {"local_disk", "s3"}),
        word("secrets.provider", {"local_encrypted", "aws_secrets_manager", "gcp_secret_manager", "vault"})})
    if (wrong) return wrong;
  if (const auto* port = find_path(content, "server.port"))
    if (!port->is_int64() || port->get_int64() < 1 || port->get_int64() > 65535)
      return "server.port is " + to_string(*port) + ", expected 1 to 65535";
  const auto text = [&](std::string_view where) {
    const auto* value = find_path(content, where);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
  };
  if (text("server.deploymentMode") != "authenticated") {
    if (text("server.exposure") == "public") return "server.exposure is public, which local_trusted does not allow";
    if (const auto bind = text("server.bind"); !bind.empty() && bind != "loopback")
      return "server.bind is " + bind + ", but local_trusted requires loopback";
  }
  if (text("server.bind") == "custom" && text("server.customBindHost").empty())
    return "server.bind is custom, but server.customBindHost is missing";
  if (text("server.bind") == "tailnet" && text("server.exposure") == "public")
    return "server.bind is tailnet, which cannot be public";
  const bool explicit_url = text("auth.baseUrlMode") == "explicit";
  if (explicit_url && text("auth.publicBaseUrl").empty())
    return "auth.baseUrlMode is explicit, but auth.publicBaseUrl is missing";
  if (text("server.exposure") == "public" && !explicit_url)
    return "server.exposure is public, which requires auth.baseUrlMode explicit";
  return std::nullopt;
}

}  // namespace

Result<json::object> read_configuration(const fs::path& file) {
  const std::string text = TRY(os::read_file(file, 1024 * 1024));
  auto parsed = parse_json(text);
  if (!parsed) return bad_request(file.string() + " is not JSON: " + parsed.error().message);
  if (auto wrong = wrong_with(*parsed)) return bad_request(file.string() + ": " + *wrong);
  return std::move(parsed->get_object());
}

Result<> write_configuration(const fs::path& file, json::object content, std::string_view source) {
  json::object whole{{"$meta", {{"version", 1}, {"updatedAt", to_iso(Clock::system().now())}, {"source", source}}}};
  for (auto& entry : content)
    if (entry.key() != "$meta") whole[entry.key()] = entry.value();
  TRY(os::make_directories(file.parent_path()));
  if (auto former = os::read_file(file)) TRY(os::write_file_atomically(file.string() + ".backup", *former, 0600));
  return os::write_file_atomically(file, pretty_json(whole) + "\n", 0600, os::Durability::synced);
}

fs::path env_file_of(const server::Config& config) { return config.config_file.parent_path() / ".env"; }

std::optional<std::string> env_file_value(const fs::path& file, const std::string& name) {
  const auto text = os::read_file(file, 1024 * 1024);
  if (!text) return std::nullopt;
  for (const auto& raw : split(*text, '\n')) {
    auto line = trim(raw);
    if (line.starts_with("export ")) line = trim(line.substr(7));
    const auto equals = line.find('=');
    if (equals == std::string_view::npos || trim(line.substr(0, equals)) != name) continue;
    auto value = trim(line.substr(equals + 1));
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front())
      value = value.substr(1, value.size() - 2);
    if (!value.empty()) return std::string(value);
  }
  return std::nullopt;
}

Result<bool> ensure_env_secret(const fs::path& file, const std::string& name) {
  if (env_file_value(file, name)) return false;
  std::string text;
  if (auto former = os::read_file(file, 1024 * 1024))
    text = *std::move(former);
  else if (former.error().kind != ErrorKind::not_found)
    return std::move(former).error();
  if (!text.empty() && text.back() != '\n') text += '\n';
  text += name + "=" + Random::system().hex(32) + "\n";
  TRY(os::make_directories(file.parent_path()));
  TRY(os::write_file_atomically(file, text, 0600, os::Durability::synced));
  return true;
}

}  // namespace paperclip::cli
