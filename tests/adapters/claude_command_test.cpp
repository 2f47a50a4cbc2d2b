#include <gmock/gmock.h>

#include "claude_bench.h"

namespace paperclip::adapters {
namespace {

using ::testing::ElementsAre;
namespace fs = std::filesystem;

TEST(ClaudeCommand, Has_its_arguments_in_the_order_of_the_contract) {
  ClaudeBench bench;
  bench.run.config["model"] = "claude-opus-4-7";
  bench.run.config["effort"] = "high";
  bench.run.config["chrome"] = true;
  bench.run.config["maxTurnsPerRun"] = 12;
  bench.run.config["extraArgs"] = json::array{"--x"};
  bench.run.config["timeoutSec"] = 60;
  const auto prepared = bench.prepare();
  const std::string bundle = bench.option(prepared, "--add-dir");
  EXPECT_THAT(prepared.argv, ElementsAre("claude", "--print", "-", "--output-format", "stream-json", "--verbose",
                                         "--dangerously-skip-permissions", "--chrome", "--model", "claude-opus-4-7",
                                         "--effort", "high", "--max-turns", "12", "--append-system-prompt-file",
                                         bundle + "/agent-instructions.md", "--add-dir", bundle, "--x"));
  EXPECT_EQ(prepared.timeout.count(), 60000);
  EXPECT_EQ(prepared.grace.count(), 20000);
  EXPECT_EQ(prepared.terminal_result_grace->count(), 5000);
  EXPECT_EQ(prepared.cwd, (bench.folder.path() / "work").string());
  EXPECT_EQ(*string_at(prepared.invocation, "command"), bench.tool.string());
  EXPECT_TRUE(prepared.stdin_text->starts_with("## Paperclip Wake Payload"));
}

TEST(ClaudeCommand, The_bundle_holds_instructions_and_links_to_skills) {
  ClaudeBench bench;
  const fs::path bundle = bench.option(bench.prepare(), "--add-dir");
  const auto text = read_file(bundle / "agent-instructions.md");
  EXPECT_TRUE(text.starts_with("You are Ada.\n\n"));
  EXPECT_NE(text.find(bench.instructions.string()), std::string::npos);
  EXPECT_EQ(fs::read_symlink(bundle / ".claude/skills/demo"), bench.skill);
  EXPECT_EQ(bundle.parent_path(),
            bench.run.instance_root / "companies" / bench.run.agent.company_id.str() / "claude-prompt-cache");
  EXPECT_EQ(bench.option(bench.prepare(), "--add-dir"), bundle);
}

TEST(ClaudeCommand, Without_skills_given_the_shipped_ones_are_mounted) {
  ClaudeBench bench;
  bench.run.config.erase("paperclipRuntimeSkills");
  const fs::path bundle = bench.option(bench.prepare(), "--add-dir");
  EXPECT_TRUE(read_file(bundle / ".claude/skills/paperclip/SKILL.md").starts_with("---\nname: paperclip\n"));
}

TEST(ClaudeCommand, A_skill_folder_that_contains_itself_ends) {
  ClaudeBench bench;
  fs::create_directory_symlink(bench.skill, bench.skill / "again");
  EXPECT_NE(bench.option(bench.prepare(), "--add-dir"), "");
}

TEST(ClaudeCommand, Instructions_that_cannot_be_read_are_a_warning) {
  ClaudeBench bench;
  bench.run.config["instructionsFilePath"] = "/no/such/AGENTS.md";
  const auto prepared = bench.prepare();
  ASSERT_EQ(prepared.log_notes.size(), 1u);
  EXPECT_TRUE(prepared.log_notes[0].starts_with(
      "[paperclip] Warning: could not read agent instructions file \"/no/such/AGENTS.md\": "))
      << prepared.log_notes[0];
  EXPECT_EQ(bench.option(prepared, "--append-system-prompt-file"), "");
}

TEST(ClaudeCommand, A_missing_tool_fails_before_anything_starts) {
  ClaudeBench bench;
  bench.run.config["command"] = "no-such-claude";
  EXPECT_EQ(claude().prepare(bench.run).error().message, "Command not found in PATH: \"no-such-claude\"");
  bench.run.config["command"] = "/no/such/claude";
  EXPECT_EQ(claude().prepare(bench.run).error().message,
            "Command is not executable: \"/no/such/claude\" (resolved: \"/no/such/claude\")");
}

TEST(ClaudeCommand, The_configured_directory_wins_over_the_agents_home_only) {
  ClaudeBench bench;
  bench.run.config["cwd"] = "/srv/mine";
  EXPECT_EQ(bench.prepare().cwd, (bench.folder.path() / "work").string());
  bench.run.context["paperclipWorkspace"] = {{"cwd", "/agent/home"}, {"source", "agent_home"}};
  const auto prepared = bench.prepare();
  EXPECT_EQ(prepared.cwd, "/srv/mine");
  EXPECT_EQ(value_of(prepared.environment, "PAPERCLIP_WORKSPACE_CWD"), "");
  EXPECT_EQ(value_of(prepared.environment, "PAPERCLIP_WORKSPACE_SOURCE"), "agent_home");
}

TEST(ClaudeCommand, Its_environment_has_the_tools_credentials_and_not_the_servers) {
  ClaudeBench bench;
  bench.run.host.emplace_back("ANTHROPIC_API_KEY", "sk-ant");
  bench.run.host.emplace_back("AWS_SECRET_ACCESS_KEY", "aws");
  const auto prepared = bench.prepare();
  EXPECT_EQ(value_of(prepared.environment, "ANTHROPIC_API_KEY"), "sk-ant");
  for (auto name :
       {"AWS_SECRET_ACCESS_KEY", "DATABASE_URL", "BETTER_AUTH_SECRET", "PAPERCLIP_SECRETS_MASTER_KEY", "GITHUB_TOKEN"})
    EXPECT_EQ(value_of(prepared.environment, name), "") << name;
  bench.run.config["env"] = {{"CLAUDE_CODE_USE_BEDROCK", "1"}};
  EXPECT_EQ(value_of(bench.prepare().environment, "AWS_SECRET_ACCESS_KEY"), "aws");
}

TEST(ClaudeCommand, The_invocation_shows_no_secret) {
  ClaudeBench bench;
  bench.run.config["env"] = {{"DEPLOY_TOKEN", "t0ken"}, {"PLAIN", "s3cret"}};
  bench.run.secret_environment_names = {"PLAIN"};
  const std::string shown = to_string(bench.prepare().invocation);
  for (auto secret : {"t0ken", "s3cret", "run.token.value", "server-secret"})
    EXPECT_EQ(shown.find(secret), std::string::npos) << secret;
}

TEST(ClaudeCommand, Bedrock_takes_only_its_own_model_ids) {
  ClaudeBench bench;
  bench.run.config["env"] = {{"CLAUDE_CODE_USE_BEDROCK", "true"}};
  for (auto [model, passed] : {std::pair{"claude-opus-4-7", false},
                               {"us.anthropic.claude-opus-4-6-v1", true},
                               {"arn:aws:bedrock:us:1:x", true},
                               {".anthropic.x", false},
                               {"a-b.anthropic.x", false}}) {
    bench.run.config["model"] = model;
    EXPECT_EQ(bench.option(bench.prepare(), "--model"), passed ? model : "") << model;
  }
}

TEST(ClaudeSession, Is_resumed_where_it_was_and_gets_only_what_is_new) {
  ClaudeBench bench;
  bench.save_session("sess-1");
  const auto prepared = bench.prepare();
  EXPECT_EQ(bench.option(prepared, "--resume"), "sess-1");
  EXPECT_EQ(bench.option(prepared, "--append-system-prompt-file"), "");
  EXPECT_TRUE(prepared.stdin_text->starts_with("## Paperclip Resume Delta"));
  EXPECT_EQ(prepared.stdin_text->find("Execution contract"), std::string::npos);
}

TEST(ClaudeSession, Is_not_resumed_elsewhere_or_with_other_instructions_or_skills) {
  ClaudeBench bench;
  bench.save_session("sess-1");
  const auto refused = [&](std::string_view why) {
    const auto prepared = bench.prepare();
    EXPECT_EQ(bench.option(prepared, "--resume"), "");
    ASSERT_EQ(prepared.log_notes.size(), 1u);
    EXPECT_NE(prepared.log_notes[0].find(why), std::string::npos) << prepared.log_notes[0];
    EXPECT_TRUE(prepared.log_notes[0].starts_with("[paperclip] Claude session \"sess-1\" "));
  };
  bench.folder.write("agent/AGENTS.md", "You are Ada, differently.\n");
  refused("other instructions or skills");
  bench.folder.write("agent/AGENTS.md", "You are Ada.\n");
  EXPECT_EQ(bench.option(bench.prepare(), "--resume"), "sess-1");
  bench.folder.write("skills/demo/extra.md", "more");
  refused("other instructions or skills");
  fs::remove(bench.skill / "extra.md");
  bench.run.context["paperclipWorkspace"].get_object()["cwd"] = "/elsewhere";
  refused("was saved for cwd");
}

TEST(ClaudeSession, An_unnormalised_directory_is_still_the_same) {
  ClaudeBench bench;
  bench.save_session("sess-1");
  bench.run.context["paperclipWorkspace"].get_object()["cwd"] = (bench.folder.path() / "x/../work/").string();
  EXPECT_EQ(bench.option(bench.prepare(), "--resume"), "sess-1");
}

TEST(ClaudeSession, The_codec_keeps_the_place_and_drops_the_rest) {
  EXPECT_EQ(
      to_string(*claude().session_params(object_of(
          R"({"session_id":" s ","workdir":"/w","repo_ref":"main","prompt_bundle_key":"k","remoteExecution":{"transport":"ssh"},"junk":1})"))),
      R"({"sessionId":"s","cwd":"/w","repoRef":"main","promptBundleKey":"k","remoteExecution":{"transport":"ssh"}})");
  EXPECT_FALSE(claude().session_params(object_of(R"({"cwd":"/w"})")));
  EXPECT_FALSE(claude().session_params("s"));
}

TEST(ClaudeSession, Belongs_to_its_remote_place) {
  ClaudeBench bench;
  bench.run.place = {PlaceKind::ssh, "/remote/w",
                     object_of(R"({"transport":"ssh","host":"h","port":22,"username":"u","remoteCwd":"/remote/w"})"),
                     true, "ssh host h"};
  bench.save_session("sess-r");
  EXPECT_EQ(bench.option(bench.prepare(), "--resume"), "sess-r");
  bench.run.place.identity["host"] = "other";
  const auto prepared = bench.prepare();
  EXPECT_EQ(bench.option(prepared, "--resume"), "");
  EXPECT_EQ(prepared.log_notes.at(0),
            "[paperclip] Claude session \"sess-r\" does not match the current remote execution identity and will not "
            "be resumed in \"/remote/w\". Starting a fresh remote session.");
}

TEST(ClaudeSession, A_reused_sandbox_is_the_same_place_whatever_our_lease_is_called) {
  ClaudeBench bench;
  bench.run.place = {PlaceKind::sandbox, "/w",
                     object_of(R"({"transport":"sandbox","providerKey":"e2b","environmentId":"e","leaseId":"l1",)"
                               R"("providerLeaseId":"sbx","remoteCwd":"/w"})"),
                     true, "sandbox"};
  bench.save_session("sess-s");
  bench.run.place.identity["leaseId"] = "l2";
  EXPECT_EQ(bench.option(bench.prepare(), "--resume"), "sess-s");
  bench.run.place.identity["providerLeaseId"] = "another";
  EXPECT_EQ(bench.option(bench.prepare(), "--resume"), "");
}

TEST(ClaudeRemote, Files_are_named_where_they_will_stand) {
  ClaudeBench bench;
  bench.folder.write(".claude/.credentials.json", "{}");
  bench.folder.write(".claude/settings.json", "{}");
  bench.run.place = {PlaceKind::sandbox, "/w", object_of(R"({"transport":"sandbox"})"), true, "sandbox"};
  const auto prepared = bench.prepare();
  EXPECT_EQ(prepared.cwd, "/w");
  EXPECT_EQ(bench.option(prepared, "--add-dir"), "/w/.paperclip-runtime/claude/skills");
  EXPECT_EQ(bench.option(prepared, "--append-system-prompt-file"),
            "/w/.paperclip-runtime/claude/skills/agent-instructions.md");
  EXPECT_EQ(value_of(prepared.environment, "CLAUDE_CONFIG_DIR"), "/w/.paperclip-runtime/claude/config");
  EXPECT_EQ(value_of(prepared.environment, "PATH"), "");  // the place has its own
  ASSERT_EQ(prepared.assets.size(), 2u);
  EXPECT_EQ(prepared.assets[0].remote_path, "/w/.paperclip-runtime/claude/skills");
  EXPECT_TRUE(fs::exists(prepared.assets[0].directory / "agent-instructions.md"));
  EXPECT_TRUE(prepared.assets[1].merge);
  EXPECT_EQ(fs::status(prepared.assets[1].directory / ".credentials.json").permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
  bench.run.config["env"] = {{"CLAUDE_CONFIG_DIR", "/own"}};
  EXPECT_EQ(bench.prepare().assets.size(), 1u);
}

}  // namespace
}  // namespace paperclip::adapters
