#include <algorithm>

#include "api/adapter_rules.h"
#include "api/agent_bodies.h"
#include "api/all_routes.h"
#include "api/services.h"
#include "domain/access/permissions.h"
#include "domain/activity/activity.h"
#include "domain/agents/agents.h"
#include "domain/approvals/approvals.h"
#include "domain/budgets/policies.h"
#include "domain/instructions/bundle.h"
#include "domain/redaction/redaction.h"
#include "domain/secrets/secrets.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

struct PermissionsBody {
  Default<bool> can_create_agents{false};
};
BOOST_DESCRIBE_STRUCT(PermissionsBody, (), (can_create_agents))

struct InstructionsBundleBody {
  Omit<std::string> entry_file;
  std::map<std::string, std::string> files;
  void check(SchemaIssues& issues) const {
    if (!files.empty()) return;
    SchemaIssues::Step step(issues, "files");
    issues.add("custom", "instructionsBundle.files must contain at least one file");
  }
};
BOOST_DESCRIBE_STRUCT(InstructionsBundleBody, (), (entry_file, files))

struct CreateAgentBody {
  Text<1> name;
  Default<AgentRole> role{AgentRole::general};
  std::optional<std::string> title;
  std::optional<IconName> icon;
  std::optional<AgentId> reports_to;
  std::optional<std::string> capabilities;
  Omit<std::vector<std::string>> desired_skills;
  Omit<InstructionsBundleBody> instructions_bundle;
  Default<Trimmed<0>> adapter_type{Trimmed<0>("process")};
  Default<AdapterConfig> adapter_config;
  Default<RuntimeConfig> runtime_config;
  std::optional<EnvironmentId> default_environment_id;
  Default<Int<0>> budget_monthly_cents{Int<0>(0)};
  Omit<PermissionsBody> permissions;
  std::optional<JsonObject> metadata;
};
BOOST_DESCRIBE_STRUCT(CreateAgentBody, (), (name, role, title, icon, reports_to, capabilities, desired_skills, instructions_bundle, adapter_type, adapter_config,
                                            runtime_config, default_environment_id, budget_monthly_cents, permissions, metadata))

struct HireAgentBody : CreateAgentBody {
  Omit<IssueId> source_issue_id;
  Omit<std::vector<IssueId>> source_issue_ids;
};
BOOST_DESCRIBE_STRUCT(HireAgentBody, (CreateAgentBody), (source_issue_id, source_issue_ids))

domain::NewAgent new_agent(const CreateAgentBody& body) {
  domain::NewAgent agent;
  agent.name = body.name;
  agent.role = to_text(*body.role);
  agent.title = body.title;
  if (body.icon) agent.icon = body.icon->name;
  agent.reports_to = body.reports_to;
  agent.capabilities = body.capabilities;
  agent.adapter_type = *body.adapter_type;
  agent.adapter_config = body.adapter_config->value;
  agent.runtime_config = body.runtime_config->value;
  domain::fill_heartbeat_defaults(agent.runtime_config);
  agent.default_environment_id = body.default_environment_id;
  agent.budget_monthly_cents = body.budget_monthly_cents->value;
  agent.can_create_agents = body.permissions ? *body.permissions->can_create_agents : agent.role == "ceo";
  if (body.metadata) agent.metadata = body.metadata->value;
  return agent;
}

// Checks and normalises the configuration (spec/organisation.md 2.6, steps 2 to 8).
Result<> prepare(store::Reader& tx, const Call& call, domain::NewAgent& agent) {
  TRY(adapter_rules().require(agent.adapter_type));
  if (adapter_rules().supports_instructions_bundle(agent.adapter_type) &&
      (text_at(agent.adapter_config, "promptTemplate") || text_at(agent.adapter_config, "bootstrapPromptTemplate")))
    return unprocessable("New agents must use instructionsBundle/AGENTS.md instead of adapterConfig.promptTemplate or bootstrapPromptTemplate");
  TRY(domain::refuse_agent_only_keys(call.actor, &agent.adapter_config, &agent.runtime_config));
  agent.adapter_config = adapter_rules().with_defaults(agent.adapter_type, std::move(agent.adapter_config));
  if (const auto* env = agent.adapter_config.if_contains("env"))
    agent.adapter_config["env"] = TRY(domain::normalise_env(tx, call.scope(), *env, call.services.settings.secrets_strict, "adapterConfig.env"));
  return {};
}

