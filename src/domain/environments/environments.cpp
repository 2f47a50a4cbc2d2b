#include "domain/environments/environments.h"

#include <algorithm>

#include "base/write_json.h"
#include "domain/access/permissions.h"
#include "domain/activity/activity.h"
#include "domain/environments/leases.h"

namespace paperclip::domain {

namespace {

json::object details_of(const Environment& environment) {
  return {{"name", environment.name}, {"driver", to_text(environment.driver)}, {"status", to_text(environment.status)}};
}

void log(store::Transaction& tx, const CompanyScope& scope, std::string_view action, std::string id, json::object details) {
  log_activity(tx, scope.company_id(), scope.author(), {action, "environment", std::move(id), std::move(details)});
}

json::object patch_details(const EnvironmentPatch& patch, const std::optional<PreparedConfig>& config, const Environment& now) {
  std::vector<std::string> fields;
  json::object details;
  if (patch.name) {
    fields.push_back("name");
    details["name"] = now.name;
  }
  if (patch.description) {
    fields.push_back("description");
    details["descriptionChanged"] = true;
  }
  if (patch.driver) {
    fields.push_back("driver");
    details["driver"] = to_text(now.driver);
  }
  if (patch.status) {
    fields.push_back("status");
    details["status"] = to_text(now.status);
  }
  if (config) {
    fields.push_back("config");
    details["configChanged"] = true;
    details["configTopLevelKeyCount"] = config_of(now).size();
  }
  if (patch.metadata) {
    fields.push_back("metadata");
    details["metadataChanged"] = true;
    details["metadataTopLevelKeyCount"] = patch.metadata.has_value() ? patch.metadata->value.size() : 0;
  }
  std::sort(fields.begin(), fields.end());
  json::array names;
  for (const auto& field : fields) names.emplace_back(field);
  details["changedFields"] = std::move(names);
  return details;
}

std::string pattern_for(EnvironmentId id) { return "%" + id.str() + "%"; }

// Nobody goes on choosing what is gone.
void clear_selections(store::Transaction& tx, CompanyId company, EnvironmentId id) {
  const auto rows = [&](const std::string& table, const std::string& column) {
    return tx.all<std::pair<std::string, RawJson>>("select cast(id as text), " + column + " from " + table + " where company_id = :1 and cast(" + column +
                                                       " as text) like :2",
                                                   company, pattern_for(id));
  };
  const auto store = [&](const std::string& table, const std::string& column, const std::string& row, json::object value) {
    tx.execute("update " + table + " set " + column + " = :1 where id = :2", RawJson(json::value(std::move(value))), *AnyId::parse(row));
  };
  const auto names_it = [&](const json::value* object) { return object != nullptr && string_at(*object, "environmentId") == id.str(); };
  for (const auto& [row, stored] : rows("execution_workspaces", "metadata")) {
    json::value metadata = stored.parse();
    if (!metadata.is_object() || !names_it(member(metadata, "config"))) continue;
    auto& config = metadata.get_object()["config"].get_object();
    config["environmentId"] = nullptr;
    if (std::all_of(config.begin(), config.end(), [](const auto& item) { return item.value().is_null(); })) metadata.get_object().erase("config");
    store("execution_workspaces", "metadata", row, std::move(metadata.get_object()));
  }
  for (const auto& [row, stored] : rows("issues", "execution_workspace_settings")) {
    json::value settings = stored.parse();
    if (!names_it(&settings)) continue;
    settings.get_object()["environmentId"] = nullptr;
    store("issues", "execution_workspace_settings", row, std::move(settings.get_object()));
  }
  for (const auto& [row, stored] : rows("projects", "execution_workspace_policy")) {
    json::value policy = stored.parse();
    if (!names_it(&policy)) continue;
    policy.get_object().erase("environmentId");
    store("projects", "execution_workspace_policy", row, std::move(policy.get_object()));
  }
}

}  // namespace

bool can_manage_environments(store::Reader& reader, const CompanyScope& scope) {
  const Actor& actor = scope.actor();
  if (actor.is_agent())
    return agent_standing(reader, *actor.agent_id).can_create_agents ||
           has_grant(reader, scope.company_id(), "agent", actor.agent_id->view(), "environments:manage");
  if (actor.is_local_implicit() || actor.is_instance_admin) return true;
  return !actor.user_id.empty() && has_grant(reader, scope.company_id(), "user", actor.user_id, "environments:manage");
}

Result<> require_manage_environments(store::Reader& reader, const CompanyScope& scope) {
  if (can_manage_environments(reader, scope)) return {};
  return forbidden("Missing permission: environments:manage");
}

std::optional<Environment> find_environment(store::Reader& reader, CompanyId company, EnvironmentId id) {
  return reader.one<Environment>("select {} from environments where id = :1 and company_id = :2", id, company);
}

json::object config_of(const Environment& environment) {
  json::value config = environment.config.parse();
  return config.is_object() ? std::move(config.get_object()) : json::object();
}

std::vector<Environment> environments_of(store::Reader& reader, CompanyId company, const std::optional<std::string>& status,
                                         const std::optional<std::string>& driver) {
  return reader.all<Environment>("select {} from environments where company_id = :1 and (:2 = '' or status = :2) and (:3 = '' or driver = :3) "
                                 "order by updated_at desc, created_at desc, id desc limit 1000",
                                 company, status.value_or(""), driver.value_or(""));
}

void append_environment_json(std::string& out, const Environment& environment, bool whole) {
  if (whole) return append_json(out, environment);
  Environment shown = environment;
  shown.config = RawJson("{}");
  shown.metadata.reset();
  JsonObjectWriter(out).members(shown).field("configRedacted", true).field("metadataRedacted", true).end();
}

Result<Environment> create_environment(store::Transaction& tx, const CompanyScope& scope, const NewEnvironment& wanted, const PreparedConfig& prepared) {
  if (!tx.exists("select 1 from companies where id = :1", scope.company_id())) return not_found("Company not found");
  json::object config = prepared.config;
  TRY(store_config_secrets(tx, scope, prepared.secrets, config));
  Environment environment;
  environment.id = tx.new_id<EnvironmentId>();
  environment.company_id = scope.company_id();
  environment.name = wanted.name;
  environment.description = wanted.description;
  environment.driver = wanted.driver;
  environment.status = *wanted.status;
  environment.config = RawJson(json::value(std::move(config)));
  if (wanted.metadata) environment.metadata = wanted.metadata->raw();
  environment.created_at = environment.updated_at = tx.now();
  if (!tx.try_insert(table_of<Environment>, environment)) return conflict("The company has a local environment already");
  log(tx, scope, "environment.created", environment.id.str(), details_of(environment));
  return environment;
}

std::optional<json::object> changed_config(const Environment& before, const EnvironmentPatch& patch) {
  // Nothing of another driver is inherited: hosts and keys must not leak.
  if (patch.driver && *patch.driver != before.driver) return patch.config ? patch.config->value : json::object();
  if (!patch.config && !patch.driver) return std::nullopt;
  json::object config = config_of(before);
  if (patch.config)
    for (const auto& item : patch.config->value) config[item.key()] = item.value();
  return config;
}

Result<Environment> update_environment(store::Transaction& tx, const CompanyScope& scope, const Environment& before, const EnvironmentPatch& patch,
                                       const std::optional<PreparedConfig>& prepared) {
  auto found = tx.one<Environment>("select {} from environments where id = :1 and company_id = :2 {for update}", before.id, scope.company_id());
  if (!found) return not_found("Environment not found");
  if (prepared && (found->config.parse() != before.config.parse() || found->driver != before.driver))
    return conflict("The environment was changed by somebody else meanwhile. Read it again and repeat the change.");
  Environment environment = *found;
  if (patch.name) environment.name = *patch.name;
  patch.description.apply(environment.description);
  if (patch.driver) environment.driver = *patch.driver;
  if (patch.status) environment.status = *patch.status;
  if (patch.metadata) environment.metadata = patch.metadata.has_value() ? std::optional(patch.metadata->raw()) : std::nullopt;
  if (prepared) {
    json::object config = prepared->config;
    TRY(store_config_secrets(tx, scope, prepared->secrets, config));
    environment.config = RawJson(json::value(std::move(config)));
  }
  environment.updated_at = tx.now();
  if (environment.driver == EnvironmentDriver::local && found->driver != EnvironmentDriver::local &&
      tx.exists("select 1 from environments where company_id = :1 and driver = 'local'", scope.company_id()))
    return conflict("The company has a local environment already");
  tx.update(table_of<Environment>, environment);
  if (prepared) collect_unused_secrets(tx, scope.company_id(), ids_in(before.config.parse()));
  log(tx, scope, "environment.updated", environment.id.str(), patch_details(patch, prepared, environment));
  return environment;
}

Result<Environment> delete_environment(store::Transaction& tx, const CompanyScope& scope, EnvironmentId id, bool forced) {
  auto environment = tx.one<Environment>("select {} from environments where id = :1 and company_id = :2 {for update}", id, scope.company_id());
  if (!environment) return not_found("Environment not found");
  const auto leases = tx.all<EnvironmentLease>("select {} from environment_leases where environment_id = :1", id);
  std::set<SecretId> secrets = ids_in(environment->config.parse());
  for (const auto& lease : leases) {
    if (lease.status == LeaseStatus::active)
      return conflict("Environment is in use: a run holds a lease on it. Stop the run, or wait for its end.", json::object{{"leaseId", lease.id.view()}});
    if (!forced && holds_place(lease))
      return conflict("Environment still has a sandbox that could not be given back to its provider. Repair the provider and try again, or "
                      "delete with ?force=true and remove the sandbox by hand.",
                      json::object{{"leaseId", lease.id.view()}, {"providerLeaseId", lease.provider_lease_id ? json::value(*lease.provider_lease_id) : json::value()}});
    if (lease.metadata) secrets.merge(ids_in(lease.metadata->parse()));
  }
  clear_selections(tx, scope.company_id(), id);
  tx.execute("delete from environments where id = :1", id);
  collect_unused_secrets(tx, scope.company_id(), secrets);
  log(tx, scope, "environment.deleted", id.str(), details_of(*environment));
  return *std::move(environment);
}

void note_probe(store::Transaction& tx, const CompanyScope& scope, EnvironmentId id, const ProbeNote& note) {
  log(tx, scope, "environment.probed", id.str(), {{"driver", to_text(note.driver)}, {"ok", note.ok}, {"summary", note.summary}});
}

void note_draft_probe(store::Transaction& tx, const CompanyScope& scope, const ProbeNote& note, std::size_t config_keys) {
  log(tx, scope, "environment.probed_unsaved", "unsaved",
      {{"driver", to_text(note.driver)}, {"ok", note.ok}, {"summary", note.summary}, {"configTopLevelKeyCount", config_keys}});
}

}  // namespace paperclip::domain
