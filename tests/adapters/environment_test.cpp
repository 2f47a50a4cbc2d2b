#include "adapters/environment.h"

#include "adapters/config.h"
#include "support.h"

namespace paperclip::adapters {
namespace {

TEST(Config, A_value_of_the_wrong_type_is_as_good_as_none) {
  const json::object config = object_of(
      R"({"text":"x","empty":"","number":30,"quoted":"30","flag":true,"list":["a",1,"b"],"object":{"k":1},"null":null})");
  EXPECT_EQ(config_text(config, "text", "d"), "x");
  EXPECT_EQ(config_text(config, "empty", "d"), "d");
  EXPECT_EQ(config_text(config, "number", "d"), "d");
  EXPECT_EQ(config_number(config, "number", 1), 30);
  EXPECT_EQ(config_number(config, "quoted", 1), 1);
  EXPECT_EQ(config_flag(config, "flag", false), true);
  EXPECT_EQ(config_flag(config, "text", false), false);
  EXPECT_EQ(config_list(config, "list"), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(config_list(config, "text").empty());
  EXPECT_TRUE(config_object(config, "list").empty());
  EXPECT_EQ(extra_arguments(object_of(R"({"args":["-a"],"extraArgs":[]})")), std::vector<std::string>{"-a"});
  EXPECT_EQ(extra_arguments(object_of(R"({"args":["-a"],"extraArgs":["-b"]})")), std::vector<std::string>{"-b"});
}

TEST(BaseEnvironment, Lets_no_secret_of_the_server_in) {
  const HostEnvironment host = {{"PATH", "/bin"},
                                {"HOME", "/h"},
                                {"DATABASE_URL", "x"},
                                {"BETTER_AUTH_SECRET", "x"},
                                {"PAPERCLIP_AGENT_JWT_SECRET", "x"},
                                {"AWS_SECRET_ACCESS_KEY", "x"},
                                {"ANTHROPIC_API_KEY", "k"},
                                {"PAPERCLIP_LISTEN_PORT", "3100"},
                                {"CARGO_HOME", "/c"},
                                {"CLAUDECODE", "1"},
                                {"MY_TOOL", "t"}};
  const auto plain = base_environment(host);
  std::vector<std::string> names;
  for (const auto& [name, value] : plain.variables()) names.push_back(name);
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"CARGO_HOME", "HOME", "PAPERCLIP_LISTEN_PORT", "PATH"}));
  EXPECT_EQ(base_environment(host, {"ANTHROPIC_*"}).value("ANTHROPIC_API_KEY"), "k");
  EXPECT_EQ(base_environment(host, {"CLAUDECODE"}).value("CLAUDECODE"), "");
}

TEST(BaseEnvironment, The_operator_may_pass_more_but_not_the_servers_own) {
  const HostEnvironment host = {{"MY_TOOL", "t"},
                                {"DATABASE_URL", "x"},
                                {"PAPERCLIP_AGENT_ENV_PASS", "MY_TOOL, DATABASE_URL,PAPERCLIP_*"},
                                {"PAPERCLIP_SECRETS_MASTER_KEY", "x"}};
  const auto child = base_environment(host);
  EXPECT_EQ(child.value("MY_TOOL"), "t");
  EXPECT_EQ(child.value("DATABASE_URL"), "");
  EXPECT_EQ(child.value("PAPERCLIP_SECRETS_MASTER_KEY"), "");
}

TEST(RunEnvironment, Names_the_run_the_wake_and_the_workspace) {
  Folder folder;
  RunContext run = sample_run(folder);
  run.context["wakeCommentId"] = "c-1";
  run.context["issueIds"] = json::array{"i-1", " ", "i-2"};
  run.context["approvalId"] = "";
  run.context["paperclipWorkspaces"] = json::array{json::object{{"cwd", "/w"}}};
  const auto vars = run_environment(run, {.workspace_details = true});
  EXPECT_EQ(value_of(vars, "PAPERCLIP_AGENT_ID"), "aaaaaaaa-0000-4000-8000-000000000002");
  EXPECT_EQ(value_of(vars, "PAPERCLIP_RUN_ID"), "aaaaaaaa-0000-4000-8000-000000000001");
  EXPECT_EQ(value_of(vars, "PAPERCLIP_API_KEY"), "run.token.value");
  EXPECT_EQ(value_of(vars, "PAPERCLIP_TASK_ID"), "i-1");
  EXPECT_EQ(value_of(vars, "PAPERCLIP_WAKE_COMMENT_ID"), "c-1");
  EXPECT_EQ(value_of(vars, "PAPERCLIP_LINKED_ISSUE_IDS"), "i-1,i-2");
  EXPECT_EQ(value_of(vars, "PAPERCLIP_APPROVAL_ID"), "");
  EXPECT_EQ(value_of(vars, "PAPERCLIP_WORKSPACE_STRATEGY"), "git_worktree");
  EXPECT_EQ(value_of(vars, "PAPERCLIP_WORKSPACES_JSON"), R"([{"cwd":"/w"}])");
  EXPECT_TRUE(
      value_of(vars, "PAPERCLIP_WAKE_PAYLOAD_JSON").starts_with(R"({"reason":"issue_assigned","issue":{"id":"i-1")"));
  EXPECT_EQ(value_of(vars, "AGENT_HOME"), run.agent_home.string());
}

