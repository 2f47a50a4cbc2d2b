#include "domain/environments/held_directory.h"

#include <filesystem>

#include "base/text.h"
#include "domain/environments/environment_config.h"
#include "domain/environments/environments.h"
#include "domain/environments/selection.h"

namespace paperclip::domain {

std::string directory_name(std::string_view host, std::int64_t port, std::string_view path) {
  std::string normal = std::filesystem::path(path).lexically_normal().string();
  while (normal.size() > 1 && normal.ends_with('/')) normal.pop_back();
  return lower(host) + ":" + std::to_string(port) + normal;
}

namespace {

std::string directory_below(const json::object& config, const std::string& name) {
  const auto* port = config.if_contains("port");
  const json::value whole(config);
  return directory_name(string_at(whole, "host").value_or(""), port != nullptr && port->is_int64() ? port->get_int64() : 22,
                        string_at(whole, "remoteWorkspacePath").value_or("") + "/" + name);
}

}  // namespace

std::optional<std::string> in_place_directory(const Environment& environment) {
  if (environment.driver != EnvironmentDriver::ssh) return std::nullopt;
  const json::object config = config_of(environment);
  const auto* in_place = config.if_contains("inPlace");
  if (in_place == nullptr || *in_place != json::value(true)) return std::nullopt;
  return directory_below(config, "");
}

std::string take_mirror(store::Transaction& tx, const Environment& environment, const std::string& key, RunId run) {
  const json::object config = config_of(environment);
  for (int number = 1;; ++number) {
    std::string name = number == 1 ? key : key + "-" + std::to_string(number);
    if (take_directory(tx, directory_below(config, name), run)) return name;
  }
}

std::optional<std::string> in_place_directory_of_queued(store::Reader& reader, CompanyId company, AgentId agent, std::optional<IssueId> issue) {
  if (!reader.exists("select 1 from environments where company_id = :1 and driver = 'ssh'", company)) return std::nullopt;
  const auto own = reader.value<EnvironmentId>("select default_environment_id from agents where id = :1 and default_environment_id is not null", agent);
  const auto chosen = select_environment(reader, {company, issue, own});
  const auto environment = chosen ? find_environment(reader, company, *chosen) : std::nullopt;
  return environment ? in_place_directory(*environment) : std::nullopt;
}

std::optional<RunId> holder_of(store::Reader& reader, std::string_view directory) {
  return reader.value<RunId>("select h.run_id from held_directories h join heartbeat_runs r on r.id = h.run_id where h.directory = :1 and (r.status = 'running' or "
                             "exists (select 1 from environment_leases l where l.heartbeat_run_id = r.id and l.status = 'active'))",
                             directory);
}

bool take_directory(store::Transaction& tx, std::string_view directory, RunId run) {
  if (const auto holder = holder_of(tx, directory)) return *holder == run;
  const auto before = tx.value<RunId>("select run_id from held_directories where directory = :1", directory);
  // Whoever came first at the same time has it.
  if (!before)
    return tx.execute("insert into held_directories (directory, run_id, since) values (:1, :2, :3) on conflict do nothing", directory, run, tx.now()) == 1;
  return tx.execute("update held_directories set run_id = :1, since = :2 where directory = :3 and run_id = :4", run, tx.now(), directory, *before) == 1;
}

std::vector<AgentId> waiting_for_directories_of(store::Reader& reader, RunId run) {
  if (!reader.exists("select 1 from held_directories where run_id = :1", run)) return {};
  return reader.column<AgentId>("select distinct agent_id from heartbeat_runs where status = 'queued' and company_id in "
                                "(select company_id from environments where driver = 'ssh')");
}

}  // namespace paperclip::domain
