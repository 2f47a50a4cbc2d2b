#include "api/agent_kind.h"
#include "api/adapter_rules.h"
#include "api/all_routes.h"
#include "api/services.h"
#include "domain/access/permissions.h"
#include "domain/activity/activity.h"
#include "domain/agents/agents.h"
#include "domain/agents/update.h"
#include "domain/instructions/bundle.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

using domain::Bundle;
using domain::BundleMode;
using AgentRow = domain::Agent;
namespace fs = std::filesystem;

struct BundlePatchBody {
  Omit<BundleMode> mode;
  Patch<std::string> root_path;
  Omit<std::string> entry_file;
  Default<bool> clear_legacy_prompt_template{false};
};
BOOST_DESCRIBE_STRUCT(BundlePatchBody, (), (mode, root_path, entry_file, clear_legacy_prompt_template))

struct BundleFileBody {
  Text<1> path;
  std::string content;
  Default<bool> clear_legacy_prompt_template{false};
};
BOOST_DESCRIBE_STRUCT(BundleFileBody, (), (path, content, clear_legacy_prompt_template))

struct InstructionsPathBody {
  std::optional<std::string> path;
  Omit<Trimmed<1>> adapter_config_key;
};
BOOST_DESCRIBE_STRUCT(InstructionsPathBody, (), (path, adapter_config_key))

fs::path managed_root(const Call& call, const AgentRow& agent) {
  return domain::managed_bundle_root(call.services.settings.instance_root, agent.company_id.view(), agent.id.view());
}

Bundle bundle_of(const Call& call, const AgentRow& agent) { return domain::derive_bundle(agent.adapter_config.parse(), managed_root(call, agent)); }

// Boards need the right to create agents; any agent of the company may read, none may write.
Result<AgentRow> agent_for(Call& call, bool write) {
  return call.services.database.read([&](store::Reader& reader) -> Result<AgentRow> {
    if (!call.actor.is_agent()) TRY(domain::require_create_agents(reader, call.scope()));
    else if (write) return forbidden("Only board-authenticated callers can manage instructions path or bundle configuration");
    auto agent = domain::agent_view(reader, call.entity<AgentId>());
    if (!agent) return not_found("Agent not found");
    return *std::move(agent);
  });
}

Answer bundle_answer(const AgentRow& agent, const Bundle& bundle) {
  std::string body;
  JsonObjectWriter(body)
      .field("agentId", agent.id)
      .field("companyId", agent.company_id)
      .field("mode", bundle.mode)
      .field("rootPath", bundle.root ? std::optional(bundle.root->string()) : std::nullopt)
      .field("managedRootPath", bundle.managed_root.string())
      .field("entryFile", bundle.entry_file)
      .field("resolvedEntryPath", bundle.root ? std::optional((*bundle.root / bundle.entry_file).string()) : std::nullopt)
      .field("editable", bundle.root.has_value())
      .field("warnings", bundle.warnings)
      .field("legacyPromptTemplateActive", bundle.legacy_prompt.has_value())
      .field("legacyBootstrapPromptTemplateActive", bundle.legacy_bootstrap_prompt)
      .field("files", domain::list_bundle_files(bundle))
      .end();
  return ok_json(std::move(body));
}

Answer file_answer(const Bundle& bundle, const std::string& path, const std::string& content) {
  std::string body;
  JsonObjectWriter(body).members(domain::describe_bundle_file(bundle, path, content)).field("content", content).end();
  return ok_json(std::move(body));
}

// Stores a changed configuration with its revision and activity entry. The agent is read anew in the transaction, so
// that nothing another writer changed meanwhile is lost: only the keys given here are set (or removed, for null).
Result<> store_keys(Call& call, const json::object& keys, std::string_view source, std::string_view action, json::value details) {
  return call.services.database.write([&](store::Transaction& tx) -> Result<> {
    const auto agent = domain::agent_view(tx, call.entity<AgentId>());
    if (!agent) return not_found("Agent not found");
    const json::value stored = agent->adapter_config.parse();
    json::object config = stored.is_object() ? stored.get_object() : json::object();
    bool changes = false;
    for (const auto& item : keys) {
      const auto* old = config.if_contains(item.key());
      if (item.value().is_null()) {
        changes = config.erase(item.key()) > 0 || changes;
      } else if (old == nullptr || *old != item.value()) {
        config[item.key()] = item.value();
        changes = true;
      }
    }
    if (changes) {
      domain::AgentChanges update;
      update.adapter_config = JsonObject{std::move(config)};
      update.replace_adapter_config = true;
      TRY(domain::update_agent(tx, call.scope(), agent->id, update, adapter_rules(), false, {std::string(source), std::nullopt}));
    }
    domain::log_activity(tx, call.company_id(), call.scope().author(), {action, "agent", agent->id.str(), std::move(details)});
    return {};
  });
}

