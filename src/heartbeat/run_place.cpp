#include "heartbeat/run_place.h"

#include <spdlog/spdlog.h>

#include <thread>

#include "base/text.h"
#include "domain/wakeups/wake_context.h"
#include "environments/place_files.h"
#include "environments/workspace_sync.h"

namespace paperclip::heartbeat {

using environments::PlaceKind;

bool has_lease_elsewhere(const domain::RunSetup& setup) {
  return setup.environment && setup.lease_id && setup.environment->driver != domain::EnvironmentDriver::local;
}

environments::PlaceOrder place_order(const domain::RunSetup& setup, const Workspace& workspace) {
  environments::PlaceOrder order;
  order.lease_id = *setup.lease_id;
  order.run_id = setup.run.id;
  order.environment = *setup.environment;
  // One directory for each workspace, as on this machine.
  if (workspace.execution_workspace_id) order.workspace_key = "workspace-" + workspace.execution_workspace_id->str();
  else if (workspace.project_id) order.workspace_key = "project-" + workspace.project_id->str();
  else order.workspace_key = "agent-" + setup.agent.id.str();
  return order;
}

adapters::ExecutionPlace execution_place(const environments::Place& place, const domain::RunSetup& setup) {
  const auto& description = place.description();
  adapters::ExecutionPlace out;
  out.kind = description.kind == PlaceKind::ssh ? adapters::PlaceKind::ssh
             : description.kind == PlaceKind::sandbox ? adapters::PlaceKind::sandbox
                                                      : adapters::PlaceKind::local;
  out.cwd = description.cwd;
  out.identity = description.identity;
  out.label = description.label;
  if (out.kind == adapters::PlaceKind::sandbox) {
    if (setup.environment_id) out.identity["environmentId"] = setup.environment_id->view();
    if (setup.lease_id) out.identity["leaseId"] = setup.lease_id->view();
  }
  return out;
}

void describe_place(StartContext& start, const environments::Place& place, const domain::RunSetup& setup) {
  const auto& description = place.description();
  const bool ssh = description.kind == PlaceKind::ssh;
  json::object realised = start.lease_metadata["workspaceRealization"].is_object() ? start.lease_metadata["workspaceRealization"].get_object() : json::object();
  const json::value local_path = realised.contains("localPath") ? realised["localPath"] : json::value(nullptr);
  json::object remote{{"path", description.cwd}};
  std::string summary = "Sandbox workspace realized at " + description.cwd + ".";
  if (ssh) {
    for (const std::string_view key : {"host", "port", "username"})
      if (const auto* value = description.identity.if_contains(key)) remote[key] = *value;
    summary = "SSH workspace realized at " + description.label.substr(description.label.rfind(' ') + 1) + ":" + description.cwd + ".";
  } else if (const auto* sandbox = description.identity.if_contains("providerLeaseId"); sandbox != nullptr && sandbox->is_string()) {
    remote["sandboxId"] = *sandbox;
    summary = "Sandbox workspace realized at " + description.cwd + " in " + std::string(sandbox->get_string()) + ".";
  }
  realised["transport"] = ssh ? "ssh" : "sandbox";
  realised["provider"] = ssh ? json::value("ssh") : description.identity.contains("providerKey") ? description.identity.at("providerKey") : json::value(nullptr);
  realised["remotePath"] = description.cwd;
  realised["remote"] = remote;
  realised["summary"] = summary;
  if (description.in_place)
    realised["sync"] = json::object{{"strategy", "none"}, {"prepare", "Use the remote directory directly."}, {"syncBack", nullptr}};

  start.lease_metadata["workspaceRealization"] = realised;
  if (auto* workspace = start.context.if_contains("paperclipWorkspace"); workspace != nullptr && workspace->is_object())
    workspace->get_object()["realization"] = realised;
  auto* environment = start.context.if_contains("paperclipEnvironment");
  if (environment == nullptr || !environment->is_object()) return;
  auto& shown = environment->get_object();
  shown["workspaceRealization"] = realised;
  shown["remoteCwd"] = description.cwd;
  if (ssh)
    for (const std::string_view key : {"host", "port", "username"})
      if (const auto* value = description.identity.if_contains(key)) shown[key] = *value;
  shown["leaseId"] = setup.lease_id ? json::value(setup.lease_id->view()) : json::value(nullptr);
}

namespace {

constexpr int most_attempts = 5;
constexpr std::chrono::milliseconds first_pause{200};

// A connection that breaks in the middle is made again by its driver; what was under way begins anew, for nothing is put in place before
// everything has come.
template <class Attempt>
auto despite_cuts(const environments::Place& place, Deadline deadline, const Attempt& attempt) {
  for (int count = 1;; ++count) {
    auto outcome = attempt();
    if (outcome || outcome.error().kind != ErrorKind::unavailable || count == most_attempts || deadline.passed()) return outcome;
    spdlog::info("place.transfer_again where=\"{}\" attempt={} error=\"{}\"", place.description().label, count, outcome.error().message);
    std::this_thread::sleep_for(first_pause * (1 << (count - 1)));
  }
}

/// `~/x` becomes a path in the home there.
Result<std::string> path_there(const environments::Place& place, const std::string& path) {
  if (!path.starts_with("~/")) return path;
  const std::string_view home = os::value_in(place.description().base_environment, "HOME");
  if (!home.starts_with('/')) return unprocessable("The login there has no HOME, which \"" + path + "\" needs");
  return std::string(home) + path.substr(1);
}

}  // namespace

Result<> bring_assets(environments::Place& place, const std::vector<adapters::PlaceAsset>& assets, const os::Environment& host, Deadline deadline) {
  for (const auto& asset : assets) {
    const auto mode = asset.merge ? environments::UploadMode::merge : environments::UploadMode::replace;
    const std::string path = TRY(path_there(place, asset.remote_path));
    TRY(despite_cuts(place, deadline, [&] { return environments::upload_directory(place, asset.directory, path, mode, host, deadline); }));
  }
  return {};
}

namespace {

bool is_synced(const environments::Place& place) { return !place.description().in_place && !place.description().runner.empty(); }

environments::SyncOptions sync_options(const environments::Place& place, const Workspace& workspace, const SyncHome& home, RunId run) {
  environments::SyncOptions options;
  options.local = workspace.cwd();
  options.remote = place.description().cwd;
  options.runner = place.description().runner;
  options.window = place.description().transfer_window;
  const auto& identity = place.description().identity;
  if (place.description().kind != PlaceKind::sandbox || identity.contains("providerLeaseId")) options.place = to_string(json::value(identity));
  options.key = run.str();
  options.state = home.state;
  options.host = home.host;
  return options;
}

}  // namespace

Result<std::vector<std::string>> bring_workspace(environments::Place& place, const Workspace& workspace, const SyncHome& home, RunId run,
                                                 Deadline deadline) {
  if (!is_synced(place)) return std::vector<std::string>();
  const auto peer = environments::peer_of(place);
  environments::WorkspaceSync sync(*peer, sync_options(place, workspace, home, run));
  auto report = TRY(despite_cuts(place, deadline, [&] { return sync.upload(deadline); }));
  return std::move(report.warnings);
}

Result<std::vector<std::string>> bring_workspace_back(environments::Place& place, const Workspace& workspace, const SyncHome& home, RunId run,
                                                      Deadline deadline) {
  if (!is_synced(place)) return std::vector<std::string>();
  const auto peer = environments::peer_of(place);
  environments::WorkspaceSync sync(*peer, sync_options(place, workspace, home, run));
  const auto report = TRY(despite_cuts(place, deadline, [&] { return sync.bring_back(deadline); }));
  return report.lines();
}

Result<> provision_place(environments::Place& place, const domain::RunSetup& setup, const domain::HostCommand& command, Deadline deadline) {
  environments::PlaceCommand request;
  request.argv = {"bash", "-lc", command.text()};
  request.environment = {{"SHELL", "/bin/bash"}};
  const auto output = place.run_command(request, deadline);
  const std::string prefix = "Failed to provision workspace for environment \"" + setup.environment_name + "\" (" + setup.environment_driver + "): ";
  if (!output) {
    if (output.error().kind == ErrorKind::timeout) return unprocessable(prefix + "provision command timed out");
    return unprocessable(prefix + output.error().message);
  }
  if (output->ok()) return {};
  std::string_view words = trim(output->stderr_text);
  if (words.empty()) words = trim(output->stdout_text);
  std::string message = prefix + "exit code " + std::to_string(output->exit_code);
  if (!words.empty()) message += ": " + std::string(words.substr(0, std::min<std::size_t>(words.find('\n'), 300)));
  return unprocessable(std::move(message));
}

}  // namespace paperclip::heartbeat