// The instruction files of a new agent, unless it brings its own path (spec/organisation.md 4.5). Written before the
// agent is stored: a file without an agent harms nobody, an agent without its instructions does.
Result<> write_instructions(const Call& call, const CreateAgentBody& body, domain::NewAgent& agent) {
  if (!adapter_rules().supports_instructions_bundle(agent.adapter_type)) return {};
  for (auto key : domain::instruction_keys())
    if (agent.adapter_config.contains(key)) return {};
  const auto root = domain::managed_bundle_root(call.services.settings.instance_root, call.company_id().view(), agent.id->view());
  std::string entry(domain::default_entry_file);
  std::map<std::string, std::string> files;
  if (body.instructions_bundle) {
    if (body.instructions_bundle->entry_file) entry = TRY(domain::bundle_path(*body.instructions_bundle->entry_file));
    for (const auto& [path, content] : body.instructions_bundle->files) files[TRY(domain::bundle_path(path))] = content;
    files.emplace(entry, "");
  } else {
    files = domain::default_instruction_files(agent.role);
  }
  for (const auto& [path, content] : files) TRY(domain::write_bundle_file(root, path, content));
  agent.adapter_config.erase("promptTemplate");
  agent.adapter_config.erase("bootstrapPromptTemplate");
  agent.adapter_config = domain::with_bundle_keys(std::move(agent.adapter_config), domain::BundleMode::managed, root, entry);
  return {};
}

std::string agent_json(store::Reader& reader, AgentId id) {
  std::string body;
  domain::append_agent_json(body, *domain::agent_view(reader, id));
  return body;
}

// Checks everything that can be refused, in a read, before any file is written.
Result<domain::NewAgent> planned_agent(const Call& call, const CreateAgentBody& body, bool hire) {
  domain::NewAgent agent = TRY(call.services.database.read([&](store::Reader& reader) -> Result<domain::NewAgent> {
    TRY(domain::require_create_agents(reader, call.scope()));
    const auto needs_approval = reader.value<bool>("select require_board_approval_for_new_agents from companies where id = :1", call.company_id());
    if (!needs_approval) return not_found("Company not found");
    if (*needs_approval && !hire)
      return conflict("Direct agent creation requires board approval. Use POST /api/companies/:companyId/agent-hires to create a pending hire approval.");
    domain::NewAgent plan = new_agent(body);
    TRY(prepare(reader, call, plan));
    if (!hire) TRY(domain::check_default_environment(reader, call.scope(), adapter_rules(), plan.adapter_type, plan.default_environment_id, true));
    if (*needs_approval) plan.status = domain::AgentStatus::pending_approval;
    TRY(domain::check_manager_of_new_agent(reader, call.scope(), plan));
    return plan;
  }));
  agent.id = call.services.random.id<AgentId>();
  TRY(write_instructions(call, body, agent));
  return agent;
}

Result<Answer> create_agent(Call& call, const CreateAgentBody& body) {
  const domain::NewAgent agent = TRY(planned_agent(call, body, false));
  return call.services.database.write([&](store::Transaction& tx) -> Result<Answer> {
    TRY(domain::require_create_agents(tx, call.scope()));
    const auto needs_approval = tx.value<bool>("select require_board_approval_for_new_agents from companies where id = :1", call.company_id());
    if (!needs_approval) return not_found("Company not found");
    if (*needs_approval)
      return conflict("Direct agent creation requires board approval. Use POST /api/companies/:companyId/agent-hires to create a pending hire approval.");
    const auto id = TRY(domain::insert_agent(tx, call.scope(), agent));
    domain::log_activity(tx, call.company_id(), call.scope().author(),
                         {"agent.created", "agent", id.str(), json::value{{"name", agent.name}, {"role", agent.role}, {"desiredSkills", nullptr}}});
    if (agent.budget_monthly_cents > 0) TRY(domain::set_monthly_agent_budget(tx, call.scope(), id, agent.budget_monthly_cents));
    return ok_json(agent_json(tx, id), 201);
  });
}

