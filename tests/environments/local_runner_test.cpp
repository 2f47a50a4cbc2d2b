#include "environments/local_runner.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "run_fixture.h"

namespace paperclip::environments {
namespace {

using namespace std::chrono_literals;

class LocalRunnerTest : public RunFixture {};

// A command's words, working directory, stdin, streams and exit code all arrive.
TEST_F(LocalRunnerTest, A_run_gets_its_words_and_gives_its_output) {
  RunCommand run = shell("cat; pwd; echo \"$0|$1\"; echo complaint >&2; exit 7");
  run.argv.insert(run.argv.end(), {"a b", "c\"d"});
  run.cwd = "/usr";
  run.stdin_text = "the prompt\n";
  const auto recorder = finish(run);
  EXPECT_EQ(recorder->out(), "the prompt\n/usr\na b|c\"d\n");
  EXPECT_EQ(recorder->err(), "complaint\n");
  const ExitStatus status = recorder->wait_exit();
  EXPECT_EQ(status.exit_code, 7);
  EXPECT_EQ(status.signal, "");
  EXPECT_EQ(status.lost_reason, "");
  EXPECT_EQ(status.processes_left, 0);
  EXPECT_EQ(status.output_bytes, recorder->next_offset());
  EXPECT_GT(status.started.ms, 0);
  EXPECT_GE(status.ended, status.started);
}

// The environment holds what was given and nothing of ours.
TEST_F(LocalRunnerTest, The_environment_is_exactly_what_was_given) {
  ::setenv("PAPERCLIP_CANARY", "must not be seen", 1);
  RunCommand run = command({"/usr/bin/env"});
  run.env = {{"PATH", "/bin"}, {"A", "1"}, {"MULTI", "two\nlines = \"x\""}};
  const auto recorder = finish(run);
  ::unsetenv("PAPERCLIP_CANARY");
  EXPECT_EQ(recorder->out(), "PATH=/bin\nA=1\nMULTI=two\nlines = \"x\"\n");
}

// The agent has its own three descriptors and none of ours or the runner's.
TEST_F(LocalRunnerTest, No_descriptor_leaks_into_the_agent) {
  const auto recorder = finish(shell("ls /proc/self/fd"));  // ls has the directory open as 3
  EXPECT_EQ(recorder->out(), "0\n1\n2\n3\n");
}

// Values of the environment and the prompt are not in any file of the run and not in anybody's argv.
TEST_F(LocalRunnerTest, Secrets_stay_off_disk_and_command_lines) {
  RunCommand run = shell("read line; echo ready; exec sleep 60");
  run.env.emplace_back("API_KEY", "s3cr3t-value");
  run.stdin_text = "s3cr3t-prompt\n";
  const auto recorder = start(run);
  recorder->wait_output("ready");
  for (const auto& entry : std::filesystem::directory_iterator(run_directory())) {
    if (!entry.is_regular_file()) continue;
    EXPECT_EQ(os::read_file(entry.path())->find("s3cr3t"), std::string::npos) << entry.path();
    EXPECT_EQ(entry.status().permissions() & std::filesystem::perms(077), std::filesystem::perms::none) << entry.path();
  }
  EXPECT_NE(os::read_file(run_directory() / "run.json")->find("\"API_KEY\""), std::string::npos);
  EXPECT_TRUE(processes_with("s3cr3t").empty());
  runner_->cancel(run_, 0ms);
  recorder->wait_exit();
}

// Without a prompt stdin is /dev/null: whoever reads it goes on at once.
TEST_F(LocalRunnerTest, Stdin_is_empty_without_a_prompt) {
  const auto recorder = finish(shell("readlink /proc/self/fd/0; cat; echo done"));
  EXPECT_EQ(recorder->out(), "/dev/null\ndone\n");
}

// A prompt that is larger than any pipe, to an agent that never reads it: EPIPE disturbs nobody.
TEST_F(LocalRunnerTest, An_agent_may_end_without_reading_its_prompt) {
  RunCommand run = shell("exit 3");
  run.stdin_text = std::string(4 * 1024 * 1024, 'x');
  EXPECT_EQ(finish(run)->wait_exit().exit_code, 3);
}

TEST_F(LocalRunnerTest, A_large_prompt_arrives_whole) {
  RunCommand run = shell("wc -c; sleep 0");
  run.stdin_text = std::string(8 * 1024 * 1024 + 3, 'x');
  EXPECT_EQ(finish(run)->out(), "8388611\n");
}

TEST_F(LocalRunnerTest, Wrong_commands_are_refused_before_anything_starts) {
  const auto message = [&](const RunCommand& run) {
    const auto started = runner_->start(run_, run, std::make_shared<Recorder>());
    return started ? std::string("started") : started.error().message;
  };
  EXPECT_EQ(message(command({"no-such-agent"})), "Command not found in PATH: \"no-such-agent\"");
  EXPECT_EQ(message(command({"./etc/passwd"})), "Command is not executable: \"./etc/passwd\" (resolved: \"/etc/passwd\")");
  RunCommand run = shell("true");
  run.cwd = "here";
  EXPECT_EQ(message(run), "Working directory must be an absolute path: \"here\"");
  run.cwd = "/no/where";
  EXPECT_EQ(message(run), "Working directory does not exist: \"/no/where\"");
  run.cwd = "/etc/passwd";
  EXPECT_EQ(message(run), "Working directory is not a directory: \"/etc/passwd\"");
  run.cwd = "/";
  run.env.emplace_back("X", std::string("a\0b", 3));
  EXPECT_NE(message(run).find("NUL"), std::string::npos);
  EXPECT_TRUE(runner_->known_runs().empty());
}

// What only shows when the kernel tries: an interpreter that is not there.
TEST_F(LocalRunnerTest, A_start_that_fails_in_the_runner_is_reported) {
  const auto script = root_.path() / "agent";
  std::ofstream(script) << "#!/no/such/interpreter\n";
  ::chmod(script.c_str(), 0755);
  const ExitStatus status = finish(command({script.string()}))->wait_exit();
  EXPECT_EQ(status.start_error, "Failed to start command \"" + script.string() +
                                    "\" in \"/\". Verify adapter command, working directory, and PATH "
                                    "(/usr/local/bin:/usr/bin:/bin).");
  EXPECT_EQ(status.exit_code, std::nullopt);
}

// As execvp does: a script that names no interpreter is the shell's.
TEST_F(LocalRunnerTest, A_script_without_interpreter_runs_in_the_shell) {
  const auto script = root_.path() / "agent";
  std::ofstream(script) << "echo script $1\n";
  ::chmod(script.c_str(), 0755);
  EXPECT_EQ(finish(command({script.string(), "x"}))->out(), "script x\n");
}

TEST_F(LocalRunnerTest, Output_may_be_any_bytes) {
  const auto recorder = finish(shell("head -c 300000 /dev/urandom | tee " + (root_.path() / "copy").string()));
  EXPECT_EQ(recorder->out().size(), 300000u);
  EXPECT_EQ(recorder->out(), *os::read_file(root_.path() / "copy"));
}

// Offsets grow without gaps: each chunk begins where the one before said it would.
TEST_F(LocalRunnerTest, Offsets_are_without_gaps) {
  const auto recorder = finish(shell("for i in $(seq 300); do echo line $i; echo error $i >&2; done"));
  std::uint64_t next = 0;
  for (const OutputChunk& chunk : recorder->chunks()) {
    EXPECT_EQ(chunk.offset, next);
    EXPECT_GT(chunk.next_offset, chunk.offset);
    next = chunk.next_offset;
  }
  EXPECT_EQ(next, std::filesystem::file_size(run_directory() / "output.log"));
}

// An agent that floods gets all of it through, and the runner stays small.
TEST_F(LocalRunnerTest, A_flood_of_output_costs_the_runner_no_memory) {
  const auto recorder = start(shell("head -c 50000000 /dev/zero; echo flooded; exec sleep 60"));
  recorder->wait_output("flooded");
  const int runner = written_pid("runnerPid");
  ASSERT_GT(runner, 1);
  const std::string status = *os::read_file("/proc/" + std::to_string(runner) + "/status");
  const int peak_kib = std::atoi(status.c_str() + status.find("VmHWM:") + 6);
  EXPECT_LT(peak_kib, 2048);
  EXPECT_EQ(recorder->out().size(), 50000008u);
  runner_->cancel(run_, 0ms);
  recorder->wait_exit();
}

// An observer that cannot keep up pauses; nothing is lost and nothing comes meanwhile.
TEST_F(LocalRunnerTest, A_paused_run_waits) {
  auto recorder = std::make_shared<Recorder>();
  recorder->after_chunk = [&] { runner_->pause(run_); };
  ASSERT_TRUE(runner_->start(run_, shell("for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 0.01; done"), recorder));
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(run_directory() / "exit.json"); }));
  EXPECT_EQ(recorder->chunks().size(), 1u);
  EXPECT_FALSE(recorder->exit());
  while (!recorder->exit()) {
    const std::size_t before = recorder->chunks().size();
    runner_->resume(run_);
    ASSERT_TRUE(eventually([&] { return recorder->chunks().size() == before + 1 || recorder->exit(); }));
  }
  EXPECT_EQ(recorder->out(), "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n");
}

