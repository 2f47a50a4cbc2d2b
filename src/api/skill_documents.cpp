#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "adapters/registry.h"
#include "api/all_routes.h"
#include "api/services.h"
#include "base/embedded.h"
#include "domain/access/permissions.h"
#include "domain/agents/agents.h"
#include "os/files.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

namespace fs = std::filesystem;

// In the order in which an agent is told of them; the plugin skill is only read by its name (spec/platform.md 11.2).
constexpr std::array indexed_skills = {"paperclip", "para-memory-files", "paperclip-create-agent", "paperclip-converting-plans-to-tasks"};

Answer text_answer(std::string text, std::string type = "text/plain; charset=utf-8", int status = 200) {
  Answer out;
  out.status = status;
  out.body = std::move(text);
  out.content_type = std::move(type);
  return out;
}

// A board, or an agent that may hire.
Result<> require_reflection(Call& call) {
  if (call.actor.is_board()) return {};
  if (!call.actor.is_agent()) return forbidden("Board or permitted agent authentication required");
  const bool may = call.services.database.read([&](store::Reader& reader) { return domain::agent_standing(reader, *call.actor.agent_id).can_create_agents; });
  if (!may) return forbidden("Missing permission to read agent configuration reflection");
  return {};
}

Result<Answer> configuration_index(Call& call) {
  TRY(require_reflection(call));
  return text_answer("# Paperclip agent configuration\n\nThe kinds of agents this server runs, each with the document of its configuration:\n\n" +
                     adapters::adapter_documentation_index() +
                     "\n# Endpoints beside it\n\n"
                     "- GET /api/companies/{companyId}/agent-configurations: the configurations in use, secrets masked\n"
                     "- GET /api/agents/{id}/configuration: one of them\n"
                     "- POST /api/companies/{companyId}/agent-hires: hire; the board may have to approve\n"
                     "- GET /llms/agent-icons.txt: the icon names\n\n"
                     "# Notes\n\n"
                     "- Use the paperclip-create-agent skill for end-to-end hiring.\n"
                     "- Name the skills a hire needs in desiredSkills.\n"
                     "- Name the tickets a hire is for in sourceIssueId/sourceIssueIds, so that the approval is linked to them.\n"
                     "- Timer heartbeats are opt-in for new hires. Leave runtimeConfig.heartbeat.enabled false unless the role needs a schedule.\n"
                     "- Secret values are never shown here; refer to them with secret_ref bindings.\n");
}

Result<Answer> configuration_document(Call& call) {
  TRY(require_reflection(call));
  std::string type = call.param("file");
  if (type.ends_with(".txt")) type.resize(type.size() - 4);
  const auto* adapter = adapters::find_adapter(type);
  if (adapter == nullptr) return text_answer("Unknown adapter type: " + type, "text/plain; charset=utf-8", 404);
  return text_answer(adapter->documentation());
}

Result<Answer> icons(Call& call) {
  TRY(require_reflection(call));
  std::string text = "# Agent icons\n\nSet `icon` to one of these when you create or change an agent:\n\n";
  for (auto icon : domain::agent_icons()) text.append("- ").append(icon) += "\n";
  return text_answer(text + "\nExample: { \"name\": \"Reviewer\", \"icon\": \"search\" }\n");
}

Result<Answer> skill_index(Call&) {
  json::array skills;
  for (const char* name : indexed_skills) skills.push_back({{"name", name}, {"path", std::string("/api/skills/") + name}});
  return ok(json::object{{"skills", std::move(skills)}});
}

Result<Answer> skill_document(Call& call) {
  const auto* file = bundled_skills().find(call.param("name") + "/SKILL.md");
  if (file == nullptr) return not_found("Skill not found");
  return text_answer(std::string(file->content), "text/markdown; charset=utf-8");
}

// The `description` line of a skill's front matter.
std::string description_of(std::string_view markdown) {
  if (!markdown.starts_with("---")) return {};
  for (const auto& line : split(markdown.substr(0, markdown.find("\n---", 3)), '\n'))
    if (line.starts_with("description:")) {
      auto value = trim(std::string_view(line).substr(12));
      if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
      return std::string(value);
    }
  return {};
}

// The skills of the person whose machine this is.
Result<Answer> available_skills(Call&) {
  json::array skills;
  const char* home = std::getenv("HOME");
  if (home != nullptr)
    if (auto names = os::list_directory(fs::path(home) / ".claude" / "skills"); names)
      for (const auto& name : *names) {
        auto text = os::read_file(fs::path(home) / ".claude" / "skills" / name / "SKILL.md");
        if (!text) continue;
        skills.push_back({{"name", name}, {"description", description_of(*text)}, {"isPaperclipManaged", bundled_skills().find(name + "/SKILL.md") != nullptr}});
      }
  return ok(json::object{{"skills", std::move(skills)}});
}

}  // namespace

void add_skill_document_routes(Routes& routes) {
  routes.get("/llms/agent-configuration.txt", configuration_index).callers(anyone);
  routes.get("/llms/agent-icons.txt", icons).callers(anyone);
  routes.get("/llms/agent-configuration/{file}", configuration_document).callers(anyone);
  routes.get("/api/skills/index", skill_index);
  routes.get("/api/skills/available", available_skills);
  routes.get("/api/skills/{name}", skill_document);
}

}  // namespace paperclip::api
