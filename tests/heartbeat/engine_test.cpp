#include <signal.h>

#include <fstream>

#include "base/crypto.h"
#include "engine_fixture.h"

/// Runs from wake to end, with real processes (spec/execution.md 5, 6, 13, 21).
namespace paperclip::heartbeat {
namespace {

using namespace std::chrono_literals;
using domain::RunStatus;
using Engines = test::Running;

TEST_P(Engines, A_wake_becomes_a_process_and_the_process_a_finished_run) {
  const auto agent = worker("echo", "echo hello; echo oops >&2");
  const auto id = start(agent.id);
  ASSERT_TRUE(reaches(id, RunStatus::succeeded));
  const auto done = run(id);
  EXPECT_EQ(done.exit_code, 0);
  EXPECT_EQ(result_text(id, "stdout"), "hello\n");
  EXPECT_EQ(text_at(done.result_json->parse(), "stopReason"), "completed");
  EXPECT_TRUE(said(id, "stdout").ends_with("hello\n"));
  EXPECT_EQ(said(id, "stderr"), "oops\n");
  EXPECT_EQ(done.log_sha256, sha256_hex(log_of(id)));
  EXPECT_EQ(done.log_bytes, static_cast<std::int64_t>(log_of(id).size()));
  EXPECT_EQ(done.last_output_seq, 3);
  EXPECT_EQ(text_at(context(id), "wakeSource"), "on_demand");
  EXPECT_EQ(text_at(*find_path(context(id), "paperclipWorkspace"), "source"), "agent_home");
  EXPECT_TRUE(engine_->wait_idle(Deadline::in(5s)));
  EXPECT_TRUE(runner_->known_runs().empty()) << "the run's directory is gone";
  EXPECT_EQ(agent_status(agent.id), "idle");
}

TEST_P(Engines, A_failing_process_leaves_its_code_and_the_agent_in_error) {
  const auto agent = worker("broken", "echo before; exit 3");
  const auto id = start(agent.id);
  ASSERT_TRUE(reaches(id, RunStatus::failed));
  EXPECT_EQ(run(id).exit_code, 3);
  EXPECT_EQ(run(id).error, "Process exited with code 3");
  EXPECT_EQ(run(id).error_code, "adapter_failed");
  EXPECT_EQ(agent_status(agent.id), "error");
}

TEST_P(Engines, A_command_that_is_missing_fails_the_run_with_an_error_event) {
  auto agent = hire("lost");
  ASSERT_TRUE(execute("update agents set adapter_config = :1 where id = :2", RawJson(R"({"command":"/nonexistent/tool"})"), agent.id).ok());
  const auto id = start(agent.id);
  ASSERT_TRUE(reaches(id, RunStatus::failed));
  EXPECT_NE(run(id).error->find("Failed to start command \"/nonexistent/tool\""), std::string::npos);
  EXPECT_EQ(value<std::string>("select event_type from heartbeat_run_events where run_id = :1 order by seq desc limit 1", id), "error");
}

TEST_P(Engines, A_process_that_runs_too_long_is_ended) {
  const auto agent = worker("slow", "echo started; exec sleep 30", R"(,"timeoutSec":1,"graceSec":1)");
  const auto id = start(agent.id);
  ASSERT_TRUE(reaches(id, RunStatus::timed_out));
  EXPECT_EQ(run(id).error, "Timed out after 1s");
  EXPECT_EQ(run(id).error_code, "timeout");
  EXPECT_EQ(run(id).signal, "SIGTERM");
}

TEST_P(Engines, A_cancelled_run_leaves_no_process_behind) {
  const auto mark = (place_.path() / "started").string();
  const auto agent = worker("bomb", "setsid sh -c 'trap \"\" TERM; : > " + mark + "; while :; do sleep 1; done' & sleep 60; : " + mark, R"(,"graceSec":1)");
  const auto id = start(agent.id);
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(mark); }));
  EXPECT_GE(processes_with(mark), 2);
  ASSERT_TRUE(database_->write([&](store::Transaction& tx) { return domain::cancel_run(tx, domain::CompanyScope::internal(company_.id), id); }).ok());
  ASSERT_TRUE(engine_->wait_idle(Deadline::in(20s)));
  EXPECT_EQ(run(id).status, RunStatus::cancelled);
  EXPECT_EQ(result_text(id, "stopReason"), "cancelled");
  EXPECT_EQ(processes_with(mark), 0) << "also not the child of its own session that ignores SIGTERM";
}

