#include <signal.h>

#include <fstream>
#include <thread>

#include "base/crypto.h"
#include "engine_fixture.h"

/// A server goes, another comes: no run is lost, no byte of a log (spec/execution.md 22).
namespace paperclip::heartbeat {
namespace {

using namespace std::chrono_literals;
using domain::RunStatus;
using Restarts = test::Running;

// A loop that says a number, and waits for a file before it says the next.
std::string stepwise(const std::filesystem::path& gate) {
  return "i=0; while [ $i -lt 6 ]; do echo \"number $i\"; echo \"grumble $i\" >&2; i=$((i+1)); while [ ! -e " + gate.string() + ".$i ]; do sleep 0.02; done; done; echo end";
}
void open_gate(const std::filesystem::path& gate, int step) { std::ofstream(gate.string() + "." + std::to_string(step)) << "x"; }

TEST_P(Restarts, A_run_goes_on_and_every_byte_is_logged_once) {
  const auto gate = place_.path() / "gate";
  const auto agent = worker("steady", stepwise(gate));
  const auto id = start(agent.id);
  ASSERT_TRUE(eventually([&] { return said(id, "stdout").find("number 0\n") != std::string::npos; }));
  restart();
  open_gate(gate, 1);
  open_gate(gate, 2);
  ASSERT_TRUE(eventually([&] { return said(id, "stdout").find("number 2\n") != std::string::npos; }));
  EXPECT_EQ(run(id).status, RunStatus::running);
  restart();
  for (int step = 3; step <= 6; ++step) open_gate(gate, step);
  ASSERT_TRUE(reaches(id, RunStatus::succeeded));
  const auto out = said(id, "stdout");
  EXPECT_TRUE(out.ends_with("number 0\nnumber 1\nnumber 2\nnumber 3\nnumber 4\nnumber 5\nend\n")) << out;
  EXPECT_EQ(out.find("number 0"), out.rfind("number 0"));
  EXPECT_EQ(said(id, "stderr"), "grumble 0\ngrumble 1\ngrumble 2\ngrumble 3\ngrumble 4\ngrumble 5\n");
  EXPECT_EQ(result_text(id, "stderr"), said(id, "stderr")) << "the adapter saw all of it";
  EXPECT_EQ(run(id).log_sha256, sha256_hex(log_of(id)));
}

// The token is in the agent's environment; the next server has to know it to hide it.
TEST_P(Restarts, The_runs_token_is_masked_by_the_next_server_too) {
  const auto gate = place_.path() / "gate";
  const auto agent = worker("leaky", "echo up; while [ ! -e " + gate.string() + ".1 ]; do sleep 0.02; done; echo key=$PAPERCLIP_API_KEY");
  const auto id = start(agent.id);
  ASSERT_TRUE(eventually([&] { return said(id, "stdout").find("up\n") != std::string::npos; }));
  const auto second = Clock::system().now().ms / 1000;  // tokens count seconds
  close_engine();
  while (Clock::system().now().ms / 1000 <= second + 1) std::this_thread::sleep_for(10ms);
  reopen();
  open_engine();
  open_gate(gate, 1);
  ASSERT_TRUE(reaches(id, RunStatus::succeeded));
  EXPECT_TRUE(said(id, "stdout").ends_with("key=***REDACTED***\n")) << said(id, "stdout");
  EXPECT_EQ(log_of(id).find("eyJ"), std::string::npos);
}

TEST_P(Restarts, A_run_that_ended_meanwhile_is_accounted_for) {
  const auto gate = place_.path() / "gate";
  const auto agent = worker("steady", stepwise(gate));
  const auto id = start(agent.id);
  ASSERT_TRUE(eventually([&] { return said(id, "stdout").find("number 0\n") != std::string::npos; }));
  close_engine();
  for (int step = 1; step <= 6; ++step) open_gate(gate, step);
  reopen();
  open_engine();
  ASSERT_TRUE(reaches(id, RunStatus::succeeded));
  EXPECT_TRUE(said(id, "stdout").ends_with("number 5\nend\n"));
  EXPECT_TRUE(engine_->wait_idle(Deadline::in(5s)));
  EXPECT_TRUE(runner_->known_runs().empty());
}

TEST_P(Restarts, A_run_that_was_claimed_but_never_started_goes_back_into_the_queue) {
  const auto agent = worker("late", "echo done");
  close_engine();
  reopen();
  wake(agent.id, request());
  const auto claimed = claim(agent.id);
  ASSERT_EQ(claimed.size(), 1u);
  open_engine();
  ASSERT_TRUE(reaches(claimed[0].run.id, RunStatus::succeeded));
  EXPECT_EQ(value<std::int64_t>("select count(*) from environment_leases where status = 'active'"), 0);
}

TEST_P(Restarts, A_cancel_while_no_server_runs_still_ends_the_process) {
  const auto mark = (place_.path() / "started").string();
  const auto agent = worker("stubborn", ": > " + mark + "; sleep 60; :", R"(,"graceSec":1)");
  const auto id = start(agent.id);
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(mark); }));
  close_engine();
  reopen();
  ASSERT_TRUE(database_->write([&](store::Transaction& tx) { return domain::cancel_run(tx, domain::CompanyScope::internal(company_.id), id); }).ok());
  EXPECT_GE(processes_with(mark), 1) << "nobody was there to end it";
  open_engine();
  EXPECT_TRUE(eventually([&] { return value<std::int64_t>("select count(*) from environment_leases where status = 'active'") == 0; }));
  EXPECT_EQ(run(id).status, RunStatus::cancelled);
  EXPECT_EQ(processes_with(mark), 0);
}

TEST_P(Restarts, A_run_whose_runner_vanished_is_lost_and_tried_once_more) {
  const auto marker = place_.path() / "second";
  const auto agent = worker("unlucky", "if [ -e " + marker.string() + " ]; then echo again; else : > " + marker.string() + "; exec sleep 60; fi");
  const auto id = start(agent.id);
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(marker); }));
  close_engine();
  // The machine goes down: guardian and runner die with everything else.
  std::ifstream status(place_.path() / "runs" / id.str() / "runner.pid");
  const std::string text((std::istreambuf_iterator<char>(status)), {});
  const auto parsed = parse_json(text);
  ASSERT_TRUE(parsed.ok()) << text;
  for (const char* key : {"guardianPid"})
    if (const auto* pid = member(*parsed, key); pid != nullptr && pid->is_int64()) ::kill(static_cast<pid_t>(pid->get_int64()), SIGKILL);
  for (const char* key : {"runnerPid"})
    if (const auto* pid = member(*parsed, key); pid != nullptr && pid->is_int64()) ::kill(static_cast<pid_t>(pid->get_int64()), SIGKILL);
  reopen();
  open_engine();
  ASSERT_TRUE(reaches(id, RunStatus::failed)) << text;
  EXPECT_EQ(run(id).error_code, "process_lost");
  ASSERT_TRUE(eventually([&] { return runs("succeeded").size() == 1; }));
  EXPECT_EQ(runs("succeeded")[0].retry_of_run_id, id);
}

INSTANTIATE_TEST_SUITE_P(Database, Restarts, ::testing::Values(store::Engine::sqlite), test::engine_name);

}  // namespace
}  // namespace paperclip::heartbeat