json::object bundle_keys(BundleMode mode, const fs::path& root, const std::string& entry, bool clear_legacy) {
  json::object keys = domain::with_bundle_keys({}, mode, root, entry);
  if (clear_legacy)
    for (std::string_view key : {"bootstrapPromptTemplate", "promptTemplate"}) keys[key] = nullptr;
  return keys;
}

Result<Answer> get_bundle(Call& call) {
  const AgentRow agent = TRY(agent_for(call, false));
  return bundle_answer(agent, bundle_of(call, agent));
}

Result<Answer> get_file(Call& call) {
  const AgentRow agent = TRY(agent_for(call, false));
  const auto wanted = call.query.text("path");
  if (!wanted) return unprocessable("Query parameter 'path' is required");
  const std::string path = TRY(domain::bundle_path(*wanted));
  const Bundle bundle = bundle_of(call, agent);
  return file_answer(bundle, path, TRY(domain::read_bundle_file(bundle, path)));
}

// Fills a fresh root from the bundle that was there before, and makes sure that there is an entry file.
Result<> populate(const Bundle& from, const fs::path& root, const std::string& entry) {
  std::error_code problem;
  fs::create_directories(root, problem);
  if (problem) return unprocessable("Cannot create the instructions root " + root.string() + ": " + problem.message());
  Bundle target = from;
  target.root = root;
  target.legacy_prompt.reset();
  if (domain::list_bundle_files(target).empty())
    for (const auto& file : domain::list_bundle_files(from)) {
      auto content = domain::read_bundle_file(from, file.path);
      if (content) TRY(domain::write_bundle_file(root, file.virtual_ ? entry : file.path, *content));
    }
  if (fs::exists(root / entry, problem)) return {};
  auto old_entry = domain::read_bundle_file(from, from.entry_file);
  return domain::write_bundle_file(root, entry, old_entry ? *old_entry : std::string());
}

Result<Answer> patch_bundle(Call& call, const BundlePatchBody& body) {
  const AgentRow agent = TRY(agent_for(call, true));
  const Bundle bundle = bundle_of(call, agent);
  const BundleMode mode = body.mode ? *body.mode : bundle.mode.value_or(BundleMode::managed);
  fs::path root = bundle.managed_root;
  if (mode == BundleMode::external) {
    if (body.root_path.has_value()) root = fs::path(*body.root_path);
    else if (bundle.root) root = *bundle.root;
    else return unprocessable("External instructions bundles require an absolute rootPath");
    if (root.is_relative()) return unprocessable("External instructions bundles require an absolute rootPath");
  }
  const std::string entry = body.entry_file ? TRY(domain::bundle_path(*body.entry_file)) : bundle.entry_file;
  TRY(populate(bundle, root, entry));
  TRY(store_keys(call, bundle_keys(mode, root, entry, *body.clear_legacy_prompt_template), "instructions_bundle_patch", "agent.instructions_bundle_updated",
                 json::value{{"mode", to_text(mode)}, {"rootPath", root.string()}, {"entryFile", entry}}));
  return get_bundle(call);
}

