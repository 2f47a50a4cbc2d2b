#include "adapters/environment.h"

#include <algorithm>
#include <array>

#include "adapters/config.h"
#include "adapters/wake_payload.h"
#include "base/text.h"

namespace paperclip::adapters {

namespace {

// Where developers' tools keep house; the rest that every program needs is named in os/child_environment.cpp.
constexpr std::array tool_names = {"EDITOR",           "VISUAL",           "PAGER",
                                   "HOSTNAME",         "DISPLAY",          "WAYLAND_DISPLAY",
                                   "IS_SANDBOX",       "GIT_AUTHOR_*",     "GIT_COMMITTER_*",
                                   "GIT_CONFIG_*",     "GIT_SSH",          "GIT_SSH_COMMAND",
                                   "NVM_DIR",          "NVM_BIN",          "VOLTA_HOME",
                                   "PNPM_HOME",        "BUN_INSTALL",      "DENO_DIR",
                                   "COREPACK_HOME",    "npm_config_cache", "npm_config_prefix",
                                   "PYENV_ROOT",       "VIRTUAL_ENV",      "CONDA_PREFIX",
                                   "UV_CACHE_DIR",     "PIP_CACHE_DIR",    "RBENV_ROOT",
                                   "CARGO_HOME",       "RUSTUP_HOME",      "GOPATH",
                                   "GOROOT",           "GOMODCACHE",       "JAVA_HOME",
                                   "GRADLE_USER_HOME", "ANDROID_HOME",     "PLAYWRIGHT_BROWSERS_PATH",
                                   "CCACHE_DIR"};

void set(os::Environment& environment, std::string_view name, std::string_view value) {
  if (!value.empty()) environment.emplace_back(name, value);
}

void set_text(os::Environment& environment, std::string_view name, const json::value& object, std::string_view key) {
  if (auto text = text_at(object, key)) set(environment, name, *text);
}

void set_array(os::Environment& environment, std::string_view name, const json::value* value) {
  if (value != nullptr && value->is_array() && !value->get_array().empty()) set(environment, name, to_string(*value));
}

std::string first_text(const json::object& context, std::initializer_list<std::string_view> keys) {
  for (auto key : keys)
    if (auto text = text_at(json::value(context), key)) return *text;
  return {};
}

void set_identity(os::Environment& environment, const RunContext& run) {
  set(environment, "PAPERCLIP_AGENT_ID", run.agent.id.view());
  set(environment, "PAPERCLIP_COMPANY_ID", run.agent.company_id.view());
  set(environment, "PAPERCLIP_API_URL", run.api_url);
  set(environment, "PAPERCLIP_RUN_ID", run.run_id.view());
  if (run.place.bridged) set(environment, "PAPERCLIP_API_BRIDGE_MODE", "queue_v1");
  set(environment, "PAPERCLIP_API_KEY", run.auth_token);
  set(environment, "PAPERCLIP_TASK_ID", first_text(run.context, {"taskId", "issueId"}));
  set(environment, "PAPERCLIP_WAKE_REASON", first_text(run.context, {"wakeReason"}));
}

void set_workspace(os::Environment& environment, const RunContext& run, const EnvironmentScope& scope) {
  const json::value workspace = config_object(run.context, "paperclipWorkspace");
  const bool here = !run.place.is_remote();
  if (here && !scope.hide_workspace_cwd) set_text(environment, "PAPERCLIP_WORKSPACE_CWD", workspace, "cwd");
  if (!here) set(environment, "PAPERCLIP_WORKSPACE_CWD", run.place.cwd);
  set_text(environment, "PAPERCLIP_WORKSPACE_SOURCE", workspace, "source");
  set_text(environment, "PAPERCLIP_WORKSPACE_ID", workspace, "workspaceId");
  set_text(environment, "PAPERCLIP_WORKSPACE_REPO_URL", workspace, "repoUrl");
  set_text(environment, "PAPERCLIP_WORKSPACE_REPO_REF", workspace, "repoRef");
  if (scope.workspace_details) {
    set_text(environment, "PAPERCLIP_WORKSPACE_STRATEGY", workspace, "strategy");
    set_text(environment, "PAPERCLIP_WORKSPACE_BRANCH", workspace, "branchName");
    if (here) set_text(environment, "PAPERCLIP_WORKSPACE_WORKTREE_PATH", workspace, "worktreePath");
  }
  if (!here) return;
  set(environment, "AGENT_HOME", text_at(workspace, "agentHome").value_or(run.agent_home.string()));
  set_array(environment, "PAPERCLIP_WORKSPACES_JSON", run.context.if_contains("paperclipWorkspaces"));
}

bool masked(std::string_view name, const std::vector<std::string>& secret_names) {
  static constexpr std::array words = {"key", "token", "secret", "password", "passwd", "authorization", "cookie"};
  const std::string folded = lower(name);
  return std::any_of(words.begin(), words.end(),
                     [&](const char* word) { return folded.find(word) != std::string::npos; }) ||
         std::find(secret_names.begin(), secret_names.end(), name) != secret_names.end();
}

}  // namespace

ChildEnvironment base_environment(const HostEnvironment& host, const std::vector<std::string_view>& patterns) {
  ChildEnvironment out = ChildEnvironment::from_host(host);
  out.allow(host, {tool_names.begin(), tool_names.end()}).allow(host, patterns);
  const std::vector<std::string> names = split(os::value_in(host, "PAPERCLIP_AGENT_ENV_PASS"), ',');
  std::vector<std::string_view> asked_for;
  for (const auto& name : names) asked_for.push_back(trim(name));
  out.allow(host, asked_for);
  return out;
}

os::Environment run_environment(const RunContext& run, const EnvironmentScope& scope) {
  os::Environment out;
  const json::object& context = run.context;
  set_identity(out, run);
  set(out, "PAPERCLIP_WAKE_COMMENT_ID", first_text(context, {"wakeCommentId", "commentId"}));
  set(out, "PAPERCLIP_APPROVAL_ID", first_text(context, {"approvalId"}));
  set(out, "PAPERCLIP_APPROVAL_STATUS", first_text(context, {"approvalStatus"}));
  std::string issues;
  for (const auto& id : config_list(context, "issueIds"))
    if (const auto trimmed = trim(id); !trimmed.empty()) (issues += issues.empty() ? "" : ",") += trimmed;
  set(out, "PAPERCLIP_LINKED_ISSUE_IDS", issues);
  if (const auto payload = WakePayload::read(context.if_contains("paperclipWake")))
    set(out, "PAPERCLIP_WAKE_PAYLOAD_JSON", payload->normal_form());
  set_workspace(out, run, scope);
  if (scope.runtime_services) {
    set_array(out, "PAPERCLIP_RUNTIME_SERVICE_INTENTS_JSON", context.if_contains("paperclipRuntimeServiceIntents"));
    set_array(out, "PAPERCLIP_RUNTIME_SERVICES_JSON", context.if_contains("paperclipRuntimeServices"));
    set(out, "PAPERCLIP_RUNTIME_PRIMARY_URL", first_text(context, {"paperclipRuntimePrimaryUrl"}));
  }
  return out;
}

os::Environment process_environment(const RunContext& run) {
  os::Environment out;
  set_identity(out, run);
  return out;
}

os::Environment configured_environment(const json::object& config) {
  os::Environment out;
  for (const auto& item : config_object(config, "env")) {
    if (!item.value().is_string()) continue;
    const std::string_view value = item.value().get_string();
    if (item.key() == "PAPERCLIP_API_KEY" && trim(value).empty()) continue;
    out.emplace_back(item.key(), value);
  }
  return out;
}

void lay_over(ChildEnvironment& environment, const os::Environment& variables) {
  for (const auto& [name, value] : variables) environment.set(name, value);
}

json::object shown_environment(const os::Environment& set_by_adapter, const ChildEnvironment& whole,
                               const std::vector<std::string>& secret_names, std::string_view resolved_command,
                               const std::vector<std::string_view>& also_show) {
  json::object out;
  const auto show = [&](std::string_view name) {
    const auto value = whole.value(name);
    if (!value.empty()) out[name] = masked(name, secret_names) ? std::string_view("***REDACTED***") : value;
  };
  for (const auto& entry : set_by_adapter) show(entry.first);
  show("HOME");
  for (auto name : also_show) show(name);
  out["PAPERCLIP_RESOLVED_COMMAND"] = resolved_command;
  return out;
}

std::string agent_api_url(const HostEnvironment& host) {
  for (auto name : {"PAPERCLIP_RUNTIME_API_URL", "PAPERCLIP_API_URL"})
    if (const auto url = trim(os::value_in(host, name)); !url.empty()) return std::string(url);
  const auto first = [&](std::string_view a, std::string_view b, std::string_view fallback) {
    if (const auto value = trim(os::value_in(host, a)); !value.empty()) return value;
    if (const auto value = trim(os::value_in(host, b)); !value.empty()) return value;
    return fallback;
  };
  std::string name(first("PAPERCLIP_LISTEN_HOST", "HOST", "localhost"));
  if (name == "0.0.0.0" || name == "::" || name == "[::]") name = "localhost";
  if (name.find(':') != std::string::npos && !name.starts_with('[')) name = "[" + name + "]";
  return "http://" + name + ":" + std::string(first("PAPERCLIP_LISTEN_PORT", "PORT", "3100"));
}

}  // namespace paperclip::adapters
