// Runs outlive whoever started them: killed servers, killed runners, restarts of the machine.
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "environments/run_files.h"
#include "run_fixture.h"
#include "runner/run_directory.h"

namespace paperclip::environments {
namespace {

using namespace std::chrono_literals;

class RunSurvivalTest : public RunFixture, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override { use_boundary(GetParam()); }

  pid_t start_follower(const std::vector<std::string>& argv) {
    os::SpawnRequest request;
    request.executable = program("run_follower");
    request.argv = {"run_follower", program("paperclip-runner"), root_.path() / "runs", boundary_, run_.str(),
                    root_.path() / "handled", "start", "--"};
    request.argv.insert(request.argv.end(), argv.begin(), argv.end());
    return *os::spawn(request);
  }

  struct Handled {
    std::string bytes;
    std::uint64_t next_offset = 0;
  };
  /// What the follower wrote down before it was killed; a cut last record does not count.
  Handled read_handled() const {
    Handled handled;
    const auto text = os::read_file(root_.path() / "handled");
    if (!text) return handled;
    for (std::size_t at = 0; text->size() - at >= 12;) {
      std::uint64_t next;
      std::uint32_t length;
      std::memcpy(&next, text->data() + at, sizeof next);
      std::memcpy(&length, text->data() + at + 8, sizeof length);
      if (text->size() - at - 12 < length) break;
      handled.bytes.append(*text, at + 12, length);
      handled.next_offset = next;
      at += 12 + length;
    }
    return handled;
  }
};

INSTANTIATE_TEST_SUITE_P(, RunSurvivalTest, ::testing::Values("auto", "subreaper"),
                         [](const auto& info) { return std::string(info.param); });

std::string lines(int count) {
  std::string text;
  for (int i = 1; i <= count; ++i) text += "line " + std::to_string(i) + "\n";
  return text;
}

// The server is killed while the agent talks. The agent goes on; the next server gets every byte once.
TEST_P(RunSurvivalTest, A_killed_server_loses_no_byte) {
  const pid_t server = start_follower({"sh", "-c", "for i in $(seq 400); do echo line $i; sleep 0.002; done; exit 5"});
  ASSERT_TRUE(eventually([&] { return read_handled().bytes.size() > 500; }));
  ::kill(server, SIGKILL);
  ::waitpid(server, nullptr, 0);
  const Handled handled = read_handled();
  EXPECT_LT(handled.bytes.size(), lines(400).size());

  auto recorder = std::make_shared<Recorder>();
  ASSERT_TRUE(runner_->reattach(run_, handled.next_offset, recorder));
  EXPECT_EQ(recorder->wait_exit().exit_code, 5);
  EXPECT_EQ(handled.bytes + recorder->out(), lines(400));
}

// The same, but the agent ends while no server is there.
TEST_P(RunSurvivalTest, A_run_that_ended_meanwhile_is_told) {
  const pid_t server = start_follower({"sh", "-c", "echo before; sleep 0.2; echo after; exit 6"});
  ASSERT_TRUE(eventually([&] { return read_handled().bytes == "before\n"; }));
  ::kill(server, SIGKILL);
  ::waitpid(server, nullptr, 0);
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(run_directory() / "exit.json"); }));

  auto recorder = std::make_shared<Recorder>();
  ASSERT_TRUE(runner_->reattach(run_, read_handled().next_offset, recorder));
  const ExitStatus status = recorder->wait_exit();
  EXPECT_EQ(recorder->out(), "after\n");
  EXPECT_EQ(status.exit_code, 6);
  EXPECT_EQ(status.lost_reason, "");
}

// Servers come and go many times during one run.
TEST_P(RunSurvivalTest, Many_restarts_during_one_run) {
  auto recorder = start(shell("for i in $(seq 1000); do echo line $i; done; for i in $(seq 200); do sleep 0.005; done; echo end"));
  recorder->wait_started();
  std::string all;
  std::uint64_t offset = 0;
  for (int restart = 0; restart < 20 && !recorder->exit(); ++restart) {
    restart_server();  // waits for the background thread, so `recorder` is at rest
    all += recorder->out();
    offset = std::max(offset, recorder->next_offset());
    recorder = std::make_shared<Recorder>();
    ASSERT_TRUE(runner_->reattach(run_, offset, recorder));
    EXPECT_GT(recorder->wait_started(), 1);
  }
  EXPECT_EQ(recorder->wait_exit().exit_code, 0);
  EXPECT_EQ(all + recorder->out(), lines(1000) + "end\n");
}