template <class T>
json::value nullable(const std::optional<T>& value) {
  if constexpr (requires { value->view(); }) return value ? json::value(value->view()) : json::value(nullptr);
  else return value ? json::value(*value) : json::value(nullptr);
}

// The plan as the board sees it: secrets masked, and once more as the snapshot that was asked for.
json::object hire_payload(const Call& call, const domain::NewAgent& agent, AgentId id) {
  const json::value adapter_config = domain::redact(json::value(agent.adapter_config)), runtime_config = domain::redact(json::value(agent.runtime_config));
  json::object payload;
  payload["name"] = agent.name;
  payload["role"] = agent.role;
  payload["title"] = nullable(agent.title);
  payload["icon"] = nullable(agent.icon);
  payload["reportsTo"] = nullable(agent.reports_to);
  payload["capabilities"] = nullable(agent.capabilities);
  payload["adapterType"] = agent.adapter_type;
  payload["adapterConfig"] = adapter_config;
  payload["runtimeConfig"] = runtime_config;
  payload["budgetMonthlyCents"] = agent.budget_monthly_cents;
  payload["desiredSkills"] = nullptr;
  payload["metadata"] = agent.metadata ? json::value(*agent.metadata) : json::value(json::object());
  payload["agentId"] = id.view();
  payload["requestedByAgentId"] = nullable(call.actor.agent_id);
  payload["requestedConfigurationSnapshot"] = {
      {"adapterType", agent.adapter_type}, {"adapterConfig", adapter_config}, {"runtimeConfig", runtime_config}, {"desiredSkills", nullptr}};
  return payload;
}

/// spec/organisation.md 2.7
Result<Answer> hire_agent(Call& call, const HireAgentBody& body) {
  std::vector<IssueId> issues;
  if (body.source_issue_id) issues.push_back(*body.source_issue_id);
  if (body.source_issue_ids)
    for (const auto& issue : *body.source_issue_ids)
      if (std::find(issues.begin(), issues.end(), issue) == issues.end()) issues.push_back(issue);
  const domain::NewAgent agent = TRY(planned_agent(call, body, true));
  const bool needs_approval = agent.status == domain::AgentStatus::pending_approval;
  return call.services.database.write([&](store::Transaction& tx) -> Result<Answer> {
    TRY(domain::require_create_agents(tx, call.scope()));
    const auto id = TRY(domain::insert_agent(tx, call.scope(), agent));
    std::optional<domain::Approval> approval;
    if (needs_approval) {
      domain::NewApproval wanted;
      wanted.type = domain::ApprovalType::hire_agent;
      wanted.payload = JsonObject{hire_payload(call, agent, id)};
      wanted.issue_ids = issues;
      approval = TRY(domain::insert_approval(tx, call.scope(), wanted));
    }
    json::array issue_ids;
    for (const auto& issue : issues) issue_ids.emplace_back(issue.view());
    domain::log_activity(tx, call.company_id(), call.scope().author(),
                         {"agent.hire_created", "agent", id.str(),
                          json::value{{"name", agent.name}, {"role", agent.role}, {"requiresApproval", needs_approval},
                                      {"approvalId", approval ? json::value(approval->id.view()) : json::value(nullptr)}, {"issueIds", std::move(issue_ids)},
                                      {"desiredSkills", nullptr}}});
    if (approval)
      domain::log_activity(tx, call.company_id(), call.scope().author(),
                           {"approval.created", "approval", approval->id.str(), json::value{{"type", "hire_agent"}, {"linkedAgentId", id.view()}}});
    std::string out;
    JsonObjectWriter writer(out);
    writer.begin("agent") += agent_json(tx, id);
    if (approval) domain::append_approval_json(writer.begin("approval"), *approval);
    else writer.field("approval", nullptr);
    writer.end();
    return ok_json(std::move(out), 201);
  });
}

}  // namespace

void add_agent_creation_routes(Routes& routes) {
  routes.post("/api/companies/{companyId}/agents", create_agent).company();
  routes.post("/api/companies/{companyId}/agent-hires", hire_agent).company();
}

}  // namespace paperclip::api
