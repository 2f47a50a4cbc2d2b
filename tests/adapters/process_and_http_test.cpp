#include "adapters/registry.h"
#include "base/write_json.h"
#include "support.h"

namespace paperclip::adapters {
namespace {

const Adapter& process() { return *find_adapter("process"); }
const Adapter& http() { return *find_adapter("http"); }

TEST(ProcessAdapter, Runs_the_command_as_configured) {
  Folder folder;
  RunContext run = sample_run(folder);
  run.config = object_of(
      R"({"command":"/bin/sh","args":["-c","echo"],"env":{"MY_SETTING":"from config","DB":"s3cret"},"timeoutSec":1.5,"cwd":"/srv"})");
  run.secret_environment_names = {"DB"};
  auto prepared = process().prepare(run);
  ASSERT_TRUE(prepared.ok());
  EXPECT_EQ(prepared->argv, (std::vector<std::string>{"/bin/sh", "-c", "echo"}));
  EXPECT_EQ(prepared->cwd, "/srv");
  EXPECT_FALSE(prepared->create_cwd);
  EXPECT_FALSE(prepared->stdin_text);
  EXPECT_EQ(prepared->timeout.count(), 1500);
  EXPECT_EQ(prepared->grace.count(), 15000);
  for (auto name : {"PAPERCLIP_AGENT_ID", "PAPERCLIP_COMPANY_ID", "PAPERCLIP_API_URL", "PAPERCLIP_RUN_ID",
                    "PAPERCLIP_API_KEY", "PAPERCLIP_TASK_ID", "PAPERCLIP_WAKE_REASON", "MY_SETTING", "PATH"})
    EXPECT_NE(value_of(prepared->environment, name), "") << name;
  for (auto name : {"DATABASE_URL", "BETTER_AUTH_SECRET", "PAPERCLIP_SECRETS_MASTER_KEY", "GITHUB_TOKEN"})
    EXPECT_EQ(value_of(prepared->environment, name), "") << name;
  EXPECT_EQ(to_string(*find_path(prepared->invocation, "commandArgs")), R"(["-c","echo"])");
  EXPECT_EQ(*string_at(*find_path(prepared->invocation, "env"), "PAPERCLIP_RESOLVED_COMMAND"), "/bin/sh");
  EXPECT_EQ(to_string(prepared->invocation).find("s3cret"), std::string::npos);
  EXPECT_EQ(to_string(prepared->invocation).find("run.token.value"), std::string::npos);
}

TEST(ProcessAdapter, Without_a_command_the_run_fails) {
  Folder folder;
  const auto prepared = process().prepare(sample_run(folder));
  ASSERT_FALSE(prepared.ok());
  EXPECT_EQ(prepared.error().message, "Process adapter missing command");
}

AdapterResult process_result(const Exit& exit) {
  Folder folder;
  RunContext run = sample_run(folder);
  run.config = object_of(R"({"command":"x","timeoutSec":1})");
  auto prepared = process().prepare(run);
  prepared->parser->feed(OutputStream::out, "hello\n");
  prepared->parser->feed(OutputStream::err, "oops\n");
  return prepared->parser->finish(exit, {});
}

TEST(ProcessAdapter, The_exit_code_decides) {
  const auto good = process_result({.code = 0});
  EXPECT_EQ(good.error_message, "");
  EXPECT_EQ(to_string(good.result), R"({"stdout":"hello\n","stderr":"oops\n"})");
  EXPECT_EQ(good.summary, "");
  EXPECT_FALSE(good.session);
  const auto bad = process_result({.code = 3});
  EXPECT_EQ(bad.error_message, "Process exited with code 3");
  EXPECT_TRUE(bad.result.is_object());
  EXPECT_EQ(process_result({.signal = "SIGKILL"}).error_message, "Process was ended by signal SIGKILL");
}

TEST(ProcessAdapter, A_timeout_and_a_failed_start_carry_no_result) {
  const auto late = process_result({.signal = "SIGTERM", .timed_out = true});
  EXPECT_EQ(late.error_message, "Timed out after 1s");
  EXPECT_TRUE(late.timed_out);
  EXPECT_TRUE(late.result.is_null());
  const auto failed = process_result({.start_failure = "Failed to start command \"x\""});
  EXPECT_EQ(failed.error_message, "Failed to start command \"x\"");
  EXPECT_TRUE(failed.result.is_null());
  EXPECT_FALSE(failed.exit_code);
}

TEST(ProcessAdapter, Its_test_names_what_is_wrong) {
  Folder folder;
  SelfTest test;
  test.server_cwd = folder.path();
  test.host = {{"PATH", "/usr/bin:/bin"}};
  test.config = object_of(R"({"command":"true"})");
  EXPECT_EQ(codes(process().test(test)),
            "process_command_present:info process_cwd_valid:info process_command_resolvable:info");
  EXPECT_EQ(test_status(process().test(test)), "pass");
  test.config = {};
  EXPECT_EQ(codes(process().test(test)), "process_command_missing:error process_cwd_valid:info");
  test.config = object_of(R"({"command":"no-such-command-here","cwd":"/no/such/place"})");
  EXPECT_EQ(codes(process().test(test)),
            "process_command_present:info process_cwd_invalid:error process_command_unresolvable:error");
  EXPECT_EQ(test_status(process().test(test)), "fail");
}

TEST(HttpAdapter, Sends_the_context_under_its_template) {
  Folder folder;
  RunContext run = sample_run(folder);
  run.config = object_of(R"({"url":"https://worker/x","headers":{"X-A":"1","Content-Type":"text/x","Evil":"a\r\nb"},)"
                         R"("payloadTemplate":{"agentId":"not this","extra":[1]},"timeoutMs":250})");
  const auto call = http().prepare_call(run);
  ASSERT_TRUE(call.ok());
  EXPECT_EQ(call->method, "POST");
  EXPECT_EQ(call->timeout.count(), 250);
  EXPECT_EQ(call->headers,
            (std::vector<std::pair<std::string, std::string>>{{"content-type", "text/x"}, {"X-A", "1"}}));
  const auto body = parse_json(call->body).value();
  EXPECT_EQ(*string_at(body, "agentId"), run.agent.id.str());
  EXPECT_EQ(*string_at(body, "runId"), run.run_id.str());
  EXPECT_EQ(*member(body, "context"), json::value(run.context));
  EXPECT_EQ(to_string(*member(body, "extra")), "[1]");
  // No credential leaves with it.
  EXPECT_EQ(call->body.find("run.token.value"), std::string::npos);
}

TEST(HttpAdapter, Needs_an_address) {
  Folder folder;
  RunContext run = sample_run(folder);
  EXPECT_EQ(http().prepare_call(run).error().message, "HTTP adapter missing url");
  for (std::string url : {"worker", "ftp://x/", "http://", "http://a b/"}) {
    run.config = {{"url", url}};
    EXPECT_FALSE(http().prepare_call(run).ok()) << url;
  }
}

TEST(HttpAdapter, The_status_decides) {
  HttpCall call;
  call.method = "POST";
  call.url = "http://w/";
  call.timeout = std::chrono::milliseconds(50);
  const auto good = http().finish_call(call, {.status = 204});
  EXPECT_EQ(good.exit_code, 0);
  EXPECT_EQ(good.summary, "HTTP POST http://w/");
  EXPECT_EQ(good.error_message, "");
  EXPECT_EQ(http().finish_call(call, {.status = 302}).error_message, "HTTP invoke failed with status 302");
  const auto late = http().finish_call(call, {.timed_out = true});
  EXPECT_EQ(late.error_message, "HTTP POST http://w/ timed out after 50ms");
  EXPECT_EQ(late.error_code, "timeout");
  EXPECT_EQ(http().finish_call(call, {.failure = "refused"}).error_message, "HTTP POST http://w/ failed: refused");
}

TEST(HttpAdapter, Its_test_asks_the_address) {
  SelfTest test;
  EXPECT_EQ(codes(http().test(test)), "http_url_missing:error");
  test.config = object_of(R"({"url":"http://w/"})");
  EXPECT_EQ(codes(http().test(test)), "http_url_valid:info http_method_configured:info");
  for (auto [status, expected] : {std::pair{200, "http_endpoint_probe_ok:info"},
                                  {405, "http_endpoint_probe_ok:info"},
                                  {404, "http_endpoint_probe_unexpected_status:warn"}}) {
    test.head = [status = status](const std::string&) -> Result<int> { return status; };
    EXPECT_TRUE(codes(http().test(test)).ends_with(expected)) << status;
  }
  test.head = [](const std::string&) -> Result<int> { return internal_error("refused"); };
  EXPECT_TRUE(codes(http().test(test)).ends_with("http_endpoint_probe_failed:warn"));
  test.config = object_of(R"({"url":"ftp://w/"})");
  EXPECT_EQ(codes(http().test(test)), "http_url_protocol_invalid:error http_method_configured:info");
}

TEST(Registry, Lists_what_exists_and_nothing_else) {
  std::vector<std::string> types;
  for (const auto* adapter : all_adapters()) types.emplace_back(adapter->type());
  EXPECT_TRUE(std::is_sorted(types.begin(), types.end()));
  for (auto type : {"process", "http", "claude_local"}) EXPECT_NE(find_adapter(type), nullptr);
  EXPECT_EQ(require_adapter("abacus").error().message, "Unknown adapter type: abacus");
  EXPECT_EQ(require_adapter(" ").error().message, "Adapter type is required");
  EXPECT_EQ(http_status(require_adapter("abacus").error().kind), 422);
  EXPECT_EQ(adapter_for_run("abacus").type(), "process");
  for (const auto* adapter : all_adapters())
    EXPECT_TRUE(adapter->documentation().starts_with("# " + std::string(adapter->type()))) << adapter->type();
  EXPECT_NE(adapter_documentation_index().find("- process: /llms/agent-configuration/process.txt\n"),
            std::string::npos);
}

TEST(Registry, Capabilities_are_those_of_the_wire) {
  EXPECT_EQ(write_json(find_adapter("claude_local")->capabilities()),
            R"({"supportsInstructionsBundle":true,"supportsSkills":true,"supportsLocalAgentJwt":true,)"
            R"("requiresMaterializedRuntimeSkills":false,"supportsModelProfiles":true})");
  EXPECT_EQ(write_json(process().capabilities()),
            R"({"supportsInstructionsBundle":false,"supportsSkills":false,"supportsLocalAgentJwt":false,)"
            R"("requiresMaterializedRuntimeSkills":false,"supportsModelProfiles":false})");
  EXPECT_EQ(write_json(find_adapter("claude_local")->model_profiles())
                .find(R"([{"key":"cheap","label":"Cheap","description":)"),
            0u);
}

}  // namespace
}  // namespace paperclip::adapters
