#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "environments/place_files.h"
#include "environments/sandbox/driver.h"
#include "environments/workspace_sync.h"
#include "folder_provider.h"
#include "run_fixture.h"

namespace paperclip::environments {
namespace {

enum class Kind { streaming, one_shot, shell };

/// Each scenario is played over a provider that streams, over one with one-shot commands only, and over one on a machine for
/// which there is no runner.
class SandboxPlaceTest : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    provider_ = std::make_shared<FolderProvider>(root_.path());
    if (GetParam() == Kind::streaming) provider_->can = {true, true, true, true, false};
    if (GetParam() == Kind::shell) provider_->furnish = [](const auto& home) { make_strange_machine(home); };
    registry_ = std::make_unique<OneProvider>(provider_);
    restart_server();
  }
  void TearDown() override {
    place_.reset();
    driver_.reset();
  }
  static Deadline soon() { return Deadline::in(std::chrono::seconds(120)); }
  void restart_server() {
    place_.reset();
    driver_.reset();
    driver_ = sandbox::SandboxDriver::create({.providers = *registry_, .runner = program("paperclip-runner")}).value();
  }
  PlaceRequest request() const {
    PlaceRequest request;
    request.config = {{"provider", "folder"}};
    request.run_id = run_;
    return request;
  }
  Place& place() {
    if (!place_) {
      auto acquired = driver_->acquire(request(), soon());
      if (!acquired) throw std::runtime_error(acquired.error().message);
      lease_.provider_lease_id = acquired->provider_lease_id;
      lease_.metadata = RawJson(json::value(acquired->metadata));
      place_ = std::move(acquired->place);
    }
    return *place_;
  }
  RunCommand shell(const std::string& script) {
    RunCommand command;
    command.argv = {"sh", "-c", script};
    command.cwd = place().description().cwd;
    return command;
  }
  std::shared_ptr<Recorder> start(const RunCommand& command) {
    auto recorder = std::make_shared<Recorder>();
    const auto started = place().runner().start(run_, command, recorder);
    EXPECT_TRUE(started) << started.error().message;
    return recorder;
  }

  os::TemporaryDirectory root_ = std::move(os::TemporaryDirectory::create("folders-")).value();
  std::shared_ptr<FolderProvider> provider_;
  std::unique_ptr<OneProvider> registry_;
  std::unique_ptr<sandbox::SandboxDriver> driver_;
  std::unique_ptr<Place> place_;
  domain::EnvironmentLease lease_;
  RunId run_ = Random::system().id<RunId>();
};

TEST_P(SandboxPlaceTest, A_run_gets_its_words_and_gives_its_output) {
  auto command = shell("echo hello $NAME; cat; echo to stderr >&2; exit 3");
  command.env = {{"NAME", "sandbox"}};
  command.stdin_text = "from stdin\n";
  const auto recorder = start(command);
  const auto exit = recorder->wait_exit();
  EXPECT_EQ(exit.exit_code, 3) << exit.start_error << exit.lost_detail;
  EXPECT_EQ(recorder->out(), "hello sandbox\nfrom stdin\n");
  EXPECT_EQ(recorder->err(), "to stderr\n");
  const auto forgotten = place().runner().forget(run_);
  EXPECT_TRUE(forgotten) << forgotten.error().message;
}

TEST_P(SandboxPlaceTest, Output_comes_while_the_run_goes_on) {
  const auto fifo = root_.path() / "go-on";
  const auto recorder = start(shell("echo first; while [ ! -e '" + fifo.string() + "' ]; do sleep 0.05; done; echo second"));
  recorder->wait_output("first\n");
  EXPECT_FALSE(recorder->exit());
  (void)os::write_file_atomically(fifo, "");
  EXPECT_EQ(recorder->wait_exit().exit_code, 0);
  EXPECT_EQ(recorder->out(), "first\nsecond\n");
}

TEST_P(SandboxPlaceTest, Much_output_arrives_whole) {
  const auto recorder = start(shell("seq 1 200000"));
  EXPECT_EQ(recorder->wait_exit().exit_code, 0);
  std::string wanted;
  for (int i = 1; i <= 200000; ++i) wanted += std::to_string(i) + "\n";
  EXPECT_TRUE(recorder->out() == wanted);
}

