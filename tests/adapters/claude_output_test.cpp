#include <gmock/gmock.h>

#include "adapters/claude_local/outcome.h"
#include "claude_bench.h"

namespace paperclip::adapters {
namespace {

using ::testing::ElementsAre;

TEST(ClaudeOutput, A_recorded_run_gives_session_usage_cost_and_summary) {
  for (std::size_t chunk : {0, 1, 3, 1000}) {
    const auto result = ClaudeBench().outcome(recorded("claude-tool-use.ndjson"), {.code = 0}, "", chunk);
    EXPECT_EQ(result.error_message, "");
    EXPECT_EQ(result.summary, "The tool said: run=run-1");
    ASSERT_TRUE(result.session);
    EXPECT_EQ(result.session->id, "9a49ca58-f42d-4285-a76c-bde4b8f57f24");
    EXPECT_EQ(*text_at(json::value(result.session->params), "sessionId"), result.session->id);
    EXPECT_TRUE(text_at(json::value(result.session->params), "promptBundleKey"));
    ASSERT_TRUE(result.usage);
    EXPECT_EQ(result.usage->input_tokens, 22);
    EXPECT_EQ(result.usage->cached_input_tokens, 6);
    EXPECT_EQ(result.usage->output_tokens, 14);
    EXPECT_FALSE(result.usage->is_session_total);
    EXPECT_NEAR(*result.billing.cost_usd, 0.000463, 1e-9);
    EXPECT_EQ(result.billing.model, "claude-opus-4-8[1m]");
    EXPECT_EQ(result.billing.type, "subscription");
    EXPECT_EQ(result.billing.provider, "anthropic");
    EXPECT_EQ(*string_at(result.result, "type"), "result");
  }
}

TEST(ClaudeOutput, The_terminal_result_is_seen_as_soon_as_its_line_ends) {
  ClaudeBench bench;
  auto prepared = bench.prepare();
  const std::string out = recorded("claude-tool-use.ndjson");
  prepared.parser->feed(OutputStream::out, std::string_view(out).substr(0, out.size() - 1));
  EXPECT_FALSE(prepared.parser->terminal_result_seen());
  prepared.parser->feed(OutputStream::out, "\n");
  EXPECT_TRUE(prepared.parser->terminal_result_seen());
  // The process lingered and was ended by us: that is no failure.
  EXPECT_EQ(prepared.parser->finish({.signal = "SIGTERM"}, {}).error_message, "");
}

TEST(ClaudeOutput, Running_out_of_turns_clears_the_session) {
  const auto result = ClaudeBench().outcome(recorded("claude-max-turns.ndjson"), {.code = 1});
  EXPECT_EQ(result.error_code, "max_turns_exhausted");
  EXPECT_TRUE(result.clear_session);
  EXPECT_FALSE(result.session);
  EXPECT_EQ(result.error_message, "Claude run failed: subtype=error_max_turns: Reached maximum number of turns (2)");
  EXPECT_EQ(*string_at(result.result, "stopReason"), "max_turns_exhausted");
}

TEST(ClaudeOutput, A_missing_login_is_named_though_the_tool_says_success) {
  const auto result = ClaudeBench().outcome(recorded("claude-not-logged-in.ndjson"), {.code = 1});
  EXPECT_EQ(result.error_code, "claude_auth_required");
  EXPECT_EQ(result.error_family, "");
  EXPECT_EQ(result.error_message, "Claude run failed: subtype=success: Not logged in · Please run /login");
}

TEST(ClaudeOutput, An_error_with_exit_code_0_is_a_failure) {
  EXPECT_NE(ClaudeBench().outcome(recorded("claude-not-logged-in.ndjson"), {.code = 0}).error_message, "");
}

TEST(ClaudeOutput, A_login_address_is_handed_on) {
  const auto result = ClaudeBench().outcome("", {.code = 1}, "Please log in: https://claude.ai/oauth/x\n");
  EXPECT_EQ(result.error_code, "claude_auth_required");
  EXPECT_EQ(to_string(result.error_meta), R"({"loginUrl":"https://claude.ai/oauth/x"})");
}

TEST(ClaudeOutput, A_rate_limit_is_transient) {
  const auto result = ClaudeBench().outcome(recorded("claude-rate-limited.ndjson"), {.code = 1});
  EXPECT_EQ(result.error_code, "claude_transient_upstream");
  EXPECT_EQ(result.error_family, "transient_upstream");
  EXPECT_FALSE(result.retry_not_before);
  EXPECT_EQ(*string_at(result.result, "errorFamily"), "transient_upstream");
}

TEST(ClaudeOutput, So_is_one_that_only_stderr_tells) {
  const auto result = ClaudeBench().outcome("", {.code = 1}, "429 too many requests\n");
  EXPECT_EQ(result.error_code, "claude_transient_upstream");
  EXPECT_EQ(result.error_message, "Claude exited with code 1: 429 too many requests");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_FALSE(result.usage);
  EXPECT_FALSE(result.session);
}

TEST(ClaudeOutput, What_the_agent_writes_about_is_not_what_happened_to_it) {
  const std::string out =
      R"({"type":"assistant","session_id":"s","message":{"content":[{"type":"text","text":"The page says: please log in; 429 rate limit"}]}})"
      "\n"
      R"({"type":"result","subtype":"error_during_execution","is_error":true,"session_id":"s","result":"","errors":["disk full"]})"
      "\n";
  const auto result = ClaudeBench().outcome(out, {.code = 1});
  EXPECT_EQ(result.error_code, "");
  EXPECT_EQ(result.error_message, "Claude run failed: subtype=error_during_execution: disk full");
}

TEST(ClaudeOutput, A_usage_limit_tells_when_to_come_back) {
  const std::string out =
      R"x({"type":"result","is_error":true,"session_id":"s","result":"5-hour limit reached ∙ resets 3:30pm (Europe/Berlin)"})x"
      "\n";
  const auto result = ClaudeBench().outcome(out, {.code = 1});
  EXPECT_EQ(result.error_code, "claude_transient_upstream");
  ASSERT_TRUE(result.retry_not_before);
  EXPECT_EQ(to_iso(*result.retry_not_before), "2026-05-03T13:30:00.000Z");
  EXPECT_EQ(*string_at(result.result, "retryNotBefore"), "2026-05-03T13:30:00.000Z");
  EXPECT_EQ(*string_at(result.result, "transientRetryNotBefore"), "2026-05-03T13:30:00.000Z");
}

TEST(ClaudeOutput, An_unknown_session_asks_for_one_fresh_attempt) {
  ClaudeBench bench;
  bench.save_session("11111111-1111-4111-8111-111111111111");
  const auto result = bench.outcome(recorded("claude-unknown-session.ndjson"), {.code = 1}, "No conversation found");
  EXPECT_TRUE(result.session_unknown);
  EXPECT_EQ(result.retry_note,
            "[paperclip] Claude resume session \"11111111-1111-4111-8111-111111111111\" is unavailable; retrying with "
            "a fresh session.");
  EXPECT_FALSE(result.session);
  // The second attempt: a fresh prompt, instructions again, and its session is kept.
  bench.run.retry_with_fresh_session = true;
  const auto again = bench.prepare();
  EXPECT_EQ(bench.option(again, "--resume"), "");
  EXPECT_NE(bench.option(again, "--append-system-prompt-file"), "");
  EXPECT_TRUE(again.stdin_text->starts_with("## Paperclip Wake Payload"));
  const auto second = bench.outcome(recorded("claude-tool-use.ndjson"), {.code = 0});
  EXPECT_TRUE(second.session);
  EXPECT_FALSE(second.clear_session);
  // Also if it too claims not to know it, there is no third.
  EXPECT_FALSE(bench.outcome(recorded("claude-unknown-session.ndjson"), {.code = 1}).session_unknown);
}

TEST(ClaudeOutput, Without_a_result_the_run_fails_and_its_output_is_kept) {
  const auto silent = ClaudeBench().outcome("plain words\n", {.code = 0}, "warn\n");
  EXPECT_EQ(silent.error_message, "Failed to parse claude JSON output");
  EXPECT_EQ(to_string(silent.result), R"({"stdout":"plain words\n","stderr":"warn\n"})");
  EXPECT_EQ(ClaudeBench().outcome("", {.code = 7}).error_message, "Claude exited with code 7");
  EXPECT_EQ(ClaudeBench().outcome("", {.signal = "SIGKILL"}).error_message, "Claude was ended by signal SIGKILL");
  EXPECT_EQ(ClaudeBench().outcome("", {.start_failure = "Failed to start"}).error_message, "Failed to start");
}

TEST(ClaudeOutput, One_document_over_many_lines_is_read_too) {
  const auto result = ClaudeBench().outcome(
      "{\n  \"type\": \"result\",\n  \"session_id\": \"s\",\n  \"result\": \"fine\"\n}\n", {.code = 0});
  EXPECT_EQ(result.summary, "fine");
  EXPECT_EQ(result.error_message, "");
}

TEST(ClaudeOutput, A_timeout_keeps_the_session_as_it_was) {
  ClaudeBench bench;
  bench.run.config["timeoutSec"] = 30;
  const auto result = bench.outcome(recorded("claude-tool-use.ndjson"), {.signal = "SIGTERM", .timed_out = true});
  EXPECT_EQ(result.error_message, "Timed out after 30s");
  EXPECT_EQ(result.error_code, "timeout");
  EXPECT_FALSE(result.session);
  EXPECT_FALSE(result.clear_session);
  EXPECT_FALSE(result.usage);
}

TEST(ClaudeOutput, Survives_any_noise) {
  std::mt19937 random(21);
  ClaudeBench bench;
  const std::string base = recorded("claude-tool-use.ndjson");
  for (int round = 0; round < 200; ++round) {
    std::string noisy = base;
    for (int hit = 0; hit < 20; ++hit) noisy[random() % noisy.size()] = static_cast<char>(random());
    EXPECT_TRUE(bench.outcome(noisy, {.code = 0}, "", 1 + random() % 50).result.is_object());
  }
}

TEST(ClaudeBilling, Follows_the_credentials) {
  ClaudeBench bench;
  const auto billing = [&] { return bench.outcome(recorded("claude-tool-use.ndjson"), {.code = 0}).billing; };
  bench.run.config["env"] = {{"ANTHROPIC_API_KEY", "k"}};
  EXPECT_EQ(billing().type, "api");
  bench.run.config["env"] = {{"CLAUDE_CODE_USE_BEDROCK", "1"}};
  EXPECT_EQ(billing().type, "metered_api");
  EXPECT_EQ(billing().biller, "aws_bedrock");
}

TEST(ClaudeTest, Tries_a_prompt_and_judges_the_answer) {
  ClaudeBench bench;
  SelfTest test;
  test.host = bench.run.host;
  test.server_cwd = bench.folder.path();
  EXPECT_EQ(codes(claude().test(test)),
            "claude_cwd_valid:info claude_command_resolvable:info claude_subscription_mode_possible:info");
  ProbeCommand asked;
  ProbeOutcome answer;
  test.run = [&](const ProbeCommand& probe) -> Result<ProbeOutcome> {
    asked = probe;
    return answer;
  };
  answer = {{.code = 0}, "{\"type\":\"result\",\"result\":\"Hello!\"}\n", ""};
  EXPECT_TRUE(codes(claude().test(test)).ends_with(" claude_hello_probe_passed:info"));
  EXPECT_EQ(asked.stdin_text, "Respond with hello.");
  EXPECT_THAT(asked.argv, ElementsAre("claude", "--print", "-", "--output-format", "stream-json", "--verbose",
                                      "--dangerously-skip-permissions"));
  answer.out = "{\"type\":\"result\",\"result\":\"Othello\"}\n";
  EXPECT_TRUE(codes(claude().test(test)).ends_with(" claude_hello_probe_unexpected_output:warn"));
  answer = {{.code = 1}, recorded("claude-not-logged-in.ndjson"), ""};
  EXPECT_TRUE(codes(claude().test(test)).ends_with(" claude_hello_probe_auth_required:warn"));
  answer = {{.timed_out = true}, "", ""};
  EXPECT_TRUE(codes(claude().test(test)).ends_with(" claude_hello_probe_timed_out:warn"));
  answer = {{.code = 1}, "", "--dangerously-skip-permissions cannot be used with root/sudo privileges"};
  EXPECT_TRUE(codes(claude().test(test)).ends_with(" claude_hello_probe_failed:error"));
}

TEST(ClaudeTest, Warns_that_a_key_is_billed_and_stops_at_a_missing_command) {
  ClaudeBench bench;
  SelfTest test;
  test.host = bench.run.host;
  test.server_cwd = bench.folder.path();
  test.config = object_of(R"({"env":{"ANTHROPIC_API_KEY":"k"},"command":"/no/such/thing"})");
  test.run = [](const ProbeCommand&) -> Result<ProbeOutcome> { return internal_error("must not be called"); };
  EXPECT_EQ(codes(claude().test(test)),
            "claude_cwd_valid:info claude_command_unresolvable:error "
            "claude_anthropic_api_key_overrides_subscription:warn");
  test.config = {{"command", "sh"}};
  EXPECT_TRUE(codes(claude().test(test)).ends_with("claude_hello_probe_skipped_custom_command:info"));
}

std::string reset(std::string_view text, const char* now = "2026-05-03T10:00:00.000Z") {
  const auto time = usage_limit_reset(text, *parse_iso(now));
  return time ? to_iso(*time) : "none";
}

TEST(UsageLimitReset, Is_the_next_such_moment_in_the_zone_named) {
  EXPECT_EQ(reset("Claude usage limit reached. Your limit will reset at 3pm (UTC)."), "2026-05-03T15:00:00.000Z");
  EXPECT_EQ(reset("5-hour limit reached ∙ resets 9am (GMT)"), "2026-05-04T09:00:00.000Z");
  EXPECT_EQ(reset("Weekly limit reached · resets at 12:05 AM (America/New_York)"), "2026-05-04T04:05:00.000Z");
  EXPECT_EQ(reset("You've hit your limit · resets 12pm (Asia/Tokyo)"), "2026-05-04T03:00:00.000Z");
  // The very minute is past: tomorrow's is meant.
  EXPECT_EQ(reset("usage limit reached, resets 10am (UTC)"), "2026-05-04T10:00:00.000Z");
}

TEST(UsageLimitReset, Crosses_a_change_of_the_clocks) {
  // On 2026-03-29 Berlin skips 02:00–03:00.
  const char* before = "2026-03-28T12:00:00.000Z";
  EXPECT_EQ(reset("usage limit reached, resets 2:30am (Europe/Berlin)", before), "2026-03-29T01:00:00.000Z");
  EXPECT_EQ(reset("usage limit reached, resets 4am (Europe/Berlin)", before), "2026-03-29T02:00:00.000Z");
}

TEST(UsageLimitReset, Reads_the_older_form_with_seconds) {
  EXPECT_EQ(reset("Claude AI usage limit reached|1777806000"), "2026-05-03T11:00:00.000Z");
  EXPECT_EQ(reset("Claude AI usage limit reached|17"), "none");
}

TEST(UsageLimitReset, Is_nothing_without_a_limit_a_clock_or_nearby) {
  EXPECT_EQ(reset("resets 3pm (UTC)"), "none");
  EXPECT_EQ(reset("usage limit reached"), "none");
  EXPECT_EQ(reset("usage limit reached, resets soon"), "none");
  EXPECT_EQ(reset("usage limit reached, resets 13pm (UTC)"), "none");
  EXPECT_EQ(reset("usage limit reached, resets 3:75pm (UTC)"), "none");
  EXPECT_EQ(reset("usage limit reached" + std::string(100, '.') + "resets 3pm (UTC)"), "none");
}

TEST(UsageLimitReset, An_unknown_zone_means_the_servers_own) {
  EXPECT_NE(reset("usage limit reached, resets 3pm (Mars/Olympus)"), "none");
  EXPECT_NE(reset("usage limit reached, resets 3pm"), "none");
}

TEST(LoginUrl, Prefers_one_that_looks_like_a_login) {
  EXPECT_EQ(login_url("see http://example.com/x, or https://claude.ai/login?x=1."), "https://claude.ai/login?x=1");
  EXPECT_EQ(login_url("see (http://example.com/x)."), "http://example.com/x");
  EXPECT_EQ(login_url("httpx nothing http"), "");
}

}  // namespace
}  // namespace paperclip::adapters
