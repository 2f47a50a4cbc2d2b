#include "domain/environments/environments.h"

#include "api/all_routes.h"
#include "api/services.h"
#include "domain/environments/leases.h"
#include "domain/environments/selection.h"
#include "environments/leases.h"
#include "environments/probes.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

using domain::Environment;
using domain::EnvironmentDriver;

constexpr std::chrono::seconds probe_limit{60}, settle_limit{120};

Result<std::optional<Located>> locate_environment(store::Reader& reader, const Call&, std::string_view reference) {
  const auto id = EnvironmentId::parse(reference);
  const auto company = id ? reader.value<CompanyId>("select company_id from environments where id = :1", *id) : std::nullopt;
  if (!company) return std::optional<Located>();
  return std::optional<Located>({*company, id->str()});
}
constexpr EntityKind environment_kind{"Environment not found", locate_environment};

Result<std::optional<Located>> locate_lease(store::Reader& reader, const Call&, std::string_view reference) {
  const auto id = LeaseId::parse(reference);
  const auto company = id ? reader.value<CompanyId>("select company_id from environment_leases where id = :1", *id) : std::nullopt;
  if (!company) return std::optional<Located>();
  return std::optional<Located>({*company, id->str()});
}
constexpr EntityKind lease_kind{"Environment lease not found", locate_lease};

environments::Configs configs(Call& call) {
  auto& services = call.services;
  return {services.database, services.secrets, services.random, services.providers};
}

Result<> require_manage(Call& call) {
  return call.services.database.read([&](store::Reader& reader) { return domain::require_manage_environments(reader, call.scope()); });
}

Result<Environment> named_environment(Call& call) {
  auto found = call.services.database.read(
      [&](store::Reader& reader) { return domain::find_environment(reader, call.company_id(), call.entity<EnvironmentId>()); });
  if (!found) return not_found("Environment not found");
  return *std::move(found);
}

Answer answer_with(const Environment& environment, bool whole, int status = 200) {
  std::string body;
  domain::append_environment_json(body, environment, whole);
  return ok_json(std::move(body), status);
}

Result<Answer> list_environments(Call& call) {
  std::string body = "[";
  call.services.database.read([&](store::Reader& reader) {
    const bool whole = domain::can_manage_environments(reader, call.scope());
    for (const auto& environment : domain::environments_of(reader, call.company_id(), call.query.text("status"), call.query.text("driver"))) {
      if (body.size() > 1) body += ',';
      domain::append_environment_json(body, environment, whole);
    }
    return true;
  });
  return ok_json(body + "]");
}

std::string_view support(bool supported) { return supported ? "supported" : "unsupported"; }

void append_provider(std::string& out, const plugins::SandboxProvider& provider) {
  JsonObjectWriter writer(out);
  writer.field("status", "supported")
      .field("supportsSavedProbe", true)
      .field("supportsUnsavedProbe", true)
      .field("supportsRunExecution", true)
      .field("supportsReusableLeases", true)
      .field("displayName", provider.display_name());
  if (const auto description = provider.description()) writer.field("description", *description);
  writer.field("source", "plugin").field("pluginKey", provider.plugin_key()).field("pluginId", provider.plugin_id());
  if (const auto schema = provider.config_schema(); !schema.empty()) writer.field("configSchema", schema);
  writer.end();
}

// What can run where (spec/environments.md 4).
Result<Answer> capabilities(Call& call) {
  const auto providers = call.services.providers != nullptr ? call.services.providers->list() : std::vector<std::shared_ptr<plugins::SandboxProvider>>();
  std::string body;
  JsonObjectWriter writer(body);
  std::string& adapters = writer.begin("adapters");
  adapters += '[';
  for (const auto type : domain::adapters_in_contract) {
    if (adapters.back() == '}') adapters += ',';
    const bool remote = domain::is_remote_adapter(type);
    json::object drivers{{"local", "supported"}, {"ssh", support(remote)}, {"sandbox", support(remote)}, {"plugin", "unsupported"}};
    json::object by_provider{{"fake", "unsupported"}};
    for (const auto& provider : providers) by_provider[provider->key()] = support(remote);
    JsonObjectWriter(adapters).field("adapterType", type).field("drivers", drivers).field("sandboxProviders", by_provider).end();
  }
  adapters += ']';
  writer.field("drivers", json::object{{"local", "supported"}, {"ssh", "supported"}, {"sandbox", "supported"}, {"plugin", "unsupported"}});
  std::string& list = writer.begin("sandboxProviders");
  JsonObjectWriter known(list);
  JsonObjectWriter(known.begin("fake"))
      .field("status", "unsupported")
      .field("supportsSavedProbe", true)
      .field("supportsUnsavedProbe", true)
      .field("supportsRunExecution", false)
      .field("supportsReusableLeases", true)
      .field("displayName", "Fake")
      .field("source", "builtin")
      .end();
  for (const auto& provider : providers) append_provider(known.begin(provider->key()), *provider);
  known.end();
  writer.end();
  return ok_json(std::move(body));
}