// The server is upgraded, or put back, while an agent talks: another version of the runner's protocol, one step away.
TEST_P(RunSurvivalTest, Neighbouring_versions_understand_each_other) {
  for (const char* runner : {"paperclip-runner-previous", "paperclip-runner-next"}) {
    run_ = Random::system().id<RunId>();
    restart_server(runner);
    const auto gate = (root_.path() / runner).string();
    auto recorder = start(shell("i=0; while [ ! -e " + gate + " ]; do i=$((i+1)); echo line $i; sleep 0.01; done; echo end; exit 7"));
    recorder->wait_output("line 5\n");
    restart_server();
    const std::string before = recorder->out();
    const auto offset = recorder->next_offset();
    recorder = std::make_shared<Recorder>();
    ASSERT_TRUE(runner_->reattach(run_, offset, recorder));
    EXPECT_GT(recorder->wait_started(), 1);
    std::ofstream(gate) << "open";
    EXPECT_EQ(recorder->wait_exit().exit_code, 7) << runner;
    const std::string all = before + recorder->out();
    const auto count = std::count(all.begin(), all.end(), '\n') - 1;
    EXPECT_EQ(all, lines(static_cast<int>(count)) + "end\n") << runner;
  }
}

// Two steps away nobody promises anything: the run is ended, and what is wrong is said.
TEST_P(RunSurvivalTest, A_version_too_far_away_is_refused_and_its_run_ended) {
  restart_server("paperclip-runner-strange");
  const auto recorder = start(shell("echo up; exec sleep 63.5"));
  const ExitStatus status = recorder->wait_exit();
  EXPECT_EQ(status.lost_reason, "unreachable") << status.lost_detail;
  EXPECT_NE(status.lost_detail.find("version"), std::string::npos) << status.lost_detail;
  EXPECT_TRUE(eventually([&] { return processes_with("sleep 63.5").empty(); }));
}

TEST_P(RunSurvivalTest, A_reattached_run_can_be_cancelled) {
  start(shell("echo up; exec sleep 60"))->wait_output("up");
  restart_server();
  auto recorder = std::make_shared<Recorder>();
  ASSERT_TRUE(runner_->reattach(run_, 0, recorder));
  runner_->cancel(run_, 10s);
  const ExitStatus status = recorder->wait_exit();
  EXPECT_TRUE(status.cancelled);
  EXPECT_EQ(status.signal, "SIGTERM");
  EXPECT_EQ(recorder->out(), "up\n");
}

// The runner is killed: its guardian ends the agent and says so. What was said before is kept.
TEST_P(RunSurvivalTest, A_killed_runner_is_reported_by_its_guardian) {
  const auto recorder = start(shell("echo up; exec sleep 61.5"));
  recorder->wait_output("up");
  const int agent = recorder->wait_started();
  kill_written("runnerPid", SIGKILL);
  const ExitStatus status = recorder->wait_exit();
  EXPECT_EQ(status.lost_reason, "runner_lost");
  EXPECT_EQ(status.lost_detail, "the runner was killed by SIGKILL");
  EXPECT_EQ(status.processes_left, 0);
  EXPECT_EQ(::kill(agent, 0), -1);
  EXPECT_EQ(recorder->out(), "up\n");
}

// The guardian is killed: the runner needs it no more to do its work.
TEST_P(RunSurvivalTest, A_killed_guardian_does_not_hurt) {
  const auto recorder = start(shell("echo up; sleep 0.3; echo end; exit 8"));
  recorder->wait_output("up");
  kill_written("guardianPid", SIGKILL);
  EXPECT_EQ(recorder->wait_exit().exit_code, 8);
  EXPECT_EQ(recorder->out(), "up\nend\n");
}

// Runner and guardian are killed: the run is lost, and what can still be named is ended.
TEST_P(RunSurvivalTest, With_runner_and_guardian_gone_the_run_is_lost) {
  const auto recorder = start(shell("echo up; exec sleep 62.5"));
  recorder->wait_output("up");
  const int agent = recorder->wait_started();
  kill_written("guardianPid", SIGKILL);
  kill_written("runnerPid", SIGKILL);
  EXPECT_EQ(recorder->wait_exit().lost_reason, "nothing_left");
  EXPECT_TRUE(eventually([&] { return ::kill(agent, 0) != 0; }));
}

// The runner is asked to go, as when the machine shuts down: it ends its agent properly and says why.
TEST_P(RunSurvivalTest, A_runner_that_is_told_to_stop_ends_its_agent) {
  RunCommand run = shell("trap 'echo asked; exit 4' TERM; echo up; while :; do sleep 0.01; done");
  const auto recorder = start(run);
  recorder->wait_output("up");
  kill_written("guardianPid", SIGTERM);
  const ExitStatus status = recorder->wait_exit();
  EXPECT_EQ(status.lost_reason, "runner_stopped");
  EXPECT_EQ(status.exit_code, 4);
  EXPECT_EQ(recorder->out(), "up\nasked\n");
}