TEST_P(Engines, A_cancel_that_hits_between_claim_and_start_ends_the_run) {
  for (int i = 0; i < 10; ++i) {
    const auto agent = worker("quick " + std::to_string(i), "exec sleep 30", R"(,"graceSec":1)");
    const auto id = start(agent.id);
    ASSERT_TRUE(database_->write([&](store::Transaction& tx) { return domain::cancel_run(tx, domain::CompanyScope::internal(company_.id), id); }).ok());
    ASSERT_TRUE(engine_->wait_idle(Deadline::in(20s)));
    EXPECT_EQ(run(id).status, RunStatus::cancelled);
    EXPECT_EQ(engine_->live_runs(), 0u);
  }
}

TEST_P(Engines, A_flood_of_output_arrives_whole) {
  const auto agent = worker("flood", "i=0; while [ $i -lt 20000 ]; do echo \"line $i of a flood that does not end soon\"; i=$((i+1)); done");
  const auto id = start(agent.id);
  ASSERT_TRUE(reaches(id, RunStatus::succeeded));
  const auto text = said(id, "stdout");
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 20001);
  EXPECT_TRUE(text.ends_with("line 19999 of a flood that does not end soon\n"));
}

TEST_P(Engines, The_runs_token_is_masked_wherever_it_shows) {
  const auto agent = worker("leaky", "echo key=$PAPERCLIP_API_KEY");
  const auto id = start(agent.id);
  ASSERT_TRUE(reaches(id, RunStatus::succeeded));
  EXPECT_TRUE(said(id, "stdout").ends_with("key=***REDACTED***\n"));
  EXPECT_EQ(result_text(id, "stdout"), "key=***REDACTED***\n");
  EXPECT_EQ(value<std::int64_t>("select count(*) from heartbeat_run_events where cast(payload as text) like '%eyJ%'"), 0);
}

TEST_P(Engines, Limits_of_the_agent_and_of_the_machine_hold) {
  restart(3);
  const auto one = worker("one", "exec sleep 60", R"(,"graceSec":1)", R"({"heartbeat":{"maxConcurrentRuns":2}})");
  const auto two = worker("two", "exec sleep 60", R"(,"graceSec":1)");
  std::vector<RunId> all;
  for (const char* key : {"a", "b", "c"}) all.push_back(start(one.id, key));
  ASSERT_TRUE(eventually([&] { return runs("running").size() == 2; }));
  for (const char* key : {"a", "b", "c"}) all.push_back(start(two.id, key));
  ASSERT_TRUE(eventually([&] { return runs("running").size() == 3; }));
  EXPECT_EQ(engine_->live_runs(), 3u);
  EXPECT_EQ(runs("queued").size(), 3u);
  // A free slot goes to whoever waits for the machine.
  const auto running = runs("running");
  ASSERT_TRUE(database_->write([&](store::Transaction& tx) { return domain::cancel_run(tx, domain::CompanyScope::internal(company_.id), running[0].id); }).ok());
  EXPECT_TRUE(eventually([&] { return runs("running").size() == 3 && runs("queued").size() == 2; }));
  ASSERT_TRUE(database_->write([&](store::Transaction& tx) -> Result<> {
    domain::cancel_work_of_company(tx, company_.id);
    return {};
  }).ok());
  EXPECT_TRUE(engine_->wait_idle(Deadline::in(20s)));
}

TEST_P(Engines, Many_short_runs_all_end) {
  std::vector<RunId> all;
  for (int a = 0; a < 5; ++a) {
    const auto agent = worker("agent " + std::to_string(a), "exit 0");
    for (int i = 0; i < 8; ++i) all.push_back(start(agent.id, "t" + std::to_string(i)));
  }
  ASSERT_TRUE(eventually([&] { return runs("succeeded").size() == all.size(); }, 60s));
  EXPECT_TRUE(engine_->wait_idle(Deadline::in(5s)));
}

TEST_P(Engines, A_call_is_made_and_its_failure_is_the_runs) {
  auto agent = hire("remote");
  ASSERT_TRUE(execute("update agents set adapter_type = 'http', adapter_config = :1 where id = :2", RawJson(R"({"url":"http://127.0.0.1:1/hook"})"), agent.id).ok());
  const auto id = start(agent.id);
  ASSERT_TRUE(reaches(id, RunStatus::failed));
  EXPECT_TRUE(engine_->wait_idle(Deadline::in(std::chrono::seconds(10))));
}

INSTANTIATE_TEST_SUITE_P(Database, Engines, ::testing::Values(store::Engine::sqlite), test::engine_name);

}  // namespace
}  // namespace paperclip::heartbeat