Result<Answer> put_file(Call& call, const BundleFileBody& body) {
  const AgentRow agent = TRY(agent_for(call, true));
  const std::string path = TRY(domain::bundle_path(body.path));
  Bundle bundle = bundle_of(call, agent);
  json::object keys;
  if (path == domain::legacy_prompt_file && bundle.legacy_prompt) {
    keys["promptTemplate"] = body.content;
  } else {
    if (!bundle.root) {
      // The first file of an agent without a bundle makes a managed one around what it had.
      TRY(populate(bundle, bundle.managed_root, std::string(domain::default_entry_file)));
      bundle.root = bundle.managed_root;
      bundle.mode = BundleMode::managed;
      bundle.entry_file = domain::default_entry_file;
    }
    TRY(domain::write_bundle_file(*bundle.root, path, body.content));
    keys = bundle_keys(*bundle.mode, *bundle.root, bundle.entry_file, *body.clear_legacy_prompt_template);
  }
  TRY(store_keys(call, keys, "instructions_bundle_file_put", "agent.instructions_file_updated", json::value{{"path", path}, {"size", body.content.size()}}));
  return file_answer(bundle, path, body.content);
}

Result<Answer> delete_file(Call& call) {
  const AgentRow agent = TRY(agent_for(call, true));
  const auto wanted = call.query.text("path");
  if (!wanted) return unprocessable("Query parameter 'path' is required");
  const std::string path = TRY(domain::bundle_path(*wanted));
  TRY(domain::delete_bundle_file(bundle_of(call, agent), path));
  TRY(store_keys(call, {}, "", "agent.instructions_file_deleted", json::value{{"path", path}}));
  return get_bundle(call);
}

Result<Answer> patch_path(Call& call, const InstructionsPathBody& body) {
  const AgentRow agent = TRY(agent_for(call, true));
  if (!call.body || member(*call.body, "path") == nullptr) {
    SchemaIssues issues;
    SchemaIssues::Step step(issues, "path");
    issues.invalid_type("string", nullptr);
    return std::move(issues).error();
  }
  std::string key = body.adapter_config_key ? std::string(*body.adapter_config_key) : "";
  if (key.empty()) {
    if (!adapter_rules().supports_instructions_bundle(agent.adapter_type))
      return unprocessable("No default instructions path key for adapter type '" + agent.adapter_type + "'. Provide adapterConfigKey.");
    key = "instructionsFilePath";
  }
  json::object keys;
  std::optional<std::string> stored;
  if (body.path && !trim(*body.path).empty()) {
    fs::path path = std::string(trim(*body.path));
    if (path.is_relative()) {
      const auto cwd = text_at(agent.adapter_config.parse(), "cwd");
      if (!cwd) return unprocessable("Relative instructions path requires adapterConfig.cwd to be set to an absolute path");
      if (fs::path(*cwd).is_relative()) return unprocessable("adapterConfig.cwd must be an absolute path to resolve relative instructions path");
      path = (fs::path(*cwd) / path).lexically_normal();
    }
    stored = path.string();
    keys[key] = *stored;
  } else {
    keys[key] = nullptr;
  }
  if (key == "instructionsFilePath") {
    json::object derived;
    if (stored) derived["instructionsFilePath"] = *stored;
    derived = domain::with_derived_bundle_keys(std::move(derived), managed_root(call, agent));
    for (const char* name : {"instructionsBundleMode", "instructionsRootPath", "instructionsEntryFile"})
      keys[name] = derived.contains(name) ? derived[name] : json::value(nullptr);
  }
  TRY(store_keys(call, keys, "instructions_path_patch", "agent.instructions_path_updated",
                 json::value{{"adapterConfigKey", key}, {"path", stored ? json::value(*stored) : json::value(nullptr)}}));
  std::string out;
  JsonObjectWriter(out).field("agentId", agent.id).field("adapterType", agent.adapter_type).field("adapterConfigKey", key).field("path", stored).end();
  return ok_json(std::move(out));
}

}  // namespace

void add_agent_instruction_routes(Routes& routes) {
  routes.get("/api/agents/{id}/instructions-bundle", get_bundle).entity(agent_kind);
  routes.patch("/api/agents/{id}/instructions-bundle", patch_bundle).entity(agent_kind);
  routes.get("/api/agents/{id}/instructions-bundle/file", get_file).entity(agent_kind);
  routes.put("/api/agents/{id}/instructions-bundle/file", put_file).entity(agent_kind);
  routes.remove("/api/agents/{id}/instructions-bundle/file", delete_file).entity(agent_kind);
  routes.patch("/api/agents/{id}/instructions-path", patch_path).entity(agent_kind);
}

}  // namespace paperclip::api
