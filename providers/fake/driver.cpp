#include "driver.h"

#include <stdlib.h>

#include <boost/uuid/random_generator.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <cmath>
#include <filesystem>

#include "paperclip/sdk/child.h"
#include "paperclip/sdk/time.h"

namespace paperclip::providers {
namespace {

using namespace sdk;

struct FakeConfig {
  std::string image = "fake:latest";
  double timeout_ms = 300'000;
  bool reuse_lease = false;
};

FakeConfig parse(const json::object& config) {
  FakeConfig parsed;
  if (const std::string image = trimmed(text_at(config, "image").value_or("")); !image.empty()) parsed.image = image;
  if (const json::value* timeout = member(config, "timeoutMs"); timeout && timeout->is_number())
    parsed.timeout_ms = timeout->to_number<double>();
  parsed.reuse_lease = is_true(config, "reuseLease");
  return parsed;
}

/// As JSON writes numbers of JavaScript: without a fraction where there is none.
json::value to_number(double value) {
  return std::trunc(value) == value && std::abs(value) < 9e15 ? json::value(static_cast<std::int64_t>(value)) : json::value(value);
}

json::object describe(const FakeConfig& config) {
  return {{"image", config.image}, {"timeoutMs", to_number(config.timeout_ms)}, {"reuseLease", config.reuse_lease}};
}

json::object lease_metadata(const FakeConfig& config, const std::string& root, const std::string& directory, bool existed) {
  return {{"provider", "fake-plugin"}, {"image", config.image},    {"reuseLease", config.reuse_lease},
          {"remoteCwd", directory},    {"fakeRootDir", root},      {"resumedLease", existed}};
}

}  // namespace

ConfigCheck FakeDriver::validate_config(const json::object& config) {
  ConfigCheck check;
  check.normalised = describe(parse(config));
  return check;
}

ProbeResult FakeDriver::probe(const EnvironmentCall& call) {
  const FakeConfig config = parse(call.config);
  ProbeResult result;
  result.ok = true;
  result.summary = "Fake sandbox provider is ready for image " + config.image + ".";
  result.metadata = {{"provider", "fake-plugin"}};
  for (const auto& item : describe(config)) result.metadata.insert(item);
  return result;
}

std::pair<FakeDriver::Sandbox, bool> FakeDriver::ensure(const std::string& lease_id, const std::string& environment_id) {
  const std::lock_guard lock(mutex_);
  if (const auto found = sandboxes_.find(lease_id); found != sandboxes_.end()) return {found->second, true};
  std::string root = (std::filesystem::temp_directory_path() / "paperclip-fake-sandbox-XXXXXX").string();
  if (!::mkdtemp(root.data())) throw Error("Cannot make a directory for the sandbox: " + root);
  Sandbox sandbox{environment_id, root, root + "/workspace"};
  std::filesystem::create_directory(sandbox.directory);
  sandboxes_.emplace(lease_id, sandbox);
  return {sandbox, false};
}

std::optional<FakeDriver::Sandbox> FakeDriver::find(const std::optional<std::string>& lease_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = lease_id ? sandboxes_.find(*lease_id) : sandboxes_.end();
  if (found == sandboxes_.end()) return std::nullopt;
  return found->second;
}

Lease FakeDriver::acquire_lease(const EnvironmentCall& call, const AcquireRequest& request) {
  const FakeConfig config = parse(call.config);
  const std::string id = config.reuse_lease ? "fake-plugin://" + call.environment_id
                                            : "fake-plugin://" + request.run_id + "/" + to_string(boost::uuids::random_generator()());
  const auto [sandbox, existed] = ensure(id, call.environment_id);
  return {id, lease_metadata(config, sandbox.root, sandbox.directory, existed), std::nullopt};
}

Lease FakeDriver::resume_lease(const EnvironmentCall& call, const std::string& lease_id, const json::object&) {
  const auto [sandbox, existed] = ensure(lease_id, call.environment_id);
  return {lease_id, lease_metadata(parse(call.config), sandbox.root, sandbox.directory, true), std::nullopt};
}

void FakeDriver::release_lease(const EnvironmentCall& call, const std::optional<std::string>& lease_id, const json::object& metadata) {
  if (!parse(call.config).reuse_lease) destroy_lease(call, lease_id, metadata);
}

void FakeDriver::destroy_lease(const EnvironmentCall&, const std::optional<std::string>& lease_id, const json::object&) {
  const auto sandbox = find(lease_id);
  if (!sandbox) return;
  std::filesystem::remove_all(sandbox->root);
  const std::lock_guard lock(mutex_);
  sandboxes_.erase(*lease_id);
}

WorkspacePlace FakeDriver::realize_workspace(const EnvironmentCall&, const Lease& lease, const WorkspaceRequest& request) {
  std::string directory;
  if (const auto sandbox = find(lease.id)) {
    directory = sandbox->directory;
  } else {
    const auto kept = text_at(lease.metadata, "remoteCwd");
    directory = kept                  ? *kept
                : request.remote_path ? *request.remote_path
                : request.local_path  ? *request.local_path
                                      : (std::filesystem::temp_directory_path() / "paperclip-fake-sandbox-workspace").string();
  }
  std::filesystem::create_directories(directory);
  return {directory, {{"provider", "fake-plugin"}, {"remoteCwd", directory}}};
}

ExecuteResult FakeDriver::execute(const EnvironmentCall& call, const Lease& lease, const ExecuteRequest& request, Execution& execution) {
  const FakeConfig config = parse(call.config);
  std::map<std::string, std::string> env = request.env;
  env.try_emplace("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
  std::vector<std::string> argv{request.command};
  argv.insert(argv.end(), request.args.begin(), request.args.end());
  std::string command_line;
  for (const std::string& word : argv) command_line += (command_line.empty() ? "" : " ") + word;
  std::string cwd;
  if (request.cwd) {
    cwd = *request.cwd;
  } else if (const auto sandbox = find(lease.id)) {
    cwd = sandbox->directory;
  } else {
    cwd = text_at(lease.metadata, "remoteCwd").value_or("");
  }

  const std::string started = iso_now();
  Patience patience;
  patience.timeout = request.timeout.value_or(std::chrono::milliseconds(static_cast<std::int64_t>(config.timeout_ms)));
  patience.grace = std::chrono::milliseconds(250);
  const auto child = Child::start(argv, cwd, env);
  ExecuteResult result = attend(*child, request.stdin_text.value_or(""), patience, execution);
  result.metadata = {{"startedAt", started}, {"commandLine", command_line}};
  return result;
}

std::vector<LeaseItem> FakeDriver::list_leases(const EnvironmentCall& call) {
  std::vector<LeaseItem> leases;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, sandbox] : sandboxes_)
    if (sandbox.environment_id == call.environment_id) leases.push_back({id, {{"remoteCwd", sandbox.directory}}, std::nullopt});
  return leases;
}

}  // namespace paperclip::providers
