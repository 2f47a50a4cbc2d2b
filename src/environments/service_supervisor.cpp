#include "environments/service_supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/template.h"
#include "base/text.h"
#include "base/write_json.h"
#include "domain/workspaces/operations.h"
#include "domain/workspaces/service_rules.h"
#include "environments/host_commands.h"
#include "environments/service_ports.h"
#include "net/client.h"
#include "os/files.h"
#include "store/database.h"

namespace paperclip::environments {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using domain::HealthStatus;
using domain::RuntimeServiceStatus;
using Row = domain::WorkspaceRuntimeService;

namespace {

constexpr auto term_patience = 2s;
constexpr auto look_again = 50ms;
constexpr auto adoption_patience = 2s;
constexpr std::size_t quoted_bytes = 4096;
constexpr std::uintmax_t longest_log = 64 * 1024 * 1024;

os::Descriptor open_pidfd(pid_t pid) { return os::Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

bool is_alive(pid_t pid) { return pid > 0 && (::kill(pid, 0) == 0 || errno == EPERM); }

// The process of a record: the one that was started, not another that got its pid.
bool is_recorded_process(const json::value& record, pid_t pid, const std::string& command, const std::string& name) {
  if (!is_alive(pid)) return false;
  if (const auto* start = member(record, "processStartTime"); start != nullptr && start->is_int64()) {
    const auto* boot = member(record, "bootId");
    const auto now = os::process_start_time(pid);
    return now && static_cast<std::int64_t>(*now) == start->get_int64() && boot != nullptr && boot->is_string() && os::boot_id() == std::string_view(boot->get_string());
  }
  auto line = os::read_file("/proc/" + std::to_string(pid) + "/cmdline", 1 << 20);
  if (!line) return false;
  for (auto& c : *line)
    if (c == '\0') c = ' ';
  return line->find(command) != std::string::npos || line->find(name) != std::string::npos;
}

std::string end_of(const fs::path& log) {
  std::error_code ec;
  const auto size = fs::file_size(log, ec);
  if (ec || size == 0 || size > longest_log) return {};
  const auto text = os::read_file(log, longest_log);
  return text ? std::string(trim(utf8_tail(*text, quoted_bytes))) : std::string();
}

bool is_at_or_below(const std::string& path, std::string base) {
  while (base.size() > 1 && base.ends_with('/')) base.pop_back();
  return path == base || path.starts_with(base + "/");
}

template <class IdType>
json::value or_null(const std::optional<IdType>& id) {
  return id ? json::value(id->view()) : json::value(nullptr);
}
json::value or_null(const std::optional<std::string>& text) { return text ? json::value(*text) : json::value(nullptr); }

}  // namespace

ServiceSupervisor::ServiceSupervisor(SupervisorOptions options) : options_(std::move(options)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  thread_ = std::thread([this] { follow(); });
}

ServiceSupervisor::~ServiceSupervisor() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  ::eventfd_write(wake_.get(), 1);
  thread_.join();
}

fs::path ServiceSupervisor::record_of(const std::string& service_key) const { return options_.directory / (service_key + ".json"); }

void ServiceSupervisor::save(const Row& row) {
  auto saved = options_.database.write([&](store::Transaction& tx) -> Result<> {
    domain::save_service(tx, row);
    return {};
  });
  if (!saved) spdlog::error("runtime_service.not_saved service={} error=\"{}\"", row.id.view(), saved.error().message);
}

void ServiceSupervisor::write_record(const Live& live, const std::string& fingerprint) {
  const Row& row = live.row;
  const auto start = os::process_start_time(live.pid);
  const std::string now = to_iso(options_.database.clock().now());
  const json::value record{{"version", 1},
                           {"serviceKey", live.service_key},
                           {"profileKind", "workspace-runtime"},
                           {"serviceName", row.service_name},
                           {"command", or_null(row.command)},
                           {"cwd", or_null(row.cwd)},
                           {"envFingerprint", fingerprint},
                           {"port", row.port ? json::value(*row.port) : json::value(nullptr)},
                           {"url", or_null(row.url)},
                           {"pid", live.pid},
                           {"processGroupId", live.pid},
                           {"processStartTime", start ? json::value(static_cast<std::int64_t>(*start)) : json::value(nullptr)},
                           {"bootId", os::boot_id()},
                           {"provider", "local_process"},
                           {"runtimeServiceId", row.id.view()},
                           {"reuseKey", or_null(row.reuse_key)},
                           {"startedAt", to_iso(row.started_at)},
                           {"lastSeenAt", now},
                           {"metadata", json::object{{"projectId", or_null(row.project_id)}, {"projectWorkspaceId", or_null(row.project_workspace_id)},
                                                     {"executionWorkspaceId", or_null(row.execution_workspace_id)}, {"issueId", or_null(row.issue_id)},
                                                     {"scopeType", to_text(row.scope_type)}, {"scopeId", or_null(row.scope_id)}}}};
  if (auto written = os::write_file_atomically(record_of(live.service_key), to_string(record)); !written)
    spdlog::error("runtime_service.no_record service={} error=\"{}\"", row.id.view(), written.error().message);
}

std::optional<Row> ServiceSupervisor::running_like(const ServiceSpec& spec) {
  if (!spec.row.reuse_key) return std::nullopt;
  std::lock_guard lock(mutex_);
  for (const auto& [id, live] : live_)
    if (live.row.reuse_key == spec.row.reuse_key && live.row.status == RuntimeServiceStatus::running && !live.stopping) return live.row;
  return std::nullopt;
}

// One that an earlier server started and this one does not know yet (spec 8.3).
std::optional<Row> ServiceSupervisor::adopt_recorded(const ServiceSpec& spec) {
  const auto text = os::read_file(record_of(spec.service_key), 1 << 20);
  if (!text) return std::nullopt;
  const auto record = parse_json(*text);
  if (!record) return std::nullopt;
  const auto* pid = member(*record, "pid");
  const auto id = RuntimeServiceId::parse(string_at(*record, "runtimeServiceId").value_or(""));
  if (pid == nullptr || !pid->is_int64() || !id || is_live(*id)) return std::nullopt;
  const auto number = static_cast<pid_t>(pid->get_int64());
  if (!is_recorded_process(*record, number, *spec.row.command, spec.row.service_name) || string_at(*record, "command") != *spec.row.command ||
      string_at(*record, "cwd") != *spec.row.cwd || string_at(*record, "envFingerprint") != spec.env_fingerprint)
    return std::nullopt;
  const auto* port = member(*record, "port");
  if (spec.port && (port == nullptr || !port->is_int64() || port->get_int64() != *spec.port)) return std::nullopt;
  Live live;
  live.row = spec.row;
  live.row.id = *id;
  live.row.status = RuntimeServiceStatus::running;
  live.row.health_status = HealthStatus::healthy;
  live.row.provider_ref = std::to_string(number);
  if (port != nullptr && port->is_int64()) live.row.port = static_cast<int>(port->get_int64());
  live.row.url = string_at(*record, "url");
  live.row.started_at = parse_iso(string_at(*record, "startedAt").value_or("")).value_or(options_.database.clock().now());
  live.service_key = spec.service_key;
  live.pid = number;
  const Row row = live.row;
  save(row);
  watch(std::move(live));
  return row;
}

Result<Row> ServiceSupervisor::start(ServiceSpec spec, const std::function<void(std::string)>& said) {
  std::lock_guard one_at_a_time(starting_);
  if (auto same = running_like(spec)) {
    save(*same);
    return *std::move(same);
  }
  if (auto found = adopt_recorded(spec)) return *std::move(found);
  const std::string name = "\"" + spec.row.service_name + "\"";
  if (spec.port && is_port_taken(*spec.port)) {
    const auto holder = listener_of(*spec.port);
    return unprocessable("Runtime service " + name + " could not start because port " + std::to_string(*spec.port) + " is already in use" +
                         (holder ? " by pid " + std::to_string(*holder) : ""));
  }
  if (spec.auto_port) spec.port = free_port();

  Live live;
  Row& row = live.row = spec.row;
  row.id = Random::system().id<RuntimeServiceId>();
  row.port = spec.port;
  row.started_at = options_.database.clock().now();
  live.service_key = spec.service_key;
  json::object data = spec.template_data;
  if (row.port) data["port"] = *row.port;
  if (!spec.url_template.empty()) row.url = render_template(spec.url_template, data);

  TRY(os::make_directories(options_.directory));
  TRY(os::check_working_directory(*row.cwd));
  const fs::path log = options_.directory / (spec.service_key + ".log");
  os::Descriptor output(::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
  if (!output) return os::file_error("Cannot write", log, errno);
  auto variables = spec.variables;
  if (row.port) variables.emplace_back(spec.port_variable, std::to_string(*row.port));
  os::SpawnRequest request;
  const std::string shell = host_shell(options_.host);
  request.environment = host_command_environment(options_.host, variables);
  request.executable = TRY(os::resolve_command(shell, *row.cwd, os::value_in(request.environment, "PATH")));
  request.argv = {shell, "-lc", spec.command.text()};
  request.cwd = *row.cwd;
  request.descriptors = {{output.get(), 1}, {output.get(), 2}};
  request.session = os::SpawnRequest::Session::new_group;
  auto pid = os::spawn(request);
  if (!pid) return unprocessable("Failed to start runtime service " + name + ": " + pid.error().message);
  live.pid = *pid;
  live.child = true;
  row.provider_ref = std::to_string(*pid);
  row.status = RuntimeServiceStatus::running;
  row.health_status = HealthStatus::healthy;
  const Row started = row;
  const RuntimeServiceId id = started.id;
  write_record(live, spec.env_fingerprint);
  watch(std::move(live));

  std::string ready_url;
  if (!spec.ready_template.empty()) ready_url = render_template(spec.ready_template, data);
  auto ready = wait_ready(spec, started, ready_url);
  const std::string words = end_of(log);
  if (!words.empty())
    for (const auto& line : split(words, '\n')) said("[service:" + started.service_name + "] " + line + "\n");
  if (!ready) {
    stop(id, Deadline::in(term_patience + 1s));
    return unprocessable("Failed to start runtime service " + name + ": " + ready.error().message + (words.empty() ? "" : " | stderr: " + words));
  }
  // No row while it starts; if it is gone already, its end found no row to change.
  save(started);
  if (!is_live(id)) {
    (void)options_.database.write([&](store::Transaction& tx) -> Result<> {
      domain::end_service(tx, id, RuntimeServiceStatus::failed, HealthStatus::unhealthy);
      return {};
    });
    return unprocessable("Failed to start runtime service " + name + ": the process ended" + (words.empty() ? "" : " | stderr: " + words));
  }
  return started;
}

Result<> ServiceSupervisor::wait_ready(const ServiceSpec& spec, const Row& row, const std::string& url) {
  const auto deadline = Deadline::in(spec.ready_timeout);
  for (;;) {
    if (!is_live(row.id)) return unprocessable("the process ended before it was ready");
    if (url.empty()) return {};
    net::ClientRequest request;
    request.url = url;
    request.timeout = std::clamp<std::chrono::milliseconds>(deadline.left(), 1ms, 5000ms);
    request.max_response_bytes = 1 << 20;
    const auto answer = options_.http.send_blocking(std::move(request));
    if (answer && answer->status >= 200 && answer->status < 300) return {};
    if (deadline.passed()) return unprocessable("it did not answer at " + url + " in time");
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::min(spec.ready_interval, deadline.left()), [&] { return !live_.contains(row.id); });
  }
}

bool ServiceSupervisor::is_live(RuntimeServiceId id) {
  std::lock_guard lock(mutex_);
  return live_.contains(id);
}

void ServiceSupervisor::watch(Live live) {
  live.pidfd = open_pidfd(live.pid);
  {
    std::lock_guard lock(mutex_);
    const auto id = live.row.id;
    live_.insert_or_assign(id, std::move(live));
  }
  ::eventfd_write(wake_.get(), 1);
}

// Waits for processes to end. Without pidfds, and for the size of logs, it looks again now and then.
void ServiceSupervisor::follow() {
  for (;;) {
    std::vector<pollfd> fds{{wake_.get(), POLLIN, 0}};
    std::vector<RuntimeServiceId> ids;
    std::vector<pid_t> pids;
    std::vector<bool> children;
    bool blind = false;
    {
      std::lock_guard lock(mutex_);
      if (closing_) return;
      for (const auto& [id, live] : live_) {
        fds.push_back({live.pidfd.get(), POLLIN, 0});
        ids.push_back(id);
        pids.push_back(live.pid);
        children.push_back(live.child);
        blind |= !live.pidfd;
        std::error_code ec;
        const fs::path log = options_.directory / (live.service_key + ".log");
        if (fs::file_size(log, ec) > longest_log && !ec) fs::resize_file(log, 0, ec);
      }
    }
    ::poll(fds.data(), fds.size(), ids.empty() ? -1 : blind ? 500 : 60'000);
    eventfd_t count;
    if (fds[0].revents != 0) ::eventfd_read(wake_.get(), &count);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      int status = 0;
      if (children[i]) {
        const pid_t reaped = ::waitpid(pids[i], &status, WNOHANG);
        if (reaped == pids[i]) ended(ids[i], status);
        else if (reaped < 0) ended(ids[i], std::nullopt);
      } else if (fds[i + 1].revents != 0 || !is_alive(pids[i])) {
        ended(ids[i], std::nullopt);
      }
    }
  }
}

void ServiceSupervisor::ended(RuntimeServiceId id, std::optional<int> status) {
  bool stopping = false;
  std::string key;
  {
    std::lock_guard lock(mutex_);
    const auto found = live_.find(id);
    if (found == live_.end()) return;
    stopping = found->second.stopping;
    key = found->second.service_key;
  }
  const bool fine = stopping || !status || (WIFEXITED(*status) && WEXITSTATUS(*status) == 0) || (WIFSIGNALED(*status) && WTERMSIG(*status) == SIGTERM);
  (void)os::remove_tree(record_of(key));
  try {
    (void)options_.database.write([&](store::Transaction& tx) -> Result<> {
      domain::end_service(tx, id, fine ? RuntimeServiceStatus::stopped : RuntimeServiceStatus::failed, fine ? HealthStatus::unknown : HealthStatus::unhealthy);
      return {};
    });
  } catch (const std::exception& problem) {
    spdlog::error("runtime_service.end_not_saved service={} error=\"{}\"", id.view(), problem.what());
  }
  {
    std::lock_guard lock(mutex_);
    live_.erase(id);
  }
  changed_.notify_all();
}

void ServiceSupervisor::stop(RuntimeServiceId id, Deadline deadline) {
  pid_t group = 0;
  {
    std::lock_guard lock(mutex_);
    const auto found = live_.find(id);
    if (found != live_.end()) {
      found->second.stopping = true;
      group = found->second.pid;
    }
  }
  if (group > 0) {
    ::kill(-group, SIGTERM);
    const auto patience = Deadline::in(term_patience).or_sooner(deadline);
    std::unique_lock lock(mutex_);
    while (::kill(-group, 0) == 0 && !patience.passed()) changed_.wait_for(lock, look_again);
    if (::kill(-group, 0) == 0) ::kill(-group, SIGKILL);
    changed_.wait_for(lock, 5s, [&] { return !live_.contains(id); });
  }
  (void)options_.database.write([&](store::Transaction& tx) -> Result<> {
    domain::end_service(tx, id, RuntimeServiceStatus::stopped, HealthStatus::unknown);
    return {};
  });
}

void ServiceSupervisor::stop_of_execution_workspace(ExecutionWorkspaceId workspace, const std::optional<std::string>& path, Deadline deadline) {
  std::vector<RuntimeServiceId> ids;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, live] : live_)
      if (live.row.execution_workspace_id == workspace || (path && live.row.cwd && is_at_or_below(*live.row.cwd, *path))) ids.push_back(id);
  }
  for (const auto& id : ids) stop(id, deadline);
  for (const auto& id : options_.database.read([&](store::Reader& reader) {
         return reader.column<RuntimeServiceId>("select id from workspace_runtime_services where execution_workspace_id = :1 and status in ('starting', 'running')", workspace);
       }))
    stop(id, deadline);
}

