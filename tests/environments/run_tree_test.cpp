// Killed means gone: the whole tree of an agent, whatever it does to stay.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "run_fixture.h"

namespace paperclip::environments {
namespace {

/// How many processes a bomb keeps alive; tests/chaos/bombs.mjs asks for more.
int bomb_size() {
  const char* size = std::getenv("PAPERCLIP_BOMB_SIZE");
  return size ? std::atoi(size) : 60;
}

using namespace std::chrono_literals;

class RunTreeTest : public RunFixture, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override { use_boundary(GetParam()); }
  RunCommand bomb(int lives = bomb_size()) const {
    RunCommand run = command({program("process_bomb").string(), marker_, std::to_string(lives)});
    run.limits.nice = 0;  // it shall be hard
    return run;
  }
  bool all_gone() const { return processes_with(marker_).empty(); }
  const std::string marker_ = "bomb-" + Random::system().hex(8);
};

INSTANTIATE_TEST_SUITE_P(, RunTreeTest, ::testing::Values("pid_namespace", "subreaper"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(RunTreeTest, The_boundary_that_holds_is_reported) {
  EXPECT_EQ(finish(shell("true"))->wait_exit().boundary, GetParam());
}

TEST_P(RunTreeTest, A_cancelled_run_leaves_no_process_behind) {
  const auto recorder = start(bomb());
  recorder->wait_output("armed");
  EXPECT_GE(processes_with(marker_).size(), 30u);
  runner_->cancel(run_, 0ms);
  const ExitStatus status = recorder->wait_exit();
  EXPECT_TRUE(all_gone());
  EXPECT_EQ(status.processes_left, 0);
  EXPECT_TRUE(status.cancelled);
}

TEST_P(RunTreeTest, A_killed_runner_leaves_no_process_behind) {
  const auto recorder = start(bomb());
  recorder->wait_output("armed");
  kill_written("runnerPid", SIGKILL);
  const ExitStatus status = recorder->wait_exit();
  EXPECT_TRUE(all_gone());
  EXPECT_EQ(status.processes_left, 0);
  EXPECT_EQ(status.lost_reason, "runner_lost");
}

TEST_P(RunTreeTest, A_timed_out_run_leaves_no_process_behind) {
  RunCommand run = bomb();
  run.timeout = 300ms;
  run.grace = 50ms;
  const ExitStatus status = finish(run)->wait_exit();
  EXPECT_TRUE(all_gone());
  EXPECT_TRUE(status.timed_out);
}

// The agent ends well but left daemons: one holds its stdout, one is silent and in another session.
TEST_P(RunTreeTest, A_daemon_that_holds_the_pipe_does_not_hold_the_run) {
  RunCommand run = shell("setsid sh -c 'trap \"\" TERM; sleep 600; : " + marker_ + "' & setsid sh -c 'sleep 601; : " + marker_ +
                         "' >/dev/null 2>&1 </dev/null & echo done; exit 2");
  run.drain = 100ms;
  const auto recorder = finish(run);
  const ExitStatus status = recorder->wait_exit();
  EXPECT_EQ(status.exit_code, 2);
  EXPECT_EQ(recorder->out(), "done\n");
  EXPECT_TRUE(all_gone());
  EXPECT_LT(status.ended - status.started, 10s);
}

// A child that still writes after the agent's own end is heard while the grace lasts.
TEST_P(RunTreeTest, A_late_word_of_a_child_is_heard) {
  RunCommand run = shell("(sleep 0.1; echo late) & echo early");
  run.drain = 20s;
  EXPECT_EQ(finish(run)->out(), "early\nlate\n");
}

// On cancel a child may use the grace to clean up even if its parent is gone at once.
TEST_P(RunTreeTest, The_grace_is_for_the_whole_group) {
  const auto recorder = start(shell("sh -c 'trap \"sleep 0.2; echo saved; exit\" TERM; echo up; while :; do sleep 0.01; done' & wait"));
  recorder->wait_output("up");
  runner_->cancel(run_, 20s);
  recorder->wait_exit();
  EXPECT_EQ(recorder->out(), "up\nsaved\n");
}

// The agent stops itself; it is cancelled all the same.
TEST_P(RunTreeTest, A_stopped_agent_can_be_cancelled) {
  const auto recorder = start(shell("echo up; kill -STOP $$"));
  recorder->wait_output("up");
  runner_->cancel(run_, 20s);
  EXPECT_EQ(recorder->wait_exit().signal, "SIGTERM");
}

// The same for callers with fewer powers than we have; a follower under another user or in a container of sorts.
class OtherCallerTest : public RunFixture {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to become someone else";
    ASSERT_EQ(::chmod(root_.path().c_str(), 0755), 0);
    for (const char* name : {"runs", "output"}) {
      std::filesystem::create_directory(root_.path() / name);
      ASSERT_EQ(::chmod((root_.path() / name).c_str(), 01777), 0);
    }
    if (!call({"test", "-x", program("run_follower").string()}, as_nobody).ok())
      GTEST_SKIP() << "the build directory is closed to other users";
  }
  os::CommandOutput call(std::vector<std::string> argv, const std::vector<std::string>& through) const {
    os::Command command;
    command.argv = through;
    command.argv.insert(command.argv.end(), argv.begin(), argv.end());
    command.environment = {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}};
    const auto output = os::run_command(command, Deadline::in(120s));
    EXPECT_TRUE(output) << output.error().message;
    return output ? *output : os::CommandOutput{};
  }
  /// What the follower says of the run's end.
  std::string follow(const std::vector<std::string>& through, const std::string& boundary, const std::string& cancel_on,
                     std::vector<std::string> argv) {
    std::vector<std::string> words = {program("run_follower"), program("paperclip-runner"), root_.path() / "runs", boundary,
                                      run_.str(), root_.path() / "output" / "handled", "start", "--cancel-on", cancel_on, "--"};
    words.insert(words.end(), argv.begin(), argv.end());
    const os::CommandOutput output = call(words, through);
    return output.stdout_text + output.stderr_text;
  }
  std::vector<std::string> bomb() const { return {program("process_bomb").string(), marker_, std::to_string(bomb_size())}; }

  const std::vector<std::string> as_nobody{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"};
  const std::string marker_ = "bomb-" + Random::system().hex(8);
};

TEST_F(OtherCallerTest, An_ordinary_users_cancelled_run_leaves_no_process_behind) {
  EXPECT_EQ(follow(as_nobody, "auto", "armed", bomb()), "- SIGKILL 0 subreaper -\n");
  EXPECT_TRUE(processes_with(marker_).empty());
}

TEST_F(OtherCallerTest, An_ordinary_users_killed_runner_leaves_no_process_behind) {
  const std::string armed = program("process_bomb").string() + " " + marker_ + " 60";
  const std::string script = "runner=$PPID; " + armed + " | { read armed; kill -9 $runner; sleep 60; }";
  EXPECT_EQ(follow(as_nobody, "auto", "", {"sh", "-c", script}), "- - 0 subreaper runner_lost\n");
  EXPECT_TRUE(processes_with(marker_).empty());
}

TEST_F(OtherCallerTest, A_user_namespace_is_used_where_it_is_asked_for) {
  const std::string end = follow(as_nobody, "user_namespace", "armed", bomb());
  EXPECT_TRUE(processes_with(marker_).empty());
  if (end == "- SIGKILL 0 subreaper -\n") GTEST_SKIP() << "no user namespaces for ordinary users here";
  EXPECT_EQ(end, "- SIGKILL 0 user_namespace -\n");
}

// Root in a default container: the kernel refuses new namespaces.
TEST_F(OtherCallerTest, Root_without_the_right_falls_back_to_the_subreaper) {
  EXPECT_EQ(follow({"setpriv", "--bounding-set", "-sys_admin"}, "auto", "armed", bomb()), "- SIGKILL 0 subreaper -\n");
  EXPECT_TRUE(processes_with(marker_).empty());
}

// Root in a container that hides parts of /proc: a namespace may be made, but its /proc not be mounted.
TEST_F(OtherCallerTest, Where_proc_cannot_be_mounted_the_subreaper_holds) {
  const std::vector<std::string> masked{"unshare", "--mount", "sh", "-c",
                                        "mount -t tmpfs none /proc/irq && exec unshare -Urm \"$@\"", "sh"};
  if (!call({"true"}, masked).ok()) GTEST_SKIP() << "no user namespaces here";
  EXPECT_EQ(follow(masked, "auto", "armed", bomb()), "- SIGKILL 0 subreaper -\n");
  EXPECT_TRUE(processes_with(marker_).empty());
}

// A disk that is full holds the agent back; what it says once there is room again arrives, and nothing twice.
TEST_F(OtherCallerTest, A_full_disk_only_delays) {
  const std::string runs = (root_.path() / "runs").string();
  const std::string ballast = runs + "/ballast";
  const std::vector<std::string> small_disk{
      "unshare", "--mount", "sh", "-c",
      "mount -t tmpfs -o size=2m none " + runs + " && head -c 1500000 /dev/zero > " + ballast + " && exec \"$@\"", "sh"};
  const std::string agent = "(sleep 0.3; rm " + ballast + ")& head -c 1200000 /dev/zero; echo; echo end; exit 5";
  EXPECT_EQ(follow(small_disk, "auto", "", {"sh", "-c", agent}), "5 - 0 pid_namespace -\n");
  std::size_t heard = 0;
  const std::string handled = *os::read_file(root_.path() / "output" / "handled");
  for (std::size_t at = 0; at + 12 <= handled.size();) {
    std::uint32_t length;
    std::memcpy(&length, handled.data() + at + 8, sizeof length);
    heard += length;
    at += 12 + length;
  }
  EXPECT_EQ(heard, 1200000u + 1 + 4);
}

}  // namespace
}  // namespace paperclip::environments
