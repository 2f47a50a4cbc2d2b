#include "driver.h"

#include <unistd.h>

#include "machine.h"

namespace paperclip::providers {
namespace {

using namespace sdk;

constexpr std::uint64_t mib = 1024 * 1024;

json::object lease_metadata(const BubblewrapConfig& config, bool resumed) {
  return {{"provider", "bubblewrap"},
          {"remoteCwd", inside::workspace},
          {"shellCommand", ::access("/bin/bash", X_OK) == 0 ? "bash" : "sh"},
          {"egress", egress_metadata(config)},
          {"reuseLease", config.reuse_lease},
          {"resumedLease", resumed}};
}

sandbox::CommandLimits limits_of(const BubblewrapConfig& config) {
  // RLIMIT_DATA counts what a process has of its own to write to; RLIMIT_AS would stop programs that only reserve.
  return {config.processes, config.open_files, config.file_size_mb * mib, config.cpu_seconds, config.memory_mb * mib};
}

/// Where a control group limits memory for all together, each alone may have all of it.
sandbox::Request command_request(const BubblewrapConfig& config, const Sandbox& sandbox, const ExecuteRequest& request) {
  std::map<std::string, std::string> env{{"PATH", "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"},
                                         {"HOME", inside::home},
                                         {"USER", "agent"},
                                         {"LOGNAME", "agent"},
                                         {"SHELL", "/bin/sh"},
                                         {"LANG", "C.UTF-8"}};
  for (const auto& [name, value] : request.env) env[name] = value;
  sandbox::Request command;
  command.cwd = request.cwd.value_or(inside::workspace);
  command.argv.push_back(request.command);
  command.argv.insert(command.argv.end(), request.args.begin(), request.args.end());
  for (const auto& [name, value] : env) command.environment.push_back(name + "=" + value);
  command.limits = limits_of(config);
  if (sandbox.has_control_group()) command.limits.data_bytes = 0;
  return command;
}

/// Commands share the sandbox's life: what one starts in the background goes on until the lease is released.
Patience patience_of(const BubblewrapConfig& config, const ExecuteRequest& request) {
  Patience patience;
  if (config.timeout_ms) patience.timeout = std::chrono::milliseconds(*config.timeout_ms);
  if (request.timeout) patience.timeout = *request.timeout;
  return patience;
}

}  // namespace

bool BubblewrapDriver::use(std::string root, std::string plugin_id) {
  const std::lock_guard lock(mutex_);
  if (directories_) return root == root_;
  root_ = std::move(root);
  plugin_id_ = std::move(plugin_id);
  return true;
}

LeaseDirectories& BubblewrapDriver::directories() {
  const std::lock_guard lock(mutex_);
  if (!directories_) directories_ = std::make_unique<LeaseDirectories>(root_.empty() ? default_sandbox_root() : std::filesystem::path(root_), plugin_id_);
  return *directories_;
}

ConfigCheck BubblewrapDriver::validate_config(const json::object& config) {
  ConfigCheck check;
  const BubblewrapConfig parsed = read_config(config, check.errors);
  if (parsed.egress == Egress::full)
    check.warnings.push_back("With full network access the sandbox also reaches what listens on this machine's loopback, this server included.");
  if (parsed.egress != Egress::allow_list && !parsed.allowed_hosts.empty())
    check.warnings.push_back("allowedHosts has an effect only with egress allow-list.");
  for (const std::string& path : parsed.read_only_paths)
    if (::access(path.c_str(), F_OK) != 0) check.errors.push_back("readOnlyPaths: \"" + path + "\" does not exist.");
  check.normalised = to_json(parsed);
  return check;
}

ProbeResult BubblewrapDriver::probe(const EnvironmentCall& call) {
  const Machine& machine = Machine::look();
  ProbeResult result;
  result.diagnostics = describe(machine);
  result.metadata = {{"provider", "bubblewrap"}, {"bwrapVersion", machine.bwrap_version}, {"root", machine.is_root}, {"container", machine.is_container}};
  std::string made;
  try {
    const BubblewrapConfig config = read_config(call.config);
    const LeaseRecord lease = directories().create(call.company_id, call.environment_id, "probe", false);
    made = lease.id;
    // Looked at from inside: what holds, not what was asked for.
    Connection nowhere(-1, -1);
    Execution execution(nowhere, "", false, false);
    const auto sandbox = Sandbox::start(directories(), lease, config);
    ExecuteRequest request;
    request.command = "/bin/sh";
    request.args = {"-c", "echo pids=$(ls /proc | grep -c '^[0-9]'); echo links=$(ls /sys/class/net /proc/self/net/dev_snmp6 2>/dev/null | grep -vc -e '^lo$' -e : -e '^$'); echo seccomp=$(sed -n 's/^Seccomp:\\s*//p' /proc/self/status); touch /usr/x 2>/dev/null && echo writable=1; true"};
    const auto command = sandbox->run(command_request(config, *sandbox, request));
    const ExecuteResult inside = attend(*command, "", {std::chrono::seconds(20)}, execution);
    const std::string said = execution.take_stdout();
    result.ok = inside.exit_code == 0 && said.find("seccomp=2") != std::string::npos && said.find("writable=1") == std::string::npos;
    if (!result.ok) result.diagnostics.push_back({Severity::error, "The sandbox does not isolate as it should: " + trimmed(said + " " + execution.take_stderr()), "isolation"});
    result.diagnostics.push_back({Severity::info, "User, process, IPC and host name namespaces, a read-only system and a filter of system calls hold.", "isolation"});
    if (config.egress == Egress::full) {
      result.diagnostics.push_back({Severity::warning, "The sandbox shares this machine's network, loopback included.", "network"});
    } else {
      const bool alone = said.find("links=0") != std::string::npos;
      result.ok = result.ok && alone;
      result.diagnostics.push_back(alone ? Diagnostic{Severity::info, "A network namespace holds: the sandbox has nothing but its own loopback.", "network"}
                                         : Diagnostic{Severity::error, "The sandbox sees network devices of this machine: " + trimmed(said), "network"});
    }
    const ControlGroupPlace& groups = ControlGroupPlace::look();
    result.diagnostics.push_back({Severity::info,
                                  !groups.parents.empty() ? "Memory and processes are limited by a control group for the sandbox as a whole."
                                                          : "Memory is limited for each process, not for the sandbox as a whole: " + groups.why_not + ".",
                                  "control_group"});
    result.metadata["controlGroup"] = !groups.parents.empty();
  } catch (const Error& failure) {
    result.ok = false;
    result.diagnostics.push_back({Severity::error, failure.what(), "start"});
    result.metadata["error"] = failure.what();
  }
  try {
    if (!made.empty()) directories().remove(made);
  } catch (const Error& failure) {
    result.diagnostics.push_back({Severity::warning, failure.what(), "cleanup"});
  }
  result.summary = result.ok ? "Bubblewrap sandboxes work on this machine." : "Bubblewrap sandboxes do not work on this machine.";
  return result;
}

Lease BubblewrapDriver::acquire_lease(const EnvironmentCall& call, const AcquireRequest& request) {
  const BubblewrapConfig config = read_config(call.config);
  const LeaseRecord lease = directories().create(call.company_id, call.environment_id, request.run_id, config.reuse_lease);
  try {
    sandbox_of(call, lease.id);
  } catch (...) {
    directories().remove(lease.id);
    throw;
  }
  return {lease.id, lease_metadata(config, false), std::nullopt};
}

Lease BubblewrapDriver::resume_lease(const EnvironmentCall& call, const std::string& lease_id, const json::object&) {
  const BubblewrapConfig config = read_config(call.config);
  if (!directories().find(lease_id)) return {std::nullopt, {{"expired", true}}, std::nullopt};
  sandbox_of(call, lease_id);
  return {lease_id, lease_metadata(config, true), std::nullopt};
}

void BubblewrapDriver::release_lease(const EnvironmentCall& call, const std::optional<std::string>& lease_id, const json::object& metadata) {
  if (!lease_id) return;
  const auto record = directories().find(*lease_id);
  if (!record || !record->reuse) return destroy_lease(call, lease_id, metadata);
  stop(*lease_id);
}

void BubblewrapDriver::destroy_lease(const EnvironmentCall&, const std::optional<std::string>& lease_id, const json::object&) {
  if (!lease_id) return;
  stop(*lease_id);
  directories().remove(*lease_id);
}

WorkspacePlace BubblewrapDriver::realize_workspace(const EnvironmentCall& call, const Lease& lease, const WorkspaceRequest&) {
  sandbox_of(call, lease.id);
  return {inside::workspace, {{"provider", "bubblewrap"}, {"remoteCwd", inside::workspace}}};
}

ExecuteResult BubblewrapDriver::execute(const EnvironmentCall& call, const Lease& lease, const ExecuteRequest& request, Execution& execution) {
  const BubblewrapConfig config = read_config(call.config);
  const auto sandbox = sandbox_of(call, lease.id);
  const auto command = sandbox->run(command_request(config, *sandbox, request));
  return attend(*command, request.stdin_text.value_or(""), patience_of(config, request), execution);
}

void BubblewrapDriver::put_file(const EnvironmentCall& call, const Lease& lease, const PutFileRequest& file) {
  sandbox::Request request;
  request.kind = sandbox::RequestKind::put_file;
  request.path = file.path;
  request.mode = file.mode;
  request.offset = file.offset;
  request.end = file.end;
  sandbox_of(call, lease.id)->put_file(request, file.bytes);
}

FilePiece BubblewrapDriver::get_file(const EnvironmentCall& call, const Lease& lease, const std::string& path, std::uint64_t offset, std::size_t length) {
  sandbox::Request request;
  request.kind = sandbox::RequestKind::get_file;
  request.path = path;
  request.offset = offset;
  request.length = length;
  return sandbox_of(call, lease.id)->get_file(request);
}

std::vector<LeaseItem> BubblewrapDriver::list_leases(const EnvironmentCall& call) {
  std::vector<LeaseItem> items;
  for (const LeaseRecord& record : directories().list())
    if (record.environment_id == call.environment_id)
      items.push_back({record.id, {{"runId", record.run_id}, {"reuseLease", record.reuse}}, record.created_at});
  return items;
}

std::shared_ptr<Sandbox> BubblewrapDriver::sandbox_of(const EnvironmentCall& call, const std::optional<std::string>& lease_id) {
  const auto record = lease_id ? directories().find(*lease_id) : std::nullopt;
  if (!record) throw Error("There is no sandbox \"" + lease_id.value_or("") + "\" (any more)");
  std::shared_ptr<Slot> slot;
  {
    const std::lock_guard lock(mutex_);
    auto& place = slots_[record->id];
    if (!place) place = std::make_shared<Slot>();
    slot = place;
  }
  const std::lock_guard lock(slot->mutex);
  if (!slot->sandbox || !slot->sandbox->alive()) slot->sandbox = Sandbox::start(directories(), *record, read_config(call.config));
  return slot->sandbox;
}

void BubblewrapDriver::stop(const std::string& lease_id) {
  std::shared_ptr<Slot> slot;
  {
    const std::lock_guard lock(mutex_);
    const auto found = slots_.find(lease_id);
    if (found == slots_.end()) return;
    slot = found->second;
    slots_.erase(found);
  }
  std::shared_ptr<Sandbox> sandbox;
  {
    const std::lock_guard lock(slot->mutex);
    sandbox = std::move(slot->sandbox);
  }
  if (sandbox) sandbox->end();
}

}  // namespace paperclip::providers
