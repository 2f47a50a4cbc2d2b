#include "adapters/environment.h"

#include <algorithm>
#include <array>

#include "adapters/config.h"
#include "adapters/wake_payload.h"
#include "base/text.h"

namespace paperclip::adapters {

namespace {

constexpr std::string_view default_path =
    "/usr/local/bin:/opt/homebrew/bin:/usr/local/sbin:/usr/bin:/bin:/usr/sbin:/sbin";

// Exact names; a trailing `*` stands for any rest.
constexpr std::array passed = {
    // who and where
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TMP", "TEMP", "TZ", "TERM", "COLORTERM", "NO_COLOR",
    "LANG", "LANGUAGE", "LC_*", "HOSTNAME", "XDG_*", "SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY",
    "WAYLAND_DISPLAY", "IS_SANDBOX",
    // the way out
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO",
    // tools
    "EDITOR", "VISUAL", "PAGER", "GIT_AUTHOR_*", "GIT_COMMITTER_*", "GIT_CONFIG_*", "GIT_SSH", "GIT_SSH_COMMAND",
    "NVM_DIR", "NVM_BIN", "VOLTA_HOME", "PNPM_HOME", "BUN_INSTALL", "DENO_DIR", "npm_config_cache", "npm_config_prefix",
    "COREPACK_HOME", "PYENV_ROOT", "VIRTUAL_ENV", "CONDA_PREFIX", "UV_CACHE_DIR", "PIP_CACHE_DIR", "RBENV_ROOT",
    "CARGO_HOME", "RUSTUP_HOME", "GOPATH", "GOROOT", "GOMODCACHE", "JAVA_HOME", "GRADLE_USER_HOME", "ANDROID_HOME",
    "PLAYWRIGHT_BROWSERS_PATH", "CCACHE_DIR",
    // ours (spec/execution.md 7 rule 1)
    "PAPERCLIP_RUNTIME_API_URL", "PAPERCLIP_LISTEN_HOST", "PAPERCLIP_LISTEN_PORT"};

// Never, not even when the operator asks: they open the server itself.
constexpr std::array never = {"DATABASE_URL", "BETTER_AUTH_SECRET"};

constexpr std::array nesting_marks = {"CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_SESSION",
                                      "CLAUDE_CODE_PARENT_SESSION"};

bool matches(std::string_view name, std::string_view pattern) {
  if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  return name == pattern;
}

void set(ChildEnvironment& environment, std::string_view name, std::string_view value) {
  if (!value.empty()) environment.insert_or_assign(std::string(name), std::string(value));
}

void set_text(ChildEnvironment& environment, std::string_view name, const json::value& object, std::string_view key) {
  if (auto text = text_at(object, key)) set(environment, name, *text);
}

void set_array(ChildEnvironment& environment, std::string_view name, const json::value* value) {
  if (value != nullptr && value->is_array() && !value->get_array().empty()) set(environment, name, to_string(*value));
}

std::string first_text(const json::object& context, std::initializer_list<std::string_view> keys) {
  for (auto key : keys)
    if (auto text = text_at(json::value(context), key)) return *text;
  return {};
}

void set_identity(ChildEnvironment& environment, const RunContext& run) {
  set(environment, "PAPERCLIP_AGENT_ID", run.agent.id.view());
  set(environment, "PAPERCLIP_COMPANY_ID", run.agent.company_id.view());
  set(environment, "PAPERCLIP_API_URL", run.api_url);
  set(environment, "PAPERCLIP_RUN_ID", run.run_id.view());
  if (run.place.bridged) set(environment, "PAPERCLIP_API_BRIDGE_MODE", "queue_v1");
  set(environment, "PAPERCLIP_API_KEY", run.auth_token);
  set(environment, "PAPERCLIP_TASK_ID", first_text(run.context, {"taskId", "issueId"}));
  set(environment, "PAPERCLIP_WAKE_REASON", first_text(run.context, {"wakeReason"}));
}

void set_workspace(ChildEnvironment& environment, const RunContext& run, const EnvironmentScope& scope) {
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
  return std::any_of(words.begin(), words.end(), [&](const char* word) { return folded.find(word) != std::string::npos; }) ||
         std::find(secret_names.begin(), secret_names.end(), name) != secret_names.end();
}

}  // namespace

std::string_view variable(const std::map<std::string, std::string, std::less<>>& environment, std::string_view name) {
  const auto at = environment.find(name);
  return at == environment.end() ? std::string_view{} : std::string_view(at->second);
}

ChildEnvironment base_environment(const HostEnvironment& host, const std::vector<std::string_view>& prefixes) {
  std::vector<std::string> asked_for;
  for (const auto& name : split(variable(host, "PAPERCLIP_AGENT_ENV_PASS"), ',')) asked_for.emplace_back(trim(name));
  ChildEnvironment out;
  for (const auto& [name, value] : host) {
    const bool listed = std::any_of(passed.begin(), passed.end(), [&](auto pattern) { return matches(name, pattern); });
    const bool provider = std::any_of(prefixes.begin(), prefixes.end(), [&](auto prefix) { return name.starts_with(prefix); });
    const bool asked = std::find(asked_for.begin(), asked_for.end(), name) != asked_for.end() &&
                       !name.starts_with("PAPERCLIP_") && std::find(never.begin(), never.end(), name) == never.end();
    if (listed || provider || asked) out.emplace(name, value);
  }
  for (auto mark : nesting_marks) out.erase(mark);
  if (variable(out, "PATH").empty()) out.insert_or_assign("PATH", std::string(default_path));
  return out;
}

ChildEnvironment run_environment(const RunContext& run, const EnvironmentScope& scope) {
  ChildEnvironment out;
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

ChildEnvironment process_environment(const RunContext& run) {
  ChildEnvironment out;
  set_identity(out, run);
  return out;
}

void apply_configured_environment(ChildEnvironment& environment, const RunContext& run) {
  for (const auto& item : config_object(run.config, "env")) {
    if (!item.value().is_string()) continue;
    const std::string_view name = item.key();
    const std::string_view value = item.value().get_string();
    // An empty configured key does not take the run's token away (spec/execution.md 7 rule 4).
    if (name == "PAPERCLIP_API_KEY" && trim(value).empty()) continue;
    // A name with `=` or a NUL cannot be handed to a process as one variable.
    if (name.empty() || name.find('=') != std::string_view::npos || name.find('\0') != std::string_view::npos) continue;
    environment.insert_or_assign(std::string(name), std::string(value));
  }
  for (auto mark : nesting_marks) environment.erase(mark);
}

json::object shown_environment(const ChildEnvironment& set_by_adapter, const ChildEnvironment& whole,
                               const std::vector<std::string>& secret_names, std::string_view resolved_command,
                               const std::vector<std::string_view>& also_show) {
  json::object out;
  for (const auto& [name, value] : set_by_adapter)
    out[name] = masked(name, secret_names) ? std::string_view("***REDACTED***") : std::string_view(value);
  const auto show = [&](std::string_view name) {
    if (!out.contains(name) && !variable(whole, name).empty())
      out[name] = masked(name, secret_names) ? std::string_view("***REDACTED***") : variable(whole, name);
  };
  show("HOME");
  for (auto name : also_show) show(name);
  out["PAPERCLIP_RESOLVED_COMMAND"] = resolved_command;
  return out;
}

std::string agent_api_url(const HostEnvironment& host) {
  for (auto name : {"PAPERCLIP_RUNTIME_API_URL", "PAPERCLIP_API_URL"})
    if (const auto url = trim(variable(host, name)); !url.empty()) return std::string(url);
  const auto first = [&](std::string_view a, std::string_view b, std::string_view fallback) {
    if (const auto value = trim(variable(host, a)); !value.empty()) return value;
    if (const auto value = trim(variable(host, b)); !value.empty()) return value;
    return fallback;
  };
  std::string name(first("PAPERCLIP_LISTEN_HOST", "HOST", "localhost"));
  if (name == "0.0.0.0" || name == "::" || name == "[::]") name = "localhost";
  if (name.find(':') != std::string::npos && !name.starts_with('[')) name = "[" + name + "]";
  return "http://" + name + ":" + std::string(first("PAPERCLIP_LISTEN_PORT", "PORT", "3100"));
}

}  // namespace paperclip::adapters
