#include "gemini_bench.h"

namespace paperclip::adapters {
namespace {

// The recordings are the output of gemini 0.61.0 against a scripted endpoint.

TEST(GeminiOutput, A_recorded_run_gives_session_usage_model_and_what_was_said_last) {
  GeminiBench bench;
  bench.run.host.emplace_back("GEMINI_API_KEY", "key");
  for (std::size_t chunk : {0, 1, 7, 64}) {
    const auto result = bench.outcome(recorded("gemini-tool-use.ndjson"), {.code = 0}, "YOLO mode is enabled.\n", chunk);
    EXPECT_EQ(result.error_message, "");
    EXPECT_EQ(result.summary, "all done");
    EXPECT_EQ(result.session->id, "1957e5ed-009a-441c-ad33-6ae3b4868029");
    EXPECT_EQ(to_string(result.session->params),
              R"({"sessionId":"1957e5ed-009a-441c-ad33-6ae3b4868029","cwd":")" + (bench.folder.path() / "work").string() + "\"}");
    EXPECT_EQ(result.usage->input_tokens, 22);
    EXPECT_EQ(result.usage->output_tokens, 6);
    EXPECT_FALSE(result.usage->is_session_total);
    EXPECT_EQ(result.billing.model, "gemini-2.5-flash");
    EXPECT_EQ(result.billing.provider, "google");
    EXPECT_EQ(result.billing.biller, "google");
    EXPECT_EQ(result.billing.type, "api");
    EXPECT_EQ(*string_at(result.result, "status"), "success");
  }
}

TEST(GeminiOutput, A_refused_key_is_a_matter_of_login) {
  GeminiBench bench;
  const auto result = bench.outcome(recorded("gemini-bad-key.ndjson"), {.code = 144});
  EXPECT_EQ(result.error_code, "gemini_auth_required");
  EXPECT_NE(result.error_message.find("API key not valid"), std::string::npos);
  EXPECT_EQ(bench.outcome("", {.code = 41}, "Something about accounts.\n").error_code, "gemini_auth_required");
}

TEST(GeminiOutput, Its_turn_limit_clears_the_session) {
  GeminiBench bench;
  const auto result = bench.outcome(recorded("gemini-max-turns.ndjson"), {.code = 53});
  EXPECT_EQ(result.error_code, "max_turns_exhausted");
  EXPECT_TRUE(result.error_message.starts_with("Reached max session turns"));
  EXPECT_TRUE(result.clear_session);
  EXPECT_FALSE(result.session);
  EXPECT_EQ(*string_at(result.result, "stopReason"), "max_turns_exhausted");
  EXPECT_EQ(bench.outcome("", {.code = 53}).error_code, "max_turns_exhausted");
}

TEST(GeminiOutput, An_exhausted_quota_is_an_error_that_says_so_and_no_login_matter) {
  GeminiBench bench;
  const auto result = bench.outcome(recorded("gemini-quota.ndjson"), {.code = 173});
  EXPECT_TRUE(result.error_message.starts_with("[API Error: You have exhausted your daily quota on this model.]"));
  EXPECT_EQ(result.error_code, "");
  EXPECT_EQ(result.error_family, "");
}

TEST(GeminiOutput, The_spellings_of_the_contract_are_read_too) {
  GeminiBench bench;
  const auto result = bench.outcome(
      R"({"type":"assistant","sessionID":"s-1","message":{"content":[{"type":"output_text","text":"one"},{"type":"question","text":"no"}]}})"
      "\n" R"({"type":"assistant","message":"two"})"
      "\n" R"({"type":"step_finish","usage":{"promptTokenCount":5,"cachedContentTokenCount":2,"candidatesTokenCount":1}})"
      "\n" R"({"type":"result","usageMetadata":{"inputTokens":10,"outputTokens":3},"cost_usd":0.5})" "\n",
      {.code = 0});
  EXPECT_EQ(result.summary, "two");
  EXPECT_EQ(result.session->id, "s-1");
  EXPECT_EQ(result.usage->input_tokens, 15);
  EXPECT_EQ(result.usage->cached_input_tokens, 2);
  EXPECT_EQ(result.usage->output_tokens, 4);
  EXPECT_EQ(result.billing.cost_usd, 0.5);
  EXPECT_EQ(result.billing.type, "subscription");
  EXPECT_EQ(bench.outcome(R"({"type":"result","result":"said at last, and at some length","thread_id":"t"})", {.code = 0}).summary, "said at last, and at some length");
}

TEST(GeminiOutput, An_error_counts_even_if_a_wrapper_swallowed_the_exit_code) {
  GeminiBench bench;
  EXPECT_EQ(bench.outcome(R"({"type":"result","status":"error","error":{"message":"broke"}})", {.code = 0}).error_message, "broke");
  EXPECT_EQ(bench.outcome(R"({"type":"result","is_error":true,"status":"aborted","result":"why"})", {.code = 0}).error_message,
            "Gemini run failed: status=aborted: why");
  EXPECT_EQ(bench.outcome(R"({"type":"error","severity":"warning","message":"only a warning"})", {.code = 0}).error_message, "");
}

TEST(GeminiOutput, Without_a_result_the_first_line_that_says_something_counts) {
  GeminiBench bench;
  const auto result = bench.outcome("half a line", {.code = 42}, "Warning: 256-color support not detected.\nYOLO mode is enabled. All.\n\nNo input provided.\n");
  EXPECT_EQ(result.error_message, "No input provided.");
  EXPECT_EQ(*string_at(result.result, "stdout"), "half a line");
  EXPECT_EQ(bench.outcome("", {.code = 7}).error_message, "Gemini exited with code 7");
  EXPECT_EQ(bench.outcome("", {.signal = "SIGKILL"}).error_message, "Gemini was ended by signal SIGKILL");
  EXPECT_EQ(bench.outcome("", {.start_failure = "no such file"}).error_message, "no such file");
}

TEST(GeminiOutput, A_timeout_keeps_the_session_that_was) {
  GeminiBench bench;
  bench.run.config["timeoutSec"] = 3;
  const auto result = bench.outcome("{\"type\":\"init\",\"session_id\":\"s\"}\n", {.signal = "SIGTERM", .timed_out = true});
  EXPECT_EQ(result.error_message, "Timed out after 3s");
  EXPECT_EQ(result.error_code, "timeout");
  EXPECT_FALSE(result.session);
  EXPECT_FALSE(result.clear_session);
  EXPECT_EQ(bench.outcome("", {.timed_out = true}, "Please authenticate first\n").error_code, "gemini_auth_required");
}

TEST(GeminiOutput, A_session_the_tool_does_not_know_is_tried_afresh_once) {
  GeminiBench bench;
  bench.save_session("gone");
  for (auto words : {"Error resuming session: Invalid session identifier \"gone\".\n", "Error resuming session: No previous sessions found for this project.\n",
                     "Unknown session gone\n", "checkpoint gone was not found\n"}) {
    const auto result = bench.outcome("", {.code = 42}, words);
    EXPECT_TRUE(result.session_unknown) << words;
    EXPECT_TRUE(result.clear_session);
    EXPECT_EQ(result.retry_note, "[paperclip] Gemini resume session \"gone\" is unavailable; retrying with a fresh session.");
  }
  EXPECT_FALSE(bench.outcome("", {.code = 1}, "something else\n").session_unknown);
  bench.run.retry_with_fresh_session = true;
  const auto again = bench.outcome("", {.code = 42}, "Unknown session gone\n");
  EXPECT_FALSE(again.session_unknown);
  EXPECT_TRUE(again.clear_session);
}

TEST(GeminiOutput, What_the_agent_writes_about_is_no_evidence) {
  GeminiBench bench;
  bench.save_session("s");
  const auto result =
      bench.outcome(R"({"type":"message","role":"assistant","content":"unauthorized; session 5 not found","delta":true})" "\n", {.code = 1}, "crashed\n");
  EXPECT_EQ(result.error_code, "");
  EXPECT_FALSE(result.session_unknown);
}

struct GeminiTest {
  GeminiTest() {
    test.config = bench.run.config;
    test.host = bench.run.host;
    test.server_cwd = bench.folder.path();
  }
  std::string answered(int code, const std::string& out, const std::string& err = "") {
    test.run = [=, this](const ProbeCommand& command) -> Result<ProbeOutcome> {
      probe = command;
      return ProbeOutcome{{.code = code}, out, err};
    };
    return codes(gemini().test(test));
  }
  GeminiBench bench;
  SelfTest test;
  ProbeCommand probe;
};

TEST(GeminiSelfTest, Says_how_the_test_prompt_went) {
  GeminiTest t;
  const std::string before = "gemini_cwd_valid:info gemini_command_resolvable:info gemini_api_key_missing:info gemini_hello_probe_";
  EXPECT_EQ(t.answered(0, R"({"type":"message","role":"assistant","content":"Hello!"})"), before + "passed:info");
  EXPECT_EQ(t.probe.argv.back(), "Respond with hello.");
  EXPECT_EQ(t.probe.timeout.count(), 10000);
  EXPECT_EQ(t.answered(0, R"({"type":"message","role":"assistant","content":"Moin"})"), before + "unexpected_output:warn");
  EXPECT_EQ(t.answered(173, recorded("gemini-quota.ndjson")), before + "quota_exhausted:warn");
  EXPECT_EQ(t.answered(144, recorded("gemini-bad-key.ndjson")), before + "auth_required:warn");
  EXPECT_EQ(t.answered(1, "", "broken\n"), before + "failed:error");
  t.test.host.emplace_back("GEMINI_API_KEY", "key");
  EXPECT_EQ(t.answered(0, R"({"type":"result","result":"hello"})"),
            "gemini_cwd_valid:info gemini_command_resolvable:info gemini_api_key_present:info gemini_hello_probe_passed:info");
}

TEST(GeminiSelfTest, Tries_no_prompt_where_it_would_mean_nothing) {
  GeminiTest t;
  t.test.config["command"] = "/bin/true";
  EXPECT_EQ(t.answered(0, ""), "gemini_cwd_valid:info gemini_command_resolvable:info gemini_api_key_missing:info gemini_hello_probe_skipped_custom_command:info");
  t.test.config["command"] = "no-such-gemini";
  EXPECT_EQ(t.answered(0, ""), "gemini_cwd_valid:info gemini_command_unresolvable:error gemini_api_key_missing:info");
}

}  // namespace
}  // namespace paperclip::adapters