// Output that nobody handles is bounded: its agent has to wait.
TEST_F(LocalRunnerTest, A_backlog_holds_the_agent_back) {
  runner_ = *LocalRunner::create(
      {.runner = program("paperclip-runner"), .root = root_.path() / "runs", .backlog_bytes = 1024 * 1024});
  auto recorder = std::make_shared<Recorder>();
  recorder->after_chunk = [&] { if (recorder->chunks().size() == 1) runner_->pause(run_); };
  ASSERT_TRUE(runner_->start(run_, shell("head -c 8000000 /dev/zero; echo done >&2"), recorder));
  recorder->wait_started();
  const auto log_size = [&] { return std::filesystem::file_size(run_directory() / "output.log"); };
  ASSERT_TRUE(eventually([&] { return log_size() >= 1024 * 1024; }));
  EXPECT_LT(log_size(), 1200u * 1024);
  EXPECT_FALSE(std::filesystem::exists(run_directory() / "exit.json"));
  runner_->resume(run_);
  EXPECT_EQ(recorder->wait_exit().exit_code, 0);
  EXPECT_EQ(recorder->out().size(), 8000000u);
}

// Agents give way to the server.
TEST_F(LocalRunnerTest, Agents_get_less_than_the_server) {
  RunCommand run = shell("cat /proc/self/oom_score_adj; nice; ionice; ulimit -c; ulimit -n; ulimit -p; ulimit -t");
  run.limits.open_files = 700;
  run.limits.processes = 5000;
  run.limits.cpu_seconds = 99;
  EXPECT_EQ(finish(run)->out(), "500\n" + std::to_string(::nice(0) + 5) + "\nbest-effort: prio 7\n0\n700\n5000\n99\n");
}

