#include "cli/local/checks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/text.h"
#include "cli/local/instance.h"
#include "cli/local/network.h"
#include "domain/schema/migrations.h"
#include "domain/secrets/vault.h"
#include "os/child_environment.h"
#include "os/file_lock.h"
#include "os/files.h"
#include "os/process.h"
#include "store/database.h"

namespace paperclip::cli {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

class Examination {
 public:
  Examination(const Surroundings& around, bool repair) : around_(around), repair_(repair) {}

  std::vector<Check> all() {
    if (!configuration()) return std::move(checks_);
    deployment();
    token_secret();
    master_key();
    directories();
    const bool free = lock();
    database(free);
    runner();
    port(free);
    tool("Node.js", "node", "--version", "npm plugins and most coding tools need it: https://nodejs.org");
    tool("Claude Code", "claude", "--version",
         "Agents of type claude_local need it: npm install -g @anthropic-ai/claude-code");
    return std::move(checks_);
  }

 private:
  void ok(std::string name, std::string message) {
    checks_.push_back({std::move(name), Health::ok, std::move(message), {}});
  }
  void warn(std::string name, std::string message, std::string advice) {
    checks_.push_back({std::move(name), Health::warn, std::move(message), std::move(advice)});
  }
  void fail(std::string name, std::string message, std::string advice) {
    checks_.push_back({std::move(name), Health::fail, std::move(message), std::move(advice)});
  }

  bool configuration() {
    auto loaded = server::load_config(around_.environment, around_.working_directory);
    if (!loaded) {
      fail("Configuration", loaded.error().message, "Change the variable or the configuration file that it names.");
      return false;
    }
    config_ = *std::move(loaded);
    auto content = read_configuration(config_.config_file);
    if (content) {
      ok("Configuration", config_.config_file.string());
    } else if (content.error().kind == ErrorKind::not_found) {
      warn("Configuration", config_.config_file.string() + " is not there; defaults and variables are used",
           "Run `paperclip onboard --yes` to write it.");
    } else {
      fail("Configuration", content.error().message,
           "Repair the file, or run `paperclip onboard --yes` to replace it.");
      return false;
    }
    return true;
  }

  void deployment() {
    const std::string what =
        fmt::format("{} ({}), {}:{}", config_.deployment_mode, config_.exposure, config_.host, config_.port);
    if (config_.deployment_mode == "authenticated" && config_.token_secret.expose().empty())
      fail("Deployment", what + ", but no secret to sign sessions with",
           "Set BETTER_AUTH_SECRET or PAPERCLIP_AGENT_JWT_SECRET.");
    else if (config_.exposure == "public" && !config_.public_url.starts_with("http"))
      fail("Deployment", what + ", but no public URL",
           "Set auth.publicBaseUrl, or PAPERCLIP_PUBLIC_URL, to the address people use.");
    else if (config_.exposure == "public" && !config_.public_url.starts_with("https://"))
      warn("Deployment", what + ", public URL " + config_.public_url + " without TLS",
           "Put a TLS proxy in front and use its https address.");
    else
      ok("Deployment", what);
  }

  void token_secret() {
    const auto file = env_file_of(config_);
    if (!around_.variable("PAPERCLIP_AGENT_JWT_SECRET").empty())
      return ok("Token secret", "PAPERCLIP_AGENT_JWT_SECRET is set");
    if (env_file_value(file, "PAPERCLIP_AGENT_JWT_SECRET")) return ok("Token secret", file.string());
    if (!config_.token_secret.expose().empty()) return ok("Token secret", "BETTER_AUTH_SECRET is used");
    const auto kept = config_.instance_root / "secrets" / "run-token.key";
    if (fs::exists(kept)) return ok("Token secret", kept.string());
    if (!repair_)
      return warn("Token secret", "none yet",
                  "The server makes one at its first start; `paperclip doctor --repair` makes it now.");
    if (auto made = ensure_env_secret(file, "PAPERCLIP_AGENT_JWT_SECRET"); !made)
      fail("Token secret", made.error().message, "Make the directory writable for this user.");
    else
      ok("Token secret", "made in " + file.string());
  }

  void master_key() {
    const std::string name = "Secrets key";
    const std::string configured = config_.secrets_master_key.expose();
    const auto& file = config_.secrets_key_file;
    std::error_code ignored;
    const bool there = fs::exists(file, ignored);
    if (configured.empty() && !there && !repair_)
      return warn(name, file.string() + " is not there",
                  "The server makes it at its first start; `paperclip doctor --repair` makes it now.");
    auto vault = domain::SecretVault::open(configured, file, Random::system());
    if (!vault)
      return fail(name, vault.error().message,
                  "Without the right key no stored secret can be read. Restore it from a backup.");
    // A key that opens what it sealed.
    const auto opened = vault->unseal(vault->seal(SecretText("probe")));
    if (!opened || opened->expose() != "probe")
      return fail(name, "does not decrypt what it encrypted", "Report this: it is a defect.");
    if (configured.empty() && there &&
        ((fs::status(file, ignored).permissions() & (fs::perms::group_all | fs::perms::others_all)) != fs::perms::none))
      return warn(name, file.string() + " is readable by others", "chmod 600 " + file.string());
    ok(name, configured.empty() ? (there ? file.string() : "made in " + file.string())
                                : "PAPERCLIP_SECRETS_MASTER_KEY is set");
  }

  // Whether we may make and remove a file there.
  Result<> probe_writable(const fs::path& directory) {
    std::error_code problem;
    if (!fs::exists(directory, problem)) {
      if (!repair_) return not_found(directory.string() + " is made at the first start");
      TRY(os::make_directories(directory));
    }
    const auto probe = directory / (".doctor-" + Random::system().hex(6));
    TRY(os::write_file_atomically(probe, "probe"));
    return os::remove_tree(probe);
  }