TEST_P(RunSurvivalTest, A_run_nobody_knows_is_lost) {
  auto recorder = std::make_shared<Recorder>();
  ASSERT_TRUE(runner_->reattach(run_, 0, recorder));
  EXPECT_EQ(recorder->wait_exit().lost_reason, "nothing_left");
}

// Its files are from another boot: whatever has its pids now is a stranger.
TEST_P(RunSurvivalTest, After_a_restart_of_the_machine_the_run_is_lost) {
  std::filesystem::create_directories(run_directory());
  std::ofstream(run_directory() / "run.json") << R"({"bootId":"another"})";
  std::ofstream(run_directory() / "runner.pid") << R"({"agentPid":)" << ::getpid() << R"(,"agentGroup":)" << ::getpgrp()
                                                << R"(,"agentStart":)" << *os::process_start_time(::getpid()) << "}";
  auto recorder = std::make_shared<Recorder>();
  ASSERT_TRUE(runner_->reattach(run_, 0, recorder));
  EXPECT_EQ(recorder->wait_exit().lost_reason, "machine_restarted");
}

// Wherever the end of the log is cut or overwritten, what comes before is given out and nothing else.
TEST_P(RunSurvivalTest, A_torn_tail_of_the_log_is_recognised) {
  finish(shell("echo one; sleep 0.05; echo two; sleep 0.05; echo three"));
  const auto log = run_directory() / "output.log";
  const std::string whole = *os::read_file(log);
  const std::size_t record = runner::record_header_bytes + 4;
  const auto replay = [&] {
    auto recorder = std::make_shared<Recorder>();
    EXPECT_TRUE(runner_->reattach(run_, 0, recorder));
    EXPECT_EQ(recorder->wait_exit().exit_code, 0);
    return recorder->out();
  };
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    std::ofstream(log, std::ios::binary) << whole.substr(0, size);
    const std::string expected = size < record ? "" : size < 2 * record ? "one\n" : size < whole.size() ? "one\ntwo\n" : "one\ntwo\nthree\n";
    ASSERT_EQ(replay(), expected) << "cut at " << size;
  }
  for (std::size_t at = record; at < whole.size(); at += 3) {  // zeros, as after a power cut
    std::ofstream(log, std::ios::binary) << whole.substr(0, at) << std::string(whole.size() - at, '\0');
    ASSERT_EQ(replay(), at < 2 * record ? "one\n" : "one\ntwo\n") << "zeros from " << at;
  }
}

/// Starts a runner as a server does, says `bytes` and is gone. Returns once the runner has ended.
std::optional<ExitStatus> say_and_vanish(const std::filesystem::path& directory, const std::string& boundary,
                                         const std::string& bytes) {
  std::filesystem::create_directories(directory);
  const os::Descriptor opened = *os::open_directory(directory);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return std::nullopt;
  EXPECT_EQ(::send(ends[0], bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  ::close(ends[0]);
  os::SpawnRequest request;
  request.executable = program("paperclip-runner");
  request.argv = {"paperclip-runner", "run", "--boundary=" + boundary, directory.string()};
  request.descriptors = {{ends[1], 0}, {opened.get(), runner::inherited_directory}};
  const pid_t guardian = *os::spawn(request);
  ::close(ends[1]);
  ::waitpid(guardian, nullptr, 0);
  return read_exit(directory);
}

// The server dies before it has said what to start.
TEST_P(RunSurvivalTest, A_runner_without_command_gives_up) {
  const auto began = std::chrono::steady_clock::now();
  const auto status = say_and_vanish(run_directory(), boundary_, std::string("\x04\0\0\0\1\0\0\0", 8));
  ASSERT_TRUE(status);
  EXPECT_EQ(status->lost_reason, "no_command");
  EXPECT_LT(std::chrono::steady_clock::now() - began, 10s);
}

// The server dies right after it has said what to start: the run takes place.
TEST_P(RunSurvivalTest, A_command_counts_once_it_was_sent) {
  const std::string prompt(100'000, 'x');
  runner::StartMessage message;
  message.run_id = run_.view();
  message.argv = {"/bin/sh", "-c", "wc -c; exit 3"};
  message.cwd = "/";
  message.environment = {"PATH=/usr/bin:/bin"};
  message.stdin_text = prompt;
  std::string bytes;
  runner::append_hello(bytes);
  runner::append_message(bytes, runner::FrameType::start, runner::encode(message));
  const auto status = say_and_vanish(run_directory(), boundary_, bytes);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->exit_code, 3);
  auto recorder = std::make_shared<Recorder>();
  ASSERT_TRUE(runner_->reattach(run_, 0, recorder));
  recorder->wait_exit();
  EXPECT_EQ(recorder->out(), "100000\n");
}

}  // namespace
}  // namespace paperclip::environments