TEST_P(SandboxPlaceTest, Cancel_ends_the_whole_tree) {
  const std::string mark = "mark-" + run_.str();
  const auto recorder = start(shell("setsid sh -c 'while :; do sleep 1; : " + mark + "; done' & echo up; while :; do sleep 1; : " + mark + "; done"));
  recorder->wait_output("up");
  place().runner().cancel(run_, std::chrono::milliseconds(50));
  EXPECT_TRUE(recorder->wait_exit().cancelled);
  EXPECT_TRUE(eventually([&] { return processes_with(mark).empty(); }));
}

TEST_P(SandboxPlaceTest, A_restarted_server_goes_on) {
  const auto first = start(shell("for i in $(seq 1 60); do echo $i; sleep 0.02; done"));
  first->wait_output("\n5\n");
  restart_server();
  const std::uint64_t offset = first->next_offset();
  const std::string before = first->out();
  auto resumed = driver_->resume(request(), lease_, soon());
  ASSERT_TRUE(resumed) << resumed.error().message;
  place_ = std::move(resumed->place);
  const auto second = std::make_shared<Recorder>();
  ASSERT_TRUE(place().runner().reattach(run_, offset, second));
  EXPECT_EQ(second->wait_exit().exit_code, 0);
  std::string wanted;
  for (int i = 1; i <= 60; ++i) wanted += std::to_string(i) + "\n";
  EXPECT_EQ(before + second->out(), wanted);
}

TEST_P(SandboxPlaceTest, A_worker_that_was_away_costs_nothing) {
  const auto recorder = start(shell("for i in $(seq 1 60); do echo $i; sleep 0.02; done"));
  recorder->wait_output("\n5\n");
  provider_->up = false;
  // Its commands went with it; what they held open did too.
  for (const char* verb : {"start", "attach", "exchange"})
    for (const int pid : processes_with(std::string(verb) + '\0'))
      if (!processes_with(run_.str()).empty()) {
        const auto line = os::read_file("/proc/" + std::to_string(pid) + "/cmdline");
        if (line && line->find(run_.str()) != std::string::npos && line->find("runner/") != std::string::npos) ::kill(pid, SIGKILL);
      }
  provider_->up = true;
  EXPECT_EQ(recorder->wait_exit().exit_code, 0);
  std::string wanted;
  for (int i = 1; i <= 60; ++i) wanted += std::to_string(i) + "\n";
  EXPECT_EQ(recorder->out(), wanted);
}

TEST_P(SandboxPlaceTest, Commands_files_and_directories) {
  PlaceCommand command;
  command.argv = {"sh", "-c", "cat; echo $SECRET; exit 7"};
  command.stdin_text = "in\n";
  command.environment = {{"SECRET", "s3cret"}};
  const auto output = place().run_command(command, soon());
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(output->exit_code, 7);
  EXPECT_EQ(output->stdout_text, "in\ns3cret\n");

  const auto from = root_.path() / "from";
  (void)os::make_directories(from / "deep");
  (void)os::write_file_atomically(from / "deep" / "file", std::string("\0bytes\xff", 7));
  std::filesystem::create_symlink(from / "deep" / "file", from / "link");
  const std::string to = place().description().cwd + "/assets/$HOME it's";
  const auto brought = upload_directory(place(), from, to, UploadMode::replace, {}, soon());
  ASSERT_TRUE(brought) << brought.error().message;
  EXPECT_EQ(os::read_file(to + "/link").value(), std::string("\0bytes\xff", 7));
  EXPECT_FALSE(std::filesystem::is_symlink(to + "/link"));
}

