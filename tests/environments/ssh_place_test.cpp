#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ssh_fixture.h"

namespace paperclip::environments {
namespace {

class SshPlaceTest : public SshFixture {};

TEST_F(SshPlaceTest, A_run_gets_its_words_and_gives_its_output) {
  auto command = shell("echo hello $NAME; cat; echo to stderr >&2; pwd; exit 3");
  command.env = {{"NAME", "remote"}};
  command.stdin_text = "from stdin\n";
  const auto recorder = start(command);
  const auto exit = recorder->wait_exit();
  EXPECT_EQ(exit.exit_code, 3) << exit.start_error << exit.lost_detail;
  EXPECT_EQ(recorder->out(), "hello remote\nfrom stdin\n" + place().description().cwd + "\n");
  EXPECT_EQ(recorder->err(), "to stderr\n");
  EXPECT_TRUE(std::filesystem::exists(run_directory()));
  const auto forgotten = place().runner().forget(run_);
  EXPECT_TRUE(forgotten) << forgotten.error().message;
  EXPECT_FALSE(std::filesystem::exists(run_directory()));
}

TEST_F(SshPlaceTest, What_an_agent_sees_is_the_places_own_environment_and_the_runs) {
  (void)os::write_file_atomically(sshd_->home() / ".profile", "export FROM_PROFILE=yes\nexport OVERRIDDEN=profile\n");
  auto command = shell("env");
  command.env = {{"OVERRIDDEN", "run"}};
  const auto recorder = start(command);
  recorder->wait_exit();
  const std::string out = "\n" + recorder->out();
  EXPECT_NE(out.find("\nFROM_PROFILE=yes\n"), std::string::npos) << out;
  EXPECT_NE(out.find("\nOVERRIDDEN=run\n"), std::string::npos) << out;
  EXPECT_NE(out.find("\nHOME=" + sshd_->home().string() + "\n"), std::string::npos) << out;
  EXPECT_EQ(out.find("SSH_CONNECTION"), std::string::npos) << out;
}

TEST_F(SshPlaceTest, A_profile_that_breaks_the_shell_costs_only_itself) {
  (void)os::write_file_atomically(sshd_->home() / ".profile", "export BEFORE=1\nif [[ broken ( then\n");
  const auto recorder = start(shell("echo fine"));
  recorder->wait_exit();
  EXPECT_EQ(recorder->out(), "fine\n");
}

TEST_F(SshPlaceTest, A_command_that_is_not_there_says_so) {
  RunCommand command;
  command.argv = {"no-such-program"};
  command.cwd = place().description().cwd;
  const auto exit = start(command)->wait_exit();
  EXPECT_NE(exit.start_error.find("Failed to start command \"no-such-program\""), std::string::npos) << exit.start_error;
}

// The whole tree goes with a cancel: children in sessions of their own, and such as ignore SIGTERM.
TEST_F(SshPlaceTest, Cancel_ends_the_whole_tree) {
  const std::string mark = "mark-" + run_.str();
  auto command = shell("trap '' TERM; setsid sh -c 'trap \"\" TERM; while :; do sleep 1; : " + mark + "; done' & echo up; while :; do sleep 1; : " + mark + "; done");
  const auto recorder = start(command);
  recorder->wait_output("up");
  place().runner().cancel(run_, std::chrono::milliseconds(50));
  const auto exit = recorder->wait_exit();
  EXPECT_TRUE(exit.cancelled);
  EXPECT_EQ(exit.processes_left, 0);
  EXPECT_TRUE(eventually([&] { return processes_with(mark).empty(); }));
}

TEST_F(SshPlaceTest, The_runner_is_uploaded_once) {
  place();
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(sshd_->home() / ".paperclip/runner")) found.push_back(entry.path());
  ASSERT_EQ(found.size(), 1u);
  const auto before = std::filesystem::last_write_time(found.front());
  struct stat first {};
  ::stat(found.front().c_str(), &first);
  place_.reset();
  place();
  struct stat second {};
  ::stat(found.front().c_str(), &second);
  EXPECT_EQ(first.st_ino, second.st_ino);
  EXPECT_EQ(std::filesystem::last_write_time(found.front()), before);
  // A damaged one is replaced.
  std::filesystem::resize_file(found.front(), 1000);
  place_.reset();
  place();
  EXPECT_GT(std::filesystem::file_size(found.front()), 1000u);
  const auto recorder = start(shell("echo works"));
  recorder->wait_exit();
  EXPECT_EQ(recorder->out(), "works\n");
}

TEST_F(SshPlaceTest, Commands_and_streams) {
  PlaceCommand command;
  command.argv = {"sh", "-c", "cat; echo $SECRET; echo oops >&2; exit 7"};
  command.stdin_text = "in\n";
  command.environment = {{"SECRET", "s3cret"}};
  const auto output = place().run_command(command, soon());
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(output->exit_code, 7);
  EXPECT_EQ(output->stdout_text, "in\ns3cret\n");
  EXPECT_EQ(output->stderr_text, "oops\n");

  command.argv = {"sh", "-c", "wc -c; exit 4"};
  command.stdin_text.clear();
  auto stream = place().open_stream(command, soon());
  ASSERT_TRUE(stream) << stream.error().message;
  const std::string block(1024 * 1024, 'x');
  for (int i = 0; i < 8; ++i)
    for (std::size_t done = 0; done < block.size();) {
      const ssize_t sent = ::write((*stream)->socket(), block.data() + done, block.size() - done);
      ASSERT_GT(sent, 0);
      done += static_cast<std::size_t>(sent);
    }
  ::shutdown((*stream)->socket(), SHUT_WR);
  std::string said;
  char buffer[256];
  for (ssize_t got; (got = ::read((*stream)->socket(), buffer, sizeof buffer)) > 0;) said.append(buffer, static_cast<std::size_t>(got));
  EXPECT_EQ(said, "8388608\n");
  const auto end = (*stream)->finish(soon());
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(end->exit_code, 4);
}

TEST_F(SshPlaceTest, A_dropped_stream_ends_its_command) {
  const std::string mark = "mark-" + run_.str();
  PlaceCommand command;
  command.argv = {"sh", "-c", "setsid sh -c 'while :; do sleep 1; : " + mark + "; done' & while :; do sleep 1; : " + mark + "; done"};
  auto stream = place().open_stream(command, soon());
  ASSERT_TRUE(stream) << stream.error().message;
  ASSERT_TRUE(eventually([&] { return processes_with(mark).size() >= 2; }));
  stream->reset();
  EXPECT_TRUE(eventually([&] { return processes_with(mark).empty(); }));
}

TEST_F(SshPlaceTest, A_file_is_written_whole) {
  const auto path = sshd_->directory() / "some dir" / "it's $HOME";
  const std::string bytes = std::string("a\0b\n", 4) + std::string(300'000, 'z');
  const auto written = place().write_file(path.string(), bytes, 0640, soon());
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(os::read_file(path).value(), bytes);
  struct stat there {};
  ::stat(path.c_str(), &there);
  EXPECT_EQ(there.st_mode & 0777, 0640u);
}

TEST_F(SshPlaceTest, A_wrong_host_key_is_refused) {
  auto wrong = request();
  const Sshd other;
  std::string line = other.host_key();
  wrong.config["knownHosts"] = "[127.0.0.1]:" + std::to_string(sshd_->port()) + line.substr(line.find(' '));
  const auto acquired = driver_->acquire(wrong, soon());
  ASSERT_FALSE(acquired);
  EXPECT_NE(acquired.error().message.find("Host key verification failed"), std::string::npos) << acquired.error().message;
  const auto probe = driver_->probe(wrong, soon()).value();
  EXPECT_FALSE(probe.ok);
  EXPECT_EQ(probe.summary, "SSH probe failed for " + sshd_->user() + "@127.0.0.1.");
}

TEST_F(SshPlaceTest, Options_in_disguise_are_refused) {
  auto bad = request();
  bad.config["host"] = "-oProxyCommand=touch /tmp/owned";
  EXPECT_EQ(driver_->acquire(bad, soon()).error().kind, ErrorKind::unprocessable);
  bad = request();
  bad.config["username"] = "-l";
  EXPECT_EQ(driver_->acquire(bad, soon()).error().kind, ErrorKind::unprocessable);
}

TEST_F(SshPlaceTest, A_probe_says_where_it_got) {
  const auto probe = driver_->probe(request(), soon()).value();
  EXPECT_TRUE(probe.ok) << probe.summary;
  EXPECT_EQ(text_at(json::value(probe.details), "remoteCwd"), sshd_->workspace().string());
}

TEST_F(SshPlaceTest, Each_workspace_has_a_directory_of_its_own) {
  auto one = request();
  one.workspace_key = "ws-1";
  const auto acquired = driver_->acquire(one, soon()).value();
  EXPECT_EQ(acquired.place->description().cwd, (sshd_->workspace() / "ws-1").string());
  auto in_place = one;
  in_place.config["inPlace"] = true;
  EXPECT_EQ(driver_->acquire(in_place, soon()).value().place->description().cwd, sshd_->workspace().string());
}

// Values of the environment and of stdin are in no argv, here or there, and the key is in no file once the connection is up.
TEST_F(SshPlaceTest, Secrets_are_in_no_argv_and_no_file) {
  auto command = shell("echo up; sleep 60");
  command.env = {{"TOKEN", "canary-7d1f"}};
  command.stdin_text = "canary-9a2c";
  const auto recorder = start(command);
  recorder->wait_output("up");
  EXPECT_TRUE(processes_with("canary-").empty());
  EXPECT_TRUE(processes_with("PRIVATE KEY").empty());
  for (const auto& root : {std::filesystem::path("/tmp/paperclip-ssh-" + std::to_string(::geteuid())), run_directory()})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
      if (!entry.is_regular_file()) continue;
      const std::string text = os::read_file(entry.path()).value();
      EXPECT_EQ(text.find("canary-"), std::string::npos) << entry.path();
      EXPECT_EQ(text.find("PRIVATE KEY"), std::string::npos) << entry.path();
    }
  place().runner().cancel(run_, std::chrono::milliseconds(0));
  recorder->wait_exit();
}

TEST_F(SshPlaceTest, Releasing_ends_the_client) {
  place();
  ASSERT_FALSE(clients().empty());
  EXPECT_TRUE(place().release(ReleaseOutcome::succeeded, soon()));
  EXPECT_TRUE(place().release(ReleaseOutcome::succeeded, soon()));
  EXPECT_TRUE(eventually([&] { return processes_with("ControlPath=").empty() || clients().empty(); }));
}

}  // namespace
}  // namespace paperclip::environments
