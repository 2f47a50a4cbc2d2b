#include <signal.h>
#include <unistd.h>

#include "ssh_fixture.h"

namespace paperclip::environments {
namespace {

class SshSurvivalTest : public SshFixture {
 protected:
  /// Counts slowly enough to be interrupted, and in such a way that a lost or doubled byte shows.
  RunCommand counting() { return shell("echo up; for i in $(seq 1 120); do echo $i; sleep 0.005; done; echo end"); }
  static std::string counted() {
    std::string text = "up\n";
    for (int i = 1; i <= 120; ++i) text += std::to_string(i) + "\n";
    return text + "end\n";
  }
};

TEST_F(SshSurvivalTest, A_killed_ssh_client_costs_nothing) {
  const auto recorder = start(counting());
  for (const char* mark : {"\n10\n", "\n40\n", "\n70\n"}) {
    recorder->wait_output(mark);
    for (const int pid : clients()) ::kill(pid, SIGKILL);
  }
  EXPECT_EQ(recorder->wait_exit().exit_code, 0);
  EXPECT_EQ(recorder->out(), counted());
}

TEST_F(SshSurvivalTest, A_killed_session_costs_nothing) {
  const auto recorder = start(counting());
  recorder->wait_output("\n10\n");
  for (const pid_t pid : sshd_->sessions()) kill_tree(pid, SIGKILL);
  EXPECT_EQ(recorder->wait_exit().exit_code, 0);
  EXPECT_EQ(recorder->out(), counted());
}

// Also the words of an agent that ended while nobody could be reached.
TEST_F(SshSurvivalTest, A_killed_and_restarted_sshd_costs_nothing) {
  const auto recorder = start(counting());
  recorder->wait_output("\n10\n");
  sshd_->kill(true);
  EXPECT_TRUE(eventually([&] { return std::filesystem::exists(run_directory() / "exit.json"); }, std::chrono::seconds(60)));
  EXPECT_FALSE(recorder->exit());
  sshd_->start();
  const auto exit = recorder->wait_exit();
  EXPECT_EQ(exit.exit_code, 0);
  EXPECT_EQ(recorder->out(), counted());
}

TEST_F(SshSurvivalTest, A_cancel_while_nobody_can_be_reached_is_said_again) {
  const auto recorder = start(shell("echo up; sleep 600"));
  recorder->wait_output("up");
  sshd_->kill(true);
  EXPECT_TRUE(eventually([&] { return clients().empty(); }));
  place().runner().cancel(run_, std::chrono::milliseconds(10));
  sshd_->start();
  const auto exit = recorder->wait_exit();
  EXPECT_TRUE(exit.cancelled);
}

TEST_F(SshSurvivalTest, A_killed_runner_is_reported_and_leaves_nobody) {
  const std::string mark = "mark-" + run_.str();
  const auto recorder = start(shell("setsid sh -c 'while :; do sleep 1; : " + mark + "; done' & echo up; while :; do sleep 1; : " + mark + "; done"));
  recorder->wait_output("up");
  const auto pids = parse_json(os::read_file(run_directory() / "runner.pid").value()).value();
  ASSERT_EQ(::kill(member(pids, "runnerPid")->to_number<int>(), SIGKILL), 0);
  const auto exit = recorder->wait_exit();
  EXPECT_EQ(exit.lost_reason, "runner_lost");
  EXPECT_EQ(recorder->out(), "up\n");
  EXPECT_TRUE(eventually([&] { return processes_with(mark).empty(); }));
}

TEST_F(SshSurvivalTest, With_guardian_and_runner_killed_the_agent_goes_too) {
  const std::string mark = "mark-" + run_.str();
  const auto recorder = start(shell("echo up; while :; do sleep 1; : " + mark + "; done"));
  recorder->wait_output("up");
  const auto pids = parse_json(os::read_file(run_directory() / "runner.pid").value()).value();
  ::kill(member(pids, "guardianPid")->to_number<int>(), SIGKILL);
  ::kill(member(pids, "runnerPid")->to_number<int>(), SIGKILL);
  const auto exit = recorder->wait_exit();
  EXPECT_FALSE(exit.lost_reason.empty());
  EXPECT_EQ(recorder->out(), "up\n");
  EXPECT_TRUE(eventually([&] { return processes_with(mark).empty(); }));
}

TEST_F(SshSurvivalTest, A_restarted_server_goes_on_where_it_was) {
  const auto first = start(counting());
  first->wait_output("\n10\n");
  place_.reset();
  restart_server();
  const std::uint64_t offset = first->next_offset();
  const std::string before = first->out();
  resume_place();
  const auto second = std::make_shared<Recorder>();
  ASSERT_TRUE(place().runner().reattach(run_, offset, second));
  EXPECT_EQ(second->wait_exit().exit_code, 0);
  EXPECT_EQ(before + second->out(), counted());
}

TEST_F(SshSurvivalTest, A_run_that_ended_meanwhile_is_read_to_its_end) {
  const auto first = start(shell("echo before; sleep 0.2; echo after; exit 5"));
  first->wait_output("before");
  place_.reset();
  restart_server();
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(run_directory() / "exit.json"); }));
  resume_place();
  const auto second = std::make_shared<Recorder>();
  ASSERT_TRUE(place().runner().reattach(run_, 0, second));
  EXPECT_EQ(second->wait_exit().exit_code, 5);
  EXPECT_EQ(second->out(), "before\nafter\n");
  EXPECT_TRUE(place().runner().forget(run_));
}

TEST_F(SshSurvivalTest, A_run_of_which_nothing_is_left_is_lost) {
  place();
  const auto recorder = std::make_shared<Recorder>();
  ASSERT_TRUE(place().runner().reattach(run_, 0, recorder));
  EXPECT_EQ(recorder->wait_exit().lost_reason, "nothing_left");
}

TEST_F(SshSurvivalTest, A_host_that_stays_away_is_given_up) {
  restart_server(std::chrono::milliseconds(300));
  const auto recorder = start(shell("echo up; sleep 2"));
  recorder->wait_output("up");
  sshd_->kill(true);
  const auto exit = recorder->wait_exit();
  EXPECT_EQ(exit.lost_reason, "unreachable");
  EXPECT_NE(exit.lost_detail.find("no connection"), std::string::npos) << exit.lost_detail;
}

// A server that was killed leaves its key file, if at all, to the next one.
TEST_F(SshSurvivalTest, What_a_killed_server_left_is_removed) {
  const std::filesystem::path left = "/tmp/paperclip-ssh-" + std::to_string(::geteuid()) + "/0dead000";
  place();
  std::filesystem::create_directory(left);
  (void)os::write_file_atomically(left / "identity", "PRIVATE KEY");
  place_.reset();
  restart_server();
  EXPECT_FALSE(std::filesystem::exists(left));
}

}  // namespace
}  // namespace paperclip::environments