TEST_F(LocalRunnerTest, A_timeout_ends_the_run) {
  RunCommand run = shell("trap 'echo asked; exit 9' TERM; echo up; while :; do sleep 0.01; done");
  run.timeout = 200ms;
  const auto recorder = finish(run);
  const ExitStatus status = recorder->wait_exit();
  EXPECT_TRUE(status.timed_out);
  EXPECT_FALSE(status.cancelled);
  EXPECT_EQ(status.exit_code, 9);
  EXPECT_EQ(recorder->out(), "up\nasked\n");
}

TEST_F(LocalRunnerTest, Who_ignores_the_timeout_is_killed_after_the_grace) {
  RunCommand run = shell("trap '' TERM; echo up; while :; do sleep 0.01; done");
  run.timeout = 100ms;
  run.grace = 150ms;
  const ExitStatus status = finish(run)->wait_exit();
  EXPECT_TRUE(status.timed_out);
  EXPECT_EQ(status.signal, "SIGKILL");
  EXPECT_GE(status.ended - status.started, 240ms);
}

TEST_F(LocalRunnerTest, Cancel_asks_first) {
  const auto recorder = start(shell("trap 'echo asked; exit 4' TERM; echo up; while :; do sleep 0.01; done"));
  recorder->wait_output("up");
  runner_->cancel(run_, 20s);
  const ExitStatus status = recorder->wait_exit();
  EXPECT_TRUE(status.cancelled);
  EXPECT_EQ(status.exit_code, 4);
  EXPECT_EQ(recorder->out(), "up\nasked\n");
}