TEST(RunEnvironment, A_remote_place_learns_no_path_of_this_machine) {
  Folder folder;
  RunContext run = sample_run(folder);
  run.place = {PlaceKind::ssh, "/remote/work", {}, true, "ssh"};
  run.context["paperclipWorkspaces"] = json::array{json::object{{"cwd", folder.path().string()}}};
  const auto vars = run_environment(run, {.workspace_details = true, .runtime_services = true});
  EXPECT_EQ(value_of(vars, "PAPERCLIP_WORKSPACE_CWD"), "/remote/work");
  EXPECT_EQ(value_of(vars, "PAPERCLIP_API_BRIDGE_MODE"), "queue_v1");
  for (const auto& [name, value] : vars) EXPECT_EQ(value.find(folder.path().string()), std::string::npos) << name;
}

TEST(ConfiguredEnvironment, Wins_except_over_the_token_with_nothing) {
  Folder folder;
  RunContext run = sample_run(folder);
  run.config = object_of(
      R"({"env":{"PAPERCLIP_API_KEY":" ","PAPERCLIP_TASK_ID":"mine","N":1,"EMPTY":"","BAD=NAME":"x","CLAUDECODE":"1"}})");
  auto child = base_environment(run.host);
  lay_over(child, run_environment(run, {}));
  lay_over(child, configured_environment(run.config));
  EXPECT_EQ(child.value("PAPERCLIP_API_KEY"), "run.token.value");
  EXPECT_EQ(child.value("PAPERCLIP_TASK_ID"), "mine");
  EXPECT_EQ(child.value("CLAUDECODE"), "");
  for (const auto& [name, value] : child.variables()) EXPECT_EQ(name.find('='), std::string::npos);
  run.config = object_of(R"({"env":{"PAPERCLIP_API_KEY":"own"}})");
  lay_over(child, configured_environment(run.config));
  EXPECT_EQ(child.value("PAPERCLIP_API_KEY"), "own");
}

TEST(ShownEnvironment, Masks_by_name_and_by_origin) {
  auto whole = base_environment({{"PATH", "/bin"}, {"HOME", "/h"}});
  const os::Environment set = {
      {"PAPERCLIP_API_KEY", "k"}, {"DB", "from a secret"}, {"PLAIN", "p"}, {"my_cookie_jar", "c"}};
  lay_over(whole, set);
  const auto shown = shown_environment(set, whole, {"DB"}, "/usr/bin/tool");
  EXPECT_EQ(
      to_string(shown),
      R"({"PAPERCLIP_API_KEY":"***REDACTED***","DB":"***REDACTED***","PLAIN":"p","my_cookie_jar":"***REDACTED***",)"
      R"("HOME":"/h","PAPERCLIP_RESOLVED_COMMAND":"/usr/bin/tool"})");
}

TEST(AgentApiUrl, Follows_the_servers_own_environment) {
  EXPECT_EQ(agent_api_url({}), "http://localhost:3100");
  EXPECT_EQ(agent_api_url({{"PAPERCLIP_LISTEN_HOST", "0.0.0.0"}, {"PAPERCLIP_LISTEN_PORT", "4000"}}),
            "http://localhost:4000");
  EXPECT_EQ(agent_api_url({{"HOST", "::1"}, {"PORT", "80"}}), "http://[::1]:80");
  EXPECT_EQ(agent_api_url({{"PAPERCLIP_API_URL", "https://b"}, {"PAPERCLIP_RUNTIME_API_URL", "https://a"}}),
            "https://a");
}

}  // namespace
}  // namespace paperclip::adapters
