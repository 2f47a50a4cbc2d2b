#include "os/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "os/files.h"

namespace paperclip::os {
namespace {

using namespace std::chrono_literals;

Command shell(const std::string& script) {
  Command command;
  command.argv = {"sh", "-c", script};
  command.environment = {{"PATH", "/usr/bin:/bin"}};
  return command;
}

CommandOutput run(const Command& command) {
  auto output = run_command(command, Deadline::in(30s));
  EXPECT_TRUE(output) << output.error().message;
  return output ? *output : CommandOutput{};
}

TEST(ProcessTest, A_command_gets_its_input_and_gives_its_output) {
  Command command = shell("cat; pwd; echo complaint >&2; exit 3");
  command.stdin_text = "input\n";
  command.cwd = "/usr";
  const CommandOutput output = run(command);
  EXPECT_EQ(output.stdout_text, "input\n/usr\n");
  EXPECT_EQ(output.stderr_text, "complaint\n");
  EXPECT_EQ(output.exit_code, 3);
  EXPECT_EQ(output.signal, 0);
}

TEST(ProcessTest, Nothing_of_our_environment_or_descriptors_is_inherited) {
  ::setenv("PAPERCLIP_CANARY", "seen", 1);
  int leak[2];
  ASSERT_EQ(::pipe(leak), 0);  // without O_CLOEXEC, as a careless library would
  const CommandOutput output = run(shell("env | grep -v -e ^PWD -e ^_; ls /proc/self/fd"));
  ::close(leak[0]);
  ::close(leak[1]);
  ::unsetenv("PAPERCLIP_CANARY");
  EXPECT_EQ(output.stdout_text, "PATH=/usr/bin:/bin\n0\n1\n2\n3\n");  // 3 is the directory that ls reads
}

// A large input to a command that does not read it, and as large an output: neither blocks, neither raises SIGPIPE.
TEST(ProcessTest, Input_and_output_do_not_block_each_other) {
  Command deaf = shell("exit 0");
  deaf.stdin_text = std::string(4'000'000, 'x');
  EXPECT_EQ(run(deaf).exit_code, 0);
  Command echo = shell("cat");
  echo.stdin_text = std::string(4'000'000, 'x');
  EXPECT_EQ(run(echo).stdout_text, echo.stdin_text);
}

TEST(ProcessTest, Output_beyond_the_limit_is_cut) {
  Command command = shell("head -c 100000 /dev/zero; echo end >&2");
  command.output_limit = 1000;
  const CommandOutput output = run(command);
  EXPECT_EQ(output.stdout_text.size(), 1000u);
  EXPECT_EQ(output.stderr_text, "end\n");
  EXPECT_TRUE(output.truncated);
  EXPECT_TRUE(output.ok());
}

TEST(ProcessTest, The_end_by_a_signal_is_told) {
  const CommandOutput output = run(shell("kill -TERM $$"));
  EXPECT_EQ(output.signal, SIGTERM);
  EXPECT_EQ(output.exit_code, 128 + SIGTERM);
}

// After the deadline the command and what it started are gone.
TEST(ProcessTest, The_deadline_ends_the_whole_group) {
  const TemporaryDirectory directory = std::move(TemporaryDirectory::create()).value();
  const std::string pid_file = (directory.path() / "pid").string();
  const auto output = run_command(shell("trap '' TERM; sleep 60 & echo $! > " + pid_file + "; wait; sleep 60"), Deadline::in(300ms));
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().kind, ErrorKind::timeout);
  const pid_t child = std::stoi(*read_file(pid_file));
  const Deadline patience = Deadline::in(10s);
  const auto gone = [&] {
    const auto stat = read_file("/proc/" + std::to_string(child) + "/stat");
    return !stat || stat->find(") Z ") != std::string::npos;
  };
  while (!gone() && !patience.passed()) ::usleep(1000);
  EXPECT_TRUE(gone());
}

// A daemon that keeps the pipes does not keep us.
TEST(ProcessTest, A_daemon_that_holds_the_pipes_does_not_hold_us) {
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(run(shell("setsid sleep 20 & echo done")).stdout_text, "done\n");
  EXPECT_LT(std::chrono::steady_clock::now() - began, 10s);
}

TEST(ProcessTest, What_cannot_be_started_is_an_error) {
  const auto message = [](const Command& command) {
    const auto output = run_command(command, Deadline::in(5s));
    return output ? std::string("started") : output.error().message;
  };
  Command command = shell("true");
  command.argv = {"no-such-command"};
  EXPECT_EQ(message(command), "Command not found in PATH: \"no-such-command\"");
  command.argv = {"/etc/passwd"};
  EXPECT_EQ(message(command), "Command is not executable: \"/etc/passwd\" (resolved: \"/etc/passwd\")");
  command.cwd = "/no/where";
  EXPECT_EQ(message(command), "Working directory does not exist: \"/no/where\"");
}

TEST(ProcessTest, Commands_are_resolved_along_the_path) {
  EXPECT_EQ(*resolve_command("sh", "/", "/no/where:/bin"), "/bin/sh");
  EXPECT_EQ(*resolve_command("bin/sh", "/", ""), "/bin/sh");
  EXPECT_EQ(*resolve_command("../bin/sh", "/usr", ""), "/bin/sh");
  EXPECT_FALSE(resolve_command("", "/", "/bin"));
  EXPECT_FALSE(resolve_command("..", "/", "/bin"));  // a directory is no command
}

// A pid with its start time names one process.
TEST(ProcessTest, Start_times_tell_processes_apart) {
  const auto ours = process_start_time(::getpid());
  ASSERT_TRUE(ours);
  EXPECT_EQ(process_start_time(::getpid()), ours);
  EXPECT_FALSE(process_start_time(0x7ffffff));
  EXPECT_EQ(boot_id().size(), 36u);
}

}  // namespace
}  // namespace paperclip::os