Result<Answer> create_environment(Call& call, const domain::NewEnvironment& body) {
  TRY(require_manage(call));
  const auto config = TRY(configs(call).prepare(body.driver, body.config->value, body.name));
  const auto made = TRY(call.services.database.write([&](store::Transaction& tx) { return domain::create_environment(tx, call.scope(), body, config); }));
  return answer_with(made, true, 201);
}

Result<Answer> get_environment(Call& call) {
  const bool whole = call.services.database.read([&](store::Reader& reader) { return domain::can_manage_environments(reader, call.scope()); });
  return answer_with(TRY(named_environment(call)), whole);
}

Result<Answer> update_environment(Call& call, const domain::EnvironmentPatch& body) {
  TRY(require_manage(call));
  const Environment before = TRY(named_environment(call));
  std::optional<domain::PreparedConfig> config;
  if (const auto changed = domain::changed_config(before, body))
    config = TRY(configs(call).prepare(body.driver ? *body.driver : before.driver, *changed, body.name ? std::string_view(*body.name) : before.name));
  const auto after =
      TRY(call.services.database.write([&](store::Transaction& tx) { return domain::update_environment(tx, call.scope(), before, body, config); }));
  return answer_with(after, true);
}

// What a provider still keeps of it goes first; the row goes only when nothing is left, or when the caller insists.
Result<Answer> delete_environment(Call& call) {
  TRY(require_manage(call));
  const auto id = call.entity<EnvironmentId>();
  if (call.services.leases != nullptr) call.services.leases->give_back_kept(id, Deadline::in(settle_limit));
  const bool forced = call.query.flag("force");
  const auto gone = TRY(call.services.database.write([&](store::Transaction& tx) { return domain::delete_environment(tx, call.scope(), id, forced); }));
  return answer_with(gone, true);
}

Result<Answer> list_leases(Call& call) {
  TRY(require_manage(call));
  return ok(call.services.database.read(
      [&](store::Reader& reader) { return domain::leases_of(reader, call.entity<EnvironmentId>(), call.query.text("status")); }));
}

Result<Answer> get_lease(Call& call) {
  TRY(require_manage(call));
  const auto lease = call.services.database.read([&](store::Reader& reader) { return domain::find_lease(reader, call.entity<LeaseId>()); });
  if (!lease) return not_found("Environment lease not found");
  return ok(*lease);
}

Answer probe_answer(EnvironmentDriver driver, const environments::PlaceProbe& probe) {
  std::string body;
  JsonObjectWriter(body).field("ok", probe.ok).field("driver", driver).field("summary", probe.summary).field("details", probe.details).end();
  return ok_json(std::move(body));
}

Result<environments::PlaceProbe> probe(Call& call, const Environment& environment, const json::object& config, std::string_view id) {
  return environments::probe_environment(environment, config, call.services.providers, call.services.drivers, id, Deadline::in(probe_limit));
}

Result<Answer> probe_saved(Call& call) {
  TRY(require_manage(call));
  const Environment environment = TRY(named_environment(call));
  const json::object config = TRY(configs(call).resolve(environment));
  const auto outcome = TRY(probe(call, environment, config, environment.id.view()));
  TRY(call.services.database.write([&](store::Transaction& tx) -> Result<> {
    domain::note_probe(tx, call.scope(), environment.id, {environment.driver, outcome.ok, outcome.summary});
    return {};
  }));
  return probe_answer(environment.driver, outcome);
}

Result<Answer> probe_draft(Call& call, const domain::EnvironmentDraft& body) {
  TRY(require_manage(call));
  const json::object config = TRY(configs(call).prepare_draft(call.company_id(), body.driver, body.config->value));
  Environment draft;
  draft.company_id = call.company_id();
  draft.name = body.name ? std::string(*body.name) : "Unsaved environment";
  draft.description = body.description;
  draft.driver = body.driver;
  if (body.metadata) draft.metadata = body.metadata->raw();
  const auto outcome = TRY(probe(call, draft, config, "unsaved"));
  TRY(call.services.database.write([&](store::Transaction& tx) -> Result<> {
    domain::note_draft_probe(tx, call.scope(), {body.driver, outcome.ok, outcome.summary}, config.size());
    return {};
  }));
  return probe_answer(body.driver, outcome);
}

}  // namespace

void add_environment_routes(Routes& routes) {
  routes.get("/api/companies/{companyId}/environments", list_environments).company();
  routes.get("/api/companies/{companyId}/environments/capabilities", capabilities).company();
  routes.post("/api/companies/{companyId}/environments", create_environment).company();
  routes.post("/api/companies/{companyId}/environments/probe-config", probe_draft).company();
  routes.get("/api/environments/{id}", get_environment).entity(environment_kind);
  routes.patch("/api/environments/{id}", update_environment).entity(environment_kind);
  routes.remove("/api/environments/{id}", delete_environment).entity(environment_kind);
  routes.get("/api/environments/{id}/leases", list_leases).entity(environment_kind);
  routes.post("/api/environments/{id}/probe", probe_saved).entity(environment_kind);
  routes.get("/api/environment-leases/{id}", get_lease).entity(lease_kind);
}

}  // namespace paperclip::api