// Whatever the way of its bytes, and without much of it at once.
TEST_P(SandboxPlaceTest, A_workspace_goes_and_comes_whole) {
  if (GetParam() == Kind::shell) GTEST_SKIP() << "needs our runner";
  const auto here = root_.path() / "here";
  (void)os::make_directories(here / "deep");
  std::string large(3 * 1024 * 1024, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 2654435761u >> 13);
  (void)os::write_file_atomically(here / "deep" / "large", large);
  (void)os::write_file_atomically(here / "small", std::string("\0bytes\xff", 7));
  SyncOptions options;
  options.local = here;
  options.remote = place().description().cwd;
  options.runner = place().description().runner;
  options.window = place().description().transfer_window;
  options.key = "run-1";
  options.state = root_.path() / "state";
  const auto peer = peer_of(place());
  WorkspaceSync sync(*peer, options);
  const auto sent = sync.upload(soon());
  ASSERT_TRUE(sent) << sent.error().message;
  const std::filesystem::path there = options.remote;
  EXPECT_EQ(os::read_file(there / "deep" / "large").value(), large);
  EXPECT_EQ(os::read_file(there / "small").value(), std::string("\0bytes\xff", 7));

  std::reverse(large.begin(), large.end());
  (void)os::write_file_atomically(there / "made", large);
  std::filesystem::remove(there / "small");
  const auto back = sync.bring_back(soon());
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(os::read_file(here / "made").value(), large);
  EXPECT_FALSE(std::filesystem::exists(here / "small"));
}

// What a tool there complains of is what we hear, and a stream that is given up leaves no command behind.
TEST_P(SandboxPlaceTest, An_open_command_can_fail_and_be_given_up) {
  if (GetParam() == Kind::shell) GTEST_SKIP() << "needs our runner";
  PlaceCommand fails;
  fails.argv = {"sh", "-c", "read line; echo \"$line $WORD\"; echo broken >&2; exit 9"};
  fails.environment = {{"WORD", "w"}};
  fails.cwd = "/";
  auto stream = place().open_stream(fails, soon());
  ASSERT_TRUE(stream) << stream.error().message;
  ASSERT_EQ(::write((*stream)->socket(), "hello\n", 6), 6);
  std::string said;
  char buffer[64];
  for (ssize_t got; (got = ::read((*stream)->socket(), buffer, sizeof buffer)) > 0;) said.append(buffer, static_cast<std::size_t>(got));
  EXPECT_EQ(said, "hello w\n");
  const auto end = (*stream)->finish(soon());
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(end->exit_code, 9);
  EXPECT_EQ(end->stderr_text, "broken\n");

  const auto mark = root_.path() / "pid";
  PlaceCommand waits;
  waits.argv = {"sh", "-c", "echo $$ > \"$0.new\" && mv \"$0.new\" \"$0\"; while read line; do :; done", mark.string()};
  waits.cwd = "/";
  auto dropped = place().open_stream(waits, soon());
  ASSERT_TRUE(dropped) << dropped.error().message;
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(mark); }));
  const pid_t pid = std::stoi(os::read_file(mark).value());
  EXPECT_EQ(::kill(pid, 0), 0);
  dropped->reset();
  EXPECT_TRUE(eventually([&] { return ::kill(pid, 0) != 0; }));
}

TEST_P(SandboxPlaceTest, Without_a_runner_a_run_is_one_command) {
  // Our own directory cannot be made: there is a file of its name.
  (void)os::make_directories(root_.path() / run_.str() / "work");
  (void)os::write_file_atomically(root_.path() / run_.str() / "work/.paperclip-runtime", "in the way");
  const auto recorder = start(shell("echo plain; exit 2"));
  const auto exit = recorder->wait_exit();
  EXPECT_EQ(exit.exit_code, 2) << exit.start_error << exit.lost_detail;
  EXPECT_EQ(recorder->out(), "plain\n");
  EXPECT_EQ(exit.boundary, "provider");
}

TEST_P(SandboxPlaceTest, Releasing_gives_the_sandbox_back_once) {
  place();
  EXPECT_EQ(provider_->live_leases, 1);
  EXPECT_TRUE(place().release(ReleaseOutcome::succeeded, soon()));
  EXPECT_TRUE(place().release(ReleaseOutcome::succeeded, soon()));
  EXPECT_EQ(provider_->live_leases, 0);
  EXPECT_EQ(driver_->resume(request(), lease_, soon()).error().kind, ErrorKind::gone);
}

INSTANTIATE_TEST_SUITE_P(Providers, SandboxPlaceTest, ::testing::Values(Kind::streaming, Kind::one_shot, Kind::shell), [](const auto& info) {
  return info.param == Kind::streaming ? "streaming" : info.param == Kind::one_shot ? "one_shot" : "shell";
});

}  // namespace
}  // namespace paperclip::environments