// Ending an agent that only lingers is no cancellation.
TEST_F(LocalRunnerTest, Finish_is_no_cancellation) {
  const auto recorder = start(shell("echo result; exec sleep 60"));
  recorder->wait_output("result");
  runner_->finish(run_, 20s);
  const ExitStatus status = recorder->wait_exit();
  EXPECT_FALSE(status.cancelled);
  EXPECT_EQ(status.signal, "SIGTERM");
}

TEST_F(LocalRunnerTest, A_directory_serves_one_run_and_can_be_forgotten) {
  const auto recorder = start(shell("echo up; exec sleep 60"));
  recorder->wait_output("up");
  EXPECT_EQ(runner_->known_runs(), std::vector<RunId>{run_});
  EXPECT_FALSE(runner_->forget(run_));
  const auto again = runner_->start(run_, shell("true"), std::make_shared<Recorder>());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::conflict);
  const auto attached = runner_->reattach(run_, 0, std::make_shared<Recorder>());
  ASSERT_FALSE(attached);
  EXPECT_EQ(attached.error().kind, ErrorKind::conflict);
  runner_->cancel(run_, 0ms);
  recorder->wait_exit();
  EXPECT_TRUE(runner_->forget(run_));
  EXPECT_TRUE(runner_->known_runs().empty());
}

// A path of any length: sockets below it are bound and reached all the same.
TEST_F(LocalRunnerTest, A_long_path_is_no_hindrance) {
  const auto root = root_.path() / std::string(120, 'd') / std::string(120, 'e');
  runner_ = *LocalRunner::create({.runner = program("paperclip-runner"), .root = root});
  const auto recorder = start(shell("echo up; exec sleep 60"));
  recorder->wait_output("up");
  runner_.reset();
  runner_ = *LocalRunner::create({.runner = program("paperclip-runner"), .root = root});
  auto second = std::make_shared<Recorder>();
  ASSERT_TRUE(runner_->reattach(run_, 0, second));
  second->wait_output("up");
  runner_->cancel(run_, 0ms);
  EXPECT_TRUE(second->wait_exit().cancelled);
}

TEST_F(LocalRunnerTest, Many_runs_at_once) {
  constexpr int runs = 50;
  std::vector<std::shared_ptr<Recorder>> recorders;
  std::vector<RunId> ids;
  for (int i = 0; i < runs; ++i) {
    ids.push_back(Random::system().id<RunId>());
    recorders.push_back(std::make_shared<Recorder>());
    ASSERT_TRUE(runner_->start(ids.back(), shell("echo " + std::to_string(i)), recorders.back()));
  }
  for (int i = 0; i < runs; ++i) {
    EXPECT_EQ(recorders[static_cast<std::size_t>(i)]->wait_exit().exit_code, 0);
    EXPECT_EQ(recorders[static_cast<std::size_t>(i)]->out(), std::to_string(i) + "\n");
  }
  for (const RunId& id : ids) EXPECT_TRUE(runner_->forget(id));
  // Guardians are children; all of them are reaped.
  EXPECT_TRUE(eventually([&] { return processes_with(root_.path().string()).empty(); }));
}

}  // namespace
}  // namespace paperclip::environments
