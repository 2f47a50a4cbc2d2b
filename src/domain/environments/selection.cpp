#include "domain/environments/selection.h"

#include <algorithm>
#include <array>

#include "domain/environments/environment_config.h"
#include "domain/issues/issue_rows.h"

namespace paperclip::domain {

namespace {

struct Standing {
  EnvironmentDriver driver = EnvironmentDriver::local;
  EnvironmentStatus status = EnvironmentStatus::active;
  RawJson config;
};
BOOST_DESCRIBE_STRUCT(Standing, (), (driver, status, config))

std::optional<Standing> find_standing(store::Reader& reader, CompanyId company, EnvironmentId id) {
  return reader.one<Standing>("select {} from environments where id = :1 and company_id = :2", id, company);
}

bool is_allowed(EnvironmentDriver driver, bool remote) {
  return driver == EnvironmentDriver::local || (remote && (driver == EnvironmentDriver::ssh || driver == EnvironmentDriver::sandbox));
}

bool is_fake(const Standing& environment) {
  if (environment.driver != EnvironmentDriver::sandbox) return false;
  const json::value config = environment.config.parse();
  return !config.is_object() || provider_of(config.get_object()) == fake_provider;
}

std::string not_allowed(EnvironmentDriver driver) { return "Environment driver \"" + std::string(to_text(driver)) + "\" is not allowed here"; }

// What a JSON column says at `environmentId`; nothing unless it is text.
std::optional<std::string> named_in(const std::optional<RawJson>& column) {
  return column && !column->is_null() ? string_at(column->parse(), "environmentId") : std::nullopt;
}

// An id that is none names an environment that does not exist.
EnvironmentId as_id(const std::string& text) { return EnvironmentId::parse(text).value_or(EnvironmentId()); }

struct IssuePlace {
  std::optional<ExecutionWorkspaceId> execution_workspace_id;
  std::optional<RawJson> execution_workspace_settings;
  std::optional<ProjectId> project_id;
};
BOOST_DESCRIBE_STRUCT(IssuePlace, (), (execution_workspace_id, execution_workspace_settings, project_id))

}  // namespace

bool is_remote_adapter(std::string_view adapter_type) {
  static constexpr std::array remote = {"acpx_local", "claude_local", "codex_local", "cursor", "gemini_local", "opencode_local", "pi_local"};
  return std::find(remote.begin(), remote.end(), adapter_type) != remote.end();
}

Result<> check_environment_choice(store::Reader& reader, CompanyId company, EnvironmentId environment, bool remote) {
  const auto found = find_standing(reader, company, environment);
  if (!found) return unprocessable("Environment not found.");
  if (found->status == EnvironmentStatus::archived) return unprocessable("Environment is archived.");
  if (!is_allowed(found->driver, remote))
    return unprocessable(not_allowed(found->driver) + ". Allowed drivers: " + (remote ? "local, ssh, sandbox" : "local"));
  if (is_fake(*found))
    return unprocessable("Environment sandbox provider \"fake\" is not allowed here. The built-in fake provider is probe-only and "
                         "cannot execute runs.");
  return {};
}

Result<> check_agent_environment(store::Reader& reader, CompanyId company, EnvironmentId environment, bool remote) {
  const auto found = find_standing(reader, company, environment);
  if (!found) return unprocessable("Selected environment must belong to the same company");
  if (!is_allowed(found->driver, remote)) return unprocessable(not_allowed(found->driver));
  if (is_fake(*found)) return unprocessable("Selected sandbox provider \"fake\" is not supported for agent defaults yet");
  return {};
}

Result<> check_issue_environment(store::Reader& reader, CompanyId company, const std::optional<RawJson>& settings,
                                 const std::optional<AgentId>& assignee) {
  const auto named = named_in(settings);
  if (!named) return {};
  TRY(check_environment_choice(reader, company, as_id(*named), true));
  // While the instance keeps issues out of workspaces of their own, the settings have no effect.
  if (!assignee || !isolated_workspaces_enabled(reader)) return {};
  const auto adapter = reader.value<std::string>("select adapter_type from agents where id = :1 and company_id = :2", *assignee, company);
  if (!adapter || is_remote_adapter(*adapter)) return {};
  return check_environment_choice(reader, company, as_id(*named), false);
}

Result<> check_project_environment(store::Reader& reader, CompanyId company, const json::value& policy) {
  const auto named = string_at(policy, "environmentId");
  return named ? check_environment_choice(reader, company, as_id(*named), true) : success();
}

std::optional<EnvironmentId> select_environment(store::Reader& reader, const SelectionInputs& inputs) {
  const auto issue = inputs.issue_id ? reader.one<IssuePlace>("select {} from issues where id = :1 and company_id = :2", *inputs.issue_id, inputs.company_id)
                                     : std::nullopt;
  if (issue && issue->execution_workspace_id) {
    const auto metadata = reader.value<RawJson>("select metadata from execution_workspaces where id = :1 and company_id = :2",
                                                *issue->execution_workspace_id, inputs.company_id);
    const json::value parsed = metadata ? metadata->parse() : json::value();
    if (const auto* config = member(parsed, "config"); config != nullptr && config->is_object() && !config->get_object().empty()) {
      const auto named = string_at(*config, "environmentId");
      return named ? std::optional(as_id(*named)) : std::nullopt;
    }
  }
  if (issue && isolated_workspaces_enabled(reader)) {
    if (const auto named = named_in(issue->execution_workspace_settings)) return as_id(*named);
    if (issue->project_id)
      if (const auto named = named_in(reader.value<RawJson>("select execution_workspace_policy from projects where id = :1 and company_id = :2",
                                                            *issue->project_id, inputs.company_id)))
        return as_id(*named);
  }
  return inputs.agent_default;
}

}  // namespace paperclip::domain