  void directories() {
    for (const auto& [name, directory] : {std::pair{"Data directory", config_.instance_root},
                                          {"Log directory", config_.log_directory},
                                          {"Storage", config_.storage_directory}}) {
      if (std::string_view(name) == "Storage" && config_.storage_provider == "s3") {
        warn(name, "S3, which is not checked from here", "");
        continue;
      }
      if (auto writable = probe_writable(directory); !writable) {
        if (writable.error().kind == ErrorKind::not_found)
          ok(name, writable.error().message);
        else
          fail(name, writable.error().message,
               "Make it writable for this user, or choose another home with --data-dir or PAPERCLIP_HOME.");
        continue;
      }
      struct statvfs disk{};
      const std::uint64_t left =
          ::statvfs(directory.c_str(), &disk) == 0 ? std::uint64_t(disk.f_bavail) * disk.f_frsize / (1024 * 1024) : 0;
      if (left > 0 && left < 512)
        warn(name, fmt::format("{}, only {} MiB left on its disk", directory.string(), left), "Make room.");
      else
        ok(name, directory.string());
    }
  }

  // Whether no server runs on this directory.
  bool lock() {
    const auto file = config_.instance_root / "server.lock";
    std::error_code ignored;
    if (!fs::exists(file, ignored)) {
      ok("Instance lock", "free");
      return true;
    }
    auto taken = os::FileLock::acquire(file, "server");
    if (taken) {
      ok("Instance lock", "free");
      return true;
    }
    if (taken.error().kind == ErrorKind::conflict)
      ok("Instance lock", "a server is running: " + taken.error().message);
    else
      fail("Instance lock", taken.error().message, "Make the file writable for this user.");
    return false;
  }

  void database(bool free) {
    const std::string name = "Database";
    store::OpenOptions options{.where = store::SqliteFile{}, .migrations = domain::domain_migrations()};
    std::string where = "PostgreSQL";
    if (config_.database_url.empty()) {
      const auto file = config_.instance_root / "db" / "paperclip.sqlite";
      where = file.string();
      std::error_code ignored;
      if (!free) return ok(name, where + ", open in the running server");
      if (!fs::exists(file, ignored)) return ok(name, where + " is made at the first start");
      options.where = store::SqliteFile{file.string()};
    } else {
      options.where = store::PostgresUrl{config_.database_url};
    }
    try {
      auto database = store::Database::open(std::move(options));
      if (!database)
        return fail(name, database.error().message,
                    config_.database_url.empty() ? "Restore the file from a backup."
                                                 : "Check DATABASE_URL and that PostgreSQL answers.");
      (*database)->read([](store::Reader& reader) { return reader.exists("select 1"); });
      ok(name, where + " opens");
    } catch (const std::exception& problem) {
      fail(name, problem.what(),
           config_.database_url.empty() ? "Restore the file from a backup."
                                        : "Check DATABASE_URL and that PostgreSQL answers.");
    }
  }

  Result<std::string> said_by(const std::string& program, const std::string& argument) {
    auto environment = os::ChildEnvironment::from_host(os::own_environment());
    if (const auto path = around_.variable("PATH"); !path.empty()) environment.set("PATH", path);
    auto said =
        TRY(os::run_command({.argv = {program, argument}, .environment = environment.variables()}, Deadline::in(10s)));
    if (!said.ok()) return internal_error(fmt::format("exits with {}: {}", said.exit_code, trim(said.stderr_text)));
    return std::string(trim(split(said.stdout_text, '\n').front()));
  }

  void runner() {
    const std::string program = find_runner(around_);
    if (program.empty())
      return fail("Runner", "paperclip-runner is not found: no agent can be started on this machine",
                  "Put paperclip-runner beside the paperclip program (both come from the same build).");
    if (auto version = said_by(program, "version"); !version)
      fail("Runner", program + " " + version.error().message, "Install the one of the same build.");
    else
      ok("Runner", program + ": " + *version);
  }

  void port(bool free) {
    if (config_.port == 0) return ok("Server port", "any free one");
    const bool bindable = can_bind(config_.host, config_.port);
    if (bindable)
      ok("Server port", fmt::format("{} is free", config_.port));
    else if (!free)
      ok("Server port", fmt::format("{} is in use, as it should be while a server runs here", config_.port));
    else
      warn("Server port", fmt::format("{} is in use by another program", config_.port),
           "Choose another with --port, PORT or server.port.");
  }

  void tool(const std::string& name, const std::string& program, const std::string& argument,
            const std::string& advice) {
    const auto path = around_.variable("PATH");
    const auto found =
        os::resolve_command(program, around_.working_directory.string(), path.empty() ? os::default_path : path);
    if (!found) return warn(name, program + " is not in PATH", advice);
    if (auto version = said_by(*found, argument); !version)
      warn(name, *found + " " + version.error().message, advice);
    else
      ok(name, *found + ": " + *version);
  }

  Surroundings around_;
  bool repair_;
  server::Config config_;
  std::vector<Check> checks_;
};

}  // namespace

std::string find_runner(const Surroundings& around) {
  if (const auto named = around.variable("PAPERCLIP_RUNNER"); !named.empty()) return named;
  std::error_code problem;
  const fs::path self = fs::read_symlink("/proc/self/exe", problem);
  if (!problem)
    if (const auto beside = self.parent_path() / "paperclip-runner"; ::access(beside.c_str(), X_OK) == 0)
      return beside.string();
  return {};
}

std::vector<Check> run_checks(const Surroundings& around, bool repair) { return Examination(around, repair).all(); }

}  // namespace paperclip::cli