void ServiceSupervisor::adopt() {
  (void)options_.database.write([](store::Transaction& tx) -> Result<> {
    domain::fail_abandoned_operations(tx);
    return {};
  });
  const auto rows = options_.database.read([&](store::Reader& reader) {
    return reader.all<Row>("select {} from workspace_runtime_services where provider = 'local_process' and status in ('starting', 'running') limit 10000");
  });
  if (rows.empty()) return;
  std::map<std::string, std::pair<std::string, json::value>> records;  // by service id: key and record
  if (const auto names = os::list_directory(options_.directory))
    for (const auto& name : *names) {
      if (!name.ends_with(".json")) continue;
      const auto text = os::read_file(options_.directory / name, 1 << 20);
      auto record = text ? parse_json(*text) : Result<json::value>(internal_error(""));
      if (!record) continue;
      if (const auto id = string_at(*record, "runtimeServiceId")) records.insert_or_assign(*id, std::pair(name.substr(0, name.size() - 5), *std::move(record)));
    }
  for (Row row : rows) {
    const auto found = records.find(row.id.str());
    const auto* pid = found == records.end() ? nullptr : member(found->second.second, "pid");
    auto number = pid != nullptr && pid->is_int64() ? static_cast<pid_t>(pid->get_int64()) : 0;
    bool alive = number > 0 && is_recorded_process(found->second.second, number, row.command.value_or(""), row.service_name);
    if (alive && row.url) {
      net::ClientRequest request;
      request.url = *row.url;
      request.timeout = adoption_patience;
      const auto answer = options_.http.send_blocking(std::move(request));
      alive = answer && answer->status >= 200 && answer->status < 300;
    }
    if (!alive) {
      if (found != records.end()) (void)os::remove_tree(record_of(found->second.first));
      stop(row.id, Deadline::in(1s));
      continue;
    }
    Live live;
    live.row = row;
    live.row.status = RuntimeServiceStatus::running;
    live.service_key = found->second.first;
    live.pid = number;
    save(live.row);
    watch(std::move(live));
  }
}

}  // namespace paperclip::environments
