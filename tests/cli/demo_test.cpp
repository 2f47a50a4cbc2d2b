#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <filesystem>

#include "cli/demo/primes.h"
#include "os/child_environment.h"
#include "os/process.h"
#include "terminal.h"

namespace paperclip::cli {
namespace {

using namespace std::chrono_literals;

std::string program() { return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "paperclip"; }

TEST(Primes, Two_ways_of_counting_agree_with_each_other_and_with_the_tables) {
  for (const auto& [below, count] :
       {std::pair{10u, 4u}, {100u, 25u}, {1000u, 168u}, {10'000u, 1229u}, {1'000'000u, 78'498u}}) {
    EXPECT_EQ(demo::primes_below(below).size(), count);
    EXPECT_EQ(demo::count_primes_below(below), count);
  }
  for (std::uint32_t below = 0; below < 400; ++below)
    EXPECT_EQ(demo::primes_below(below).size(), demo::count_primes_below(below)) << below;
  for (std::uint32_t below : {65'537u, 65'538u, 65'539u, 65'540u, 131'075u, 196'613u})
    EXPECT_EQ(demo::primes_below(below).size(), demo::count_primes_below(below)) << below;
  const auto primes = demo::primes_below(1'000'000);
  EXPECT_EQ(demo::widest_gap(primes).from, 492'113u);
  EXPECT_EQ(demo::widest_gap(primes).to, 492'227u);
  EXPECT_EQ(demo::twin_primes(primes).pairs, 8169u);
  EXPECT_EQ(demo::grouped(1234567), "1,234,567");
  EXPECT_EQ(demo::grouped(123), "123");
}

os::Environment environment_in(const std::filesystem::path& temporary) {
  auto environment = os::ChildEnvironment::from_host(os::own_environment());
  environment.set("TMPDIR", temporary.string()).set("HOME", temporary.string());
  return std::move(environment).variables();
}

std::string left_in(const std::filesystem::path& directory) {
  std::string names;
  const auto list = os::list_directory(directory);
  for (const auto& name : *list) names += name + "\n";
  return names;
}

class Child {
 public:
  Child(std::vector<std::string> argv, const std::filesystem::path& temporary) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    os::Descriptor write(ends[1]);
    read_ = os::Descriptor(ends[0]);
    auto pid = os::spawn({.executable = program(),
                          .argv = std::move(argv),
                          .environment = environment_in(temporary),
                          .descriptors = {{write.get(), 1}}});
    if (!pid) throw std::runtime_error(pid.error().message);
    pid_ = *pid;
  }
  ~Child() {
    if (pid_ > 0) ::kill(pid_, SIGKILL), ::waitpid(pid_, nullptr, 0);
  }
  std::string line() {
    std::string out;
    char c = 0;
    while (::read(read_.get(), &c, 1) == 1 && c != '\n') out += c;
    ended_ = c != '\n';
    return out;
  }
  bool ended() const { return ended_; }
  int stop(int signal) {
    int status = -1;
    ::kill(pid_, signal);
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = 0;
  os::Descriptor read_;
  bool ended_ = false;
};

// The whole product at once: server, engine, runner, adapters, API, with agents that are only clients.
TEST(Demo, A_company_of_process_agents_works_its_tickets_to_the_end_and_leaves_nothing_behind) {
  const auto temporary = *os::TemporaryDirectory::create("paperclip-demo-test-");
  const auto said = os::run_command({.argv = {program(), "demo", "--json", "--pace-ms", "0", "--below", "1000000"},
                                     .environment = environment_in(temporary.path())},
                                    Deadline::in(120s));
  ASSERT_TRUE(said.ok()) << said.error().message;
  ASSERT_EQ(said->exit_code, 0) << said->stdout_text << said->stderr_text;
  const json::value summary = *parse_json(said->stdout_text);
  EXPECT_EQ(summary.at("ok"), true);
  EXPECT_EQ(summary.at("issuesTotal"), 5);
  EXPECT_EQ(summary.at("issuesDone"), 5);
  EXPECT_EQ(summary.at("runsTotal"), summary.at("runsSucceeded"));
  EXPECT_GE(summary.at("runsTotal").as_int64(), 6) << "the lead twice, each part once";
  // Three studies at 1,000,000 numbers, the page, the lead's recount of 500,000.
  EXPECT_EQ(summary.at("costCents"), 2 + 2 + 2 + 1 + 1);
  const auto almanac = string_at(summary, "almanac").value_or("");
  for (const char* fact : {"78,498", "492,113 and 492,227", "8,169 pairs"})
    EXPECT_NE(almanac.find(fact), std::string::npos) << fact << "\n" << almanac;
  EXPECT_NE(said->stderr_text.find("agreed: 78,498 primes"), std::string::npos) << said->stderr_text;
  EXPECT_EQ(left_in(temporary.path()), "");
}

TEST(Demo, An_agent_program_without_a_run_says_who_starts_it) {
  Terminal terminal;
  const Ran ran = terminal.run({"demo-agent", "worker"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_NE(ran.err.find("PAPERCLIP_API_URL is not set"), std::string::npos) << ran.err;
}

// Processes whose environment has `text`, this one aside.
std::string processes_with(const std::string& text) {
  std::string found;
  const auto names = os::list_directory("/proc");
  for (const auto& name : *names) {
    if (name.find_first_not_of("0123456789") != std::string::npos || name == std::to_string(::getpid())) continue;
    const auto environment = os::read_file("/proc/" + name + "/environ");
    const auto command = os::read_file("/proc/" + name + "/cmdline");
    if (environment && command && environment->find(text) != std::string::npos) found += name + " " + *command + "\n";
  }
  return found;
}

TEST(Demo, An_interrupt_stops_the_agents_the_server_and_removes_the_home) {
  const auto temporary = *os::TemporaryDirectory::create("paperclip-demo-test-");
  Child child({"paperclip", "demo", "--pace-ms", "10000"}, temporary.path());
  while (child.line().find("(issue_assigned)") == std::string::npos)
    ASSERT_FALSE(child.ended());  // until the lead is at work
  EXPECT_EQ(child.stop(SIGINT), 1);
  EXPECT_EQ(left_in(temporary.path()), "");
  EXPECT_EQ(processes_with(temporary.path().string()), "");
}

TEST(Demo, Keep_leaves_the_company_to_look_at_until_it_is_stopped) {
  const auto temporary = *os::TemporaryDirectory::create("paperclip-demo-test-");
  Child child({"paperclip", "demo", "--keep", "--pace-ms", "0", "--below", "1000"}, temporary.path());
  std::string url;
  while (url.empty()) {
    const std::string line = child.line();
    ASSERT_FALSE(child.ended());
    if (const auto at = line.find("Still running: "); at != std::string::npos) url = line.substr(at + 15);
  }
  EXPECT_TRUE(url.ends_with("/PRI/issues/PRI-1")) << url;
  Terminal terminal;
  terminal.variables["PAPERCLIP_API_URL"] = url.substr(0, url.find("/PRI"));
  EXPECT_EQ(string_at(terminal.run({"issue", "get", "PRI-1", "--json"}).json(), "status"), "done");
  EXPECT_EQ(child.stop(SIGINT), 0);
  EXPECT_EQ(left_in(temporary.path()), "");
}

TEST(Serve, Says_where_it_listens_answers_and_ends_cleanly_on_a_signal) {
  const auto temporary = *os::TemporaryDirectory::create("paperclip-serve-test-");
  for (const char* command : {"serve", "run"}) {
    Child child({"paperclip", command, "--port", "0", "--home", (temporary.path() / "home").string(), "--json"},
                temporary.path());
    const auto ready = parse_json(child.line());
    ASSERT_TRUE(ready.ok()) << command;
    Terminal terminal;
    terminal.variables["PAPERCLIP_API_URL"] = *string_at(*ready, "url");
    const Ran health = terminal.run({"api", "get", "/health", "--json"});
    EXPECT_EQ(string_at(health.json(), "status"), "ok");
    // The directory is taken: another server says by whom and leaves it alone.
    const auto second =
        os::run_command({.argv = {program(), "serve", "--port", "0", "--home", (temporary.path() / "home").string()},
                         .environment = environment_in(temporary.path())},
                        Deadline::in(60s));
    ASSERT_TRUE(second.ok());
    EXPECT_EQ(second->exit_code, 1);
    EXPECT_NE(second->stderr_text.find("already uses"), std::string::npos) << second->stderr_text;
    EXPECT_EQ(child.stop(SIGTERM), 0);
  }
  EXPECT_TRUE(std::filesystem::exists(temporary.path() / "home/instances/default/config.json")) << "`run` writes it";
}

}  // namespace
}  // namespace paperclip::cli
