#include <fmt/format.h>

#include <ostream>

#include "adapters/skills.h"
#include "cli/client_command.h"
#include "cli/commands/agent_path.h"
#include "cli/commands/all.h"
#include "os/files.h"

namespace paperclip::cli {

namespace fs = std::filesystem;

namespace {

Result<> list(Client& client, const AgentReference& options) {
  client.print(TRY(client.get(agent_path(client, "/api/agents/{}/keys", options.agent))));
  return {};
}

struct NewKey : AgentReference {
  std::string name = "default";
};

Result<> create(Client& client, const NewKey& options) {
  client.print(
      TRY(client.post(agent_path(client, "/api/agents/{}/keys", options.agent), json::object{{"name", options.name}})));
  return {};
}

struct KeyReference : AgentReference {
  std::string key;
};

Result<> revoke(Client& client, const KeyReference& options) {
  QueryText query;
  if (!AgentId::parse(options.agent) && client.has_company()) query.add("companyId", *client.company());
  client.print(TRY(client.remove(query.after(path("/api/agents/{}/keys/{}", {options.agent, options.key})))));
  return {};
}

struct LocalCli : AgentReference {
  std::string key_name = "local-cli";
  bool skip_skills = false;
};

// Where a tool of the person's own looks for skills. What is there and is not ours stays.
Result<json::object> link_skills(const Surroundings& around, const std::vector<adapters::BundledSkill>& skills,
                                 const std::string& tool, const char* variable, const char* fallback) {
  const auto named = around.variable(variable);
  const fs::path target = expand_path(around, named.empty() ? fallback : named) / "skills";
  TRY(os::make_directories(target, 0755));
  json::array installed, skipped;
  for (const auto& skill : skills) {
    std::error_code problem;
    const fs::path link = target / skill.name;
    if (fs::is_symlink(link, problem) &&
        fs::read_symlink(link, problem).string().find("/bundled-skills/") != std::string::npos)
      fs::remove(link, problem);  // an older version of ours
    if (fs::exists(fs::symlink_status(link, problem))) {
      skipped.emplace_back(skill.name);
      continue;
    }
    fs::create_directory_symlink(skill.directory, link, problem);
    if (problem) return internal_error("Cannot link " + link.string() + ": " + problem.message());
    installed.emplace_back(skill.name);
  }
  return json::object{{"tool", tool}, {"target", target.string()}, {"installed", installed}, {"skipped", skipped}};
}

Result<> local_cli(Client& client, const LocalCli& options) {
  const json::value agent = TRY(client.get(agent_path(client, "/api/agents/{}", options.agent)));
  const std::string id = string_at(agent, "id").value_or(""), company = string_at(agent, "companyId").value_or("");
  const json::value key = TRY(client.post(path("/api/agents/{}/keys", {id}), json::object{{"name", options.key_name}}));
  json::array skills;
  if (!options.skip_skills) {
    const auto shipped = TRY(adapters::install_bundled_skills(home_directory(client.around()) / "cli"));
    skills.emplace_back(TRY(link_skills(client.around(), shipped, "codex", "CODEX_HOME", "~/.codex")));
    skills.emplace_back(TRY(link_skills(client.around(), shipped, "claude", "CLAUDE_HOME", "~/.claude")));
  }
  const std::string exports = fmt::format(
      "export PAPERCLIP_API_URL='{}'\nexport PAPERCLIP_COMPANY_ID='{}'\nexport PAPERCLIP_AGENT_ID='{}'\nexport "
      "PAPERCLIP_API_KEY='{}'",
      client.base(), company, id, string_at(key, "token").value_or(""));
  if (!client.as_json()) {
    for (const auto& tool : skills)
      client.around().err << fmt::format("{} skills in {}: {} linked, {} left as they were\n",
                                         string_at(tool, "tool").value_or(""), string_at(tool, "target").value_or(""),
                                         tool.at("installed").get_array().size(),
                                         tool.at("skipped").get_array().size());
    client.around().err << "Run these in the shell in which you work as " << string_at(agent, "name").value_or(id)
                        << ":\n";
    client.around().out << exports << '\n';
    return {};
  }
  const auto part = [](const json::value& from, std::initializer_list<const char*> keys) {
    json::object out;
    for (const char* name : keys)
      out[name] = member(from, name) == nullptr ? json::value(nullptr) : *member(from, name);
    return out;
  };
  client.print(json::object{{"agent", part(agent, {"id", "name", "urlKey", "companyId"})},
                            {"key", part(key, {"id", "name", "createdAt", "token"})},
                            {"skills", std::move(skills)},
                            {"exports", exports}});
  return {};
}

}  // namespace

void add_agent_key_commands(CommandLine& line) {
  const auto group = line.group("agent", "Agents");
  const auto keys = line.group(group, "keys", "An agent's API keys");
  add_client_command<AgentReference>(line, keys, "list", "List the keys", CompanyOption::taken, declare_agent, list);
  add_client_command<NewKey>(
      line, keys, "create", "Create a key; its token is shown this once", CompanyOption::taken,
      [](OptionSet& command, NewKey& options) {
        declare_agent(command, options);
        command.add("--name", options.name, "What it is for").with_default();
      },
      create);
  add_client_command<KeyReference>(
      line, keys, "revoke", "Revoke a key", CompanyOption::taken,
      [](OptionSet& command, KeyReference& options) {
        declare_agent(command, options);
        command.add("key", options.key, "Key id").required();
      },
      revoke);
  add_client_command<LocalCli>(
      line, group, "local-cli", "Work as an agent from your own shell: a key, the skills, the variables",
      CompanyOption::taken,
      [](OptionSet& command, LocalCli& options) {
        declare_agent(command, options);
        command.add("--key-name", options.key_name, "Name of the key").with_default();
        command.flag("--no-install-skills", options.skip_skills, "Leave the skill directories alone");
      },
      local_cli);
}

}  // namespace paperclip::cli
