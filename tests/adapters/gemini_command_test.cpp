#include <gmock/gmock.h>

#include "gemini_bench.h"

namespace paperclip::adapters {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
namespace fs = std::filesystem;

TEST(GeminiCommand, Has_its_arguments_in_the_order_of_the_contract) {
  GeminiBench bench;
  bench.run.config["model"] = "gemini-2.5-pro";
  bench.run.config["extraArgs"] = json::array{"--x"};
  bench.run.config["timeoutSec"] = 60;
  const auto prepared = bench.prepare();
  const std::string prompt = bench.option(prepared, "--prompt");
  EXPECT_THAT(prepared.argv, ElementsAre("gemini", "--output-format", "stream-json", "--model", "gemini-2.5-pro", "--approval-mode",
                                         "yolo", "--sandbox=none", "--x", "--prompt", prompt));
  EXPECT_EQ(prepared.timeout.count(), 60000);
  EXPECT_EQ(prepared.grace.count(), 20000);
  EXPECT_EQ(prepared.cwd, (bench.folder.path() / "work").string());
  EXPECT_FALSE(prepared.stdin_text);
  EXPECT_EQ(*string_at(prepared.invocation, "command"), bench.tool.string());
  bench.run.config["model"] = "auto";
  bench.run.config["sandbox"] = true;
  EXPECT_THAT(bench.prepare().argv, ElementsAre("gemini", "--output-format", "stream-json", "--approval-mode", "yolo", "--sandbox",
                                                "--x", "--prompt", prompt));
}

TEST(GeminiCommand, The_prompt_begins_with_the_instructions_and_explains_the_environment) {
  GeminiBench bench;
  const std::string prompt = bench.option(bench.prepare(), "--prompt");
  EXPECT_THAT(prompt, StartsWith("You are Ada.\n\n"));
  const auto at = [&](std::string_view what) { return prompt.find(what); };
  EXPECT_LT(at(bench.instructions.string()), at("## Paperclip Wake Payload"));
  EXPECT_LT(at("## Paperclip Wake Payload"), at("Paperclip runtime note:"));
  EXPECT_LT(at("Paperclip runtime note:"), at("Paperclip API note:"));
  EXPECT_LT(at("Paperclip API note:"), at("Execution contract:"));
  EXPECT_THAT(prompt, HasSubstr("PAPERCLIP_AGENT_ID, PAPERCLIP_API_KEY, PAPERCLIP_API_URL, PAPERCLIP_COMPANY_ID, PAPERCLIP_RUN_ID"));
  EXPECT_THAT(prompt, HasSubstr("X-Paperclip-Run-Id: $PAPERCLIP_RUN_ID"));
  EXPECT_THAT(prompt, Not(HasSubstr("run.token.value")));
}

TEST(GeminiCommand, Without_a_key_there_is_no_word_about_the_api) {
  GeminiBench bench;
  bench.run.auth_token.clear();
  const std::string prompt = bench.option(bench.prepare(), "--prompt");
  EXPECT_THAT(prompt, Not(HasSubstr("Paperclip API note:")));
  EXPECT_THAT(prompt, HasSubstr("Paperclip runtime note:"));
}

TEST(GeminiCommand, A_prompt_that_looks_like_an_option_is_not_one) {
  GeminiBench bench;
  bench.folder.write("agent/AGENTS.md", "---\nname: ada\n---\nYou are Ada.\n");
  EXPECT_THAT(bench.option(bench.prepare(), "--prompt"), StartsWith("\n---\nname: ada"));
}

TEST(GeminiCommand, A_prompt_too_long_for_an_argument_arrives_on_stdin) {
  GeminiBench bench;
  bench.folder.write("agent/AGENTS.md", "You are Ada. " + std::string(140000, 'x'));
  const auto prepared = bench.prepare();
  ASSERT_TRUE(prepared.stdin_text);
  EXPECT_THAT(*prepared.stdin_text, StartsWith("You are Ada. xxx"));
  for (const auto& argument : prepared.argv) EXPECT_LT(argument.size(), 131072u);
  EXPECT_EQ(bench.option(prepared, "--prompt"), "Follow the instructions above.");
}

TEST(GeminiCommand, The_invocation_shows_no_secret_and_the_prompt_once) {
  GeminiBench bench;
  bench.run.config["env"] = {{"DEPLOY_TOKEN", "t0ken"}, {"PLAIN", "s3cret"}};
  bench.run.secret_environment_names = {"PLAIN"};
  const auto prepared = bench.prepare();
  const std::string shown = to_string(prepared.invocation);
  for (auto secret : {"t0ken", "s3cret", "run.token.value", "server-secret"}) EXPECT_EQ(shown.find(secret), std::string::npos) << secret;
  const auto& arguments = prepared.invocation.at("commandArgs").get_array();
  EXPECT_THAT(std::string(arguments.back().get_string()), ::testing::MatchesRegex("<prompt [0-9]+ chars>"));
}

TEST(GeminiCommand, Its_environment_has_the_tools_credentials_and_not_the_servers) {
  GeminiBench bench;
  for (auto [name, value] : {std::pair{"GEMINI_API_KEY", "key"}, {"GOOGLE_APPLICATION_CREDENTIALS", "/cloud.json"}, {"ANTHROPIC_API_KEY", "sk"}})
    bench.run.host.emplace_back(name, value);
  const auto prepared = bench.prepare();
  EXPECT_EQ(value_of(prepared.environment, "GEMINI_API_KEY"), "key");
  EXPECT_EQ(value_of(prepared.environment, "GEMINI_CLI_TRUST_WORKSPACE"), "true");
  for (auto name : {"GOOGLE_APPLICATION_CREDENTIALS", "ANTHROPIC_API_KEY", "DATABASE_URL", "BETTER_AUTH_SECRET", "GITHUB_TOKEN"})
    EXPECT_EQ(value_of(prepared.environment, name), "") << name;
  bench.run.config["env"] = {{"GOOGLE_GENAI_USE_VERTEXAI", "true"}};
  EXPECT_EQ(value_of(bench.prepare().environment, "GOOGLE_APPLICATION_CREDENTIALS"), "/cloud.json");
}

TEST(GeminiCommand, A_missing_tool_fails_before_anything_starts) {
  GeminiBench bench;
  bench.run.config["command"] = "no-such-gemini";
  EXPECT_EQ(gemini().prepare(bench.run).error().message, "Command not found in PATH: \"no-such-gemini\"");
}

TEST(GeminiSkills, Are_linked_into_the_home_the_tool_will_have) {
  GeminiBench bench;
  bench.prepare();
  EXPECT_EQ(fs::read_symlink(bench.skills_home() / "demo"), bench.skill);
  bench.run.config["env"] = {{"HOME", (bench.folder.path() / "other").string()}};
  bench.prepare();
  EXPECT_EQ(fs::read_symlink(bench.folder.path() / "other/.gemini/skills/demo"), bench.skill);
}

TEST(GeminiSkills, What_a_person_put_there_stays_and_what_leads_nowhere_is_renewed) {
  GeminiBench bench;
  bench.folder.write(".gemini/skills/mine/SKILL.md", "mine");
  fs::create_directory_symlink("/no/such/skill", bench.skills_home() / "demo");
  fs::create_directories(bench.folder.path() / "x/.agents/skills/old");
  fs::create_directory_symlink(bench.folder.path() / "x/.agents/skills/old", bench.skills_home() / "old");
  const auto prepared = bench.prepare();
  EXPECT_TRUE(prepared.log_notes.empty());
  EXPECT_EQ(fs::read_symlink(bench.skills_home() / "demo"), bench.skill);
  EXPECT_EQ(read_file(bench.skills_home() / "mine/SKILL.md"), "mine");
  EXPECT_FALSE(fs::is_symlink(bench.skills_home() / "old"));

  fs::remove(bench.skills_home() / "demo");
  bench.folder.write(".gemini/skills/demo/SKILL.md", "a person's");
  bench.prepare();
  EXPECT_EQ(read_file(bench.skills_home() / "demo/SKILL.md"), "a person's");
}

TEST(GeminiSkills, One_that_is_no_longer_wanted_is_taken_away) {
  GeminiBench bench;
  bench.prepare();
  bench.run.config["paperclipRuntimeSkills"].get_array()[0].get_object()["required"] = false;
  bench.prepare();
  EXPECT_FALSE(fs::exists(fs::symlink_status(bench.skills_home() / "demo")));
}

TEST(GeminiSkills, A_home_that_cannot_be_written_is_a_warning) {
  GeminiBench bench;
  bench.folder.write(".gemini", "a file, no folder");
  const auto prepared = bench.prepare();
  ASSERT_EQ(prepared.log_notes.size(), 1u);
  EXPECT_THAT(prepared.log_notes[0], StartsWith("[paperclip] Warning: could not create the skills folder \""));
}

TEST(GeminiSkills, The_page_tells_what_stands_in_the_folder) {
  GeminiBench bench;
  const auto state = [&] {
    std::string out;
    for (const auto& entry : gemini().skills(bench.run.config, bench.run.host).entries)
      out += (out.empty() ? "" : " ") + entry.key + ":" + entry.state + ":" + entry.origin;
    return out;
  };
  EXPECT_EQ(state(), "acme/demo:missing:paperclip_required");
  bench.prepare();
  bench.folder.write(".gemini/skills/mine/SKILL.md", "mine");
  EXPECT_EQ(state(), "acme/demo:installed:paperclip_required mine:external:user_installed");
  bench.run.config["paperclipRuntimeSkills"].get_array()[0].get_object()["required"] = false;
  EXPECT_EQ(state(), "acme/demo:stale:company_managed mine:external:user_installed");
  fs::remove(bench.skills_home() / "demo");
  EXPECT_EQ(state(), "acme/demo:available:company_managed mine:external:user_installed");
  bench.folder.write(".gemini/skills/demo/SKILL.md", "a person's");
  EXPECT_EQ(state(), "acme/demo:external:company_managed mine:external:user_installed");
  const auto snapshot = gemini().skills(bench.run.config, bench.run.host);
  EXPECT_EQ(snapshot.mode, "persistent");
  EXPECT_TRUE(snapshot.entries.back().read_only);
  EXPECT_EQ(*snapshot.entries.front().target_path, (bench.skills_home() / "demo").string());
}

TEST(GeminiSession, Is_resumed_where_it_was_and_keeps_its_instructions) {
  GeminiBench bench;
  bench.save_session("sess-1");
  const auto prepared = bench.prepare();
  EXPECT_EQ(bench.option(prepared, "--resume"), "sess-1");
  const std::string prompt = bench.option(prepared, "--prompt");
  EXPECT_THAT(prompt, StartsWith("You are Ada."));
  EXPECT_THAT(prompt, HasSubstr("## Paperclip Resume Delta"));
  EXPECT_THAT(prompt, Not(HasSubstr("Execution contract")));
  bench.run.context["paperclipWorkspace"].get_object()["cwd"] = "/elsewhere";
  const auto elsewhere = bench.prepare();
  EXPECT_EQ(bench.option(elsewhere, "--resume"), "");
  EXPECT_THAT(elsewhere.log_notes.at(0), StartsWith("[paperclip] Gemini session \"sess-1\" was saved for cwd"));
}

TEST(GeminiSession, The_codec_reads_the_tools_own_spelling) {
  EXPECT_EQ(to_string(*gemini().session_params(object_of(R"({"sessionID":"s","folder":"/w","workspace_id":"w","junk":1})"))),
            R"({"sessionId":"s","cwd":"/w","workspaceId":"w"})");
  EXPECT_FALSE(gemini().session_params(object_of(R"({"cwd":"/w"})")));
}

TEST(GeminiRemote, Its_skills_stand_in_the_home_it_finds_there) {
  GeminiBench bench;
  bench.run.place = {PlaceKind::sandbox, "/w", object_of(R"({"transport":"sandbox"})"), true, "sandbox"};
  auto prepared = bench.prepare();
  EXPECT_EQ(prepared.cwd, "/w");
  EXPECT_EQ(value_of(prepared.environment, "HOME"), "/w/.paperclip-runtime/gemini");
  EXPECT_EQ(value_of(prepared.environment, "PATH"), "");
  EXPECT_EQ(value_of(prepared.environment, "GEMINI_CLI_TRUST_WORKSPACE"), "true");
  ASSERT_EQ(prepared.assets.size(), 1u);
  EXPECT_EQ(prepared.assets[0].remote_path, "/w/.paperclip-runtime/gemini/.gemini/skills");
  EXPECT_TRUE(fs::exists(prepared.assets[0].directory / "demo/SKILL.md"));
  EXPECT_FALSE(fs::exists(bench.skills_home()));

  bench.run.place.kind = PlaceKind::ssh;
  prepared = bench.prepare();
  EXPECT_EQ(value_of(prepared.environment, "HOME"), "");
  EXPECT_EQ(prepared.assets.at(0).remote_path, "~/.gemini/skills");
  EXPECT_TRUE(prepared.assets.at(0).merge);
}

TEST(GeminiDefaults, A_new_agent_leaves_the_model_to_the_tool) {
  EXPECT_EQ(to_string(gemini().with_defaults({})), R"({"model":"auto"})");
  EXPECT_EQ(to_string(gemini().with_defaults({{"model", "gemini-2.5-pro"}})), R"({"model":"gemini-2.5-pro"})");
}

}  // namespace
}  // namespace paperclip::adapters
