#include "adapters/skills.h"

#include "base/embedded.h"
#include "base/write_json.h"
#include "support.h"

namespace paperclip::adapters {
namespace {

json::object sample_config() {
  return object_of(R"({"paperclipRuntimeSkills":[
    {"key":"paperclipai/paperclip/paperclip","runtimeName":"paperclip","source":"/s/paperclip","required":true,"requiredReason":"Bundled"},
    {"key":"company/1/Notes","runtimeName":"notes--ab","source":"/s/notes"},
    {"key":"company/2/notes","runtimeName":"notes--cd","source":"/s/notes2"},
    {"key":"acme/tools/deploy","runtimeName":"deploy","source":"/s/deploy"},
    {"key":"bad","runtimeName":"../up","source":"/s"},{"key":"","runtimeName":"x","source":"/s"},7]})");
}

json::object wanting(std::string_view list) {
  json::object out = sample_config();
  out["paperclipSkillSync"] = {{"desiredSkills", parse_json(list).value()}};
  return out;
}

TEST(Skills, Only_usable_entries_count) {
  std::vector<std::string> names;
  for (const auto& skill : runtime_skills(sample_config())) names.push_back(skill.runtime_name);
  EXPECT_EQ(names, (std::vector<std::string>{"deploy", "notes--ab", "notes--cd", "paperclip"}));
}

TEST(Skills, References_are_matched_by_key_name_and_last_part) {
  const auto skills = runtime_skills(sample_config());
  const std::string required = "paperclipai/paperclip/paperclip";
  EXPECT_EQ(desired_skills(sample_config(), skills), std::vector<std::string>{required});
  EXPECT_EQ(desired_skills(wanting(R"(["ACME/tools/Deploy"," NOTES--AB ","deploy"])"), skills),
            (std::vector<std::string>{required, "acme/tools/deploy", "company/1/Notes"}));
  // Two skills end in `notes`: the reference stays what it was.
  EXPECT_EQ(desired_skills(wanting(R"(["Notes","nowhere"])"), skills),
            (std::vector<std::string>{required, "notes", "nowhere"}));
}

TEST(Skills, The_snapshot_tells_configured_available_and_missing) {
  const auto snapshot = ephemeral_skill_snapshot("claude_local", wanting(R"(["deploy","nowhere"])"));
  std::string states;
  for (const auto& entry : snapshot.entries) states += entry.key + "=" + entry.state + " ";
  EXPECT_EQ(states,
            "acme/tools/deploy=configured company/1/Notes=available company/2/notes=available nowhere=missing "
            "paperclipai/paperclip/paperclip=configured ");
  EXPECT_EQ(snapshot.warnings.size(), 1u);
  EXPECT_TRUE(write_json(snapshot).starts_with(
      R"({"adapterType":"claude_local","supported":true,"mode":"ephemeral","desiredSkills":)"
      R"(["paperclipai/paperclip/paperclip","acme/tools/deploy","nowhere"],"entries":[{"key":)"));
}

TEST(Skills, An_adapter_without_skills_says_so) {
  EXPECT_EQ(write_json(unsupported_skill_snapshot("process", {})),
            R"({"adapterType":"process","supported":false,"mode":"unsupported","desiredSkills":[],"entries":[],)"
            R"("warnings":["This adapter does not implement skill sync yet."]})");
}

TEST(BundledSkills, Each_has_a_header_and_says_when_to_use_it) {
  EXPECT_EQ(bundled_skills().folders(),
            (std::vector<std::string_view>{"paperclip", "paperclip-converting-plans-to-tasks", "paperclip-create-agent",
                                           "paperclip-create-plugin", "para-memory-files"}));
  for (auto name : bundled_skills().folders()) {
    const auto* file = bundled_skills().find(std::string(name) + "/SKILL.md");
    ASSERT_NE(file, nullptr) << name;
    const auto header = skill_header(file->content);
    EXPECT_EQ(header.name, name);
    EXPECT_GT(header.description.size(), 60u) << name;
  }
}

// What the prompt and the server rely on (spec/agent-contract.md 3, 4.4).
TEST(BundledSkills, The_procedure_names_the_calls_and_rules) {
  const std::string text(bundled_skills().find("paperclip/SKILL.md")->content);
  for (auto part : {"## Paperclip Wake Payload", "## Paperclip Resume Delta", "/api/agents/me", "inbox-lite",
                    "/checkout", "heartbeat-context", "X-Paperclip-Run-Id", "Never retry a 409", "blockedByIssueIds",
                    "agent://", "confirmation:{issueId}:plan:{revisionId}", "PAPERCLIP_API_KEY", "\"status\": \"todo\"",
                    "baseRevisionId", "80 %"})
    EXPECT_NE(text.find(part), std::string::npos) << part;
}

TEST(BundledSkills, Are_written_to_disk_once_and_whole) {
  Folder folder;
  const auto first = install_bundled_skills(folder.path());
  ASSERT_TRUE(first.ok());
  ASSERT_EQ(first->size(), 5u);
  for (const auto& skill : *first) {
    EXPECT_EQ(skill.key, "paperclipai/paperclip/" + skill.name);
    EXPECT_EQ(read_file(skill.directory / "SKILL.md"), bundled_skills().find(skill.name + "/SKILL.md")->content);
  }
  const auto again = install_bundled_skills(folder.path());
  EXPECT_EQ(again->front().directory, first->front().directory);
  // Nothing half-written is left beside.
  const std::filesystem::directory_iterator entries(folder.path() / "bundled-skills");
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
}

TEST(DefaultInstructions, A_ceo_has_four_files_and_others_one) {
  std::vector<std::string_view> paths;
  for (const auto& file : default_instructions().files()) paths.push_back(file.path);
  EXPECT_EQ(paths, (std::vector<std::string_view>{"ceo/AGENTS.md", "ceo/HEARTBEAT.md", "ceo/SOUL.md", "ceo/TOOLS.md",
                                                  "default/AGENTS.md"}));
  EXPECT_EQ(default_instructions().find("default/SOUL.md"), nullptr);
}

TEST(SkillHeader, Reads_plain_quoted_and_folded_values) {
  EXPECT_EQ(skill_header("---\nname: a\ndescription: \"b: c\"\n---\nx").description, "b: c");
  EXPECT_EQ(skill_header("---\nname: a\ndescription: >\n  one\n  two\nrequired: false\n---\n").description, "one two");
  EXPECT_EQ(skill_header("no front matter\nname: x").name, "");
}

}  // namespace
}  // namespace paperclip::adapters
