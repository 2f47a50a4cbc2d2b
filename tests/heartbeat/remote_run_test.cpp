#include <set>

#include "../environments/sshd.h"
#include "domain/environments/environments.h"
#include "domain/waiting/note_waits.h"
#include "domain/waiting/why.h"
#include "environments/configs.h"
#include "environments/leases.h"
#include "environments/ssh/driver.h"
#include "os/files.h"
#include "project_work.h"

namespace paperclip::test {
namespace {

/// The real engine, a real sshd, agents of kind `process` whose default environment is that host.
class RemoteRun : public ProjectWork {
 protected:
  void SetUp() override {
    if (!environments::Sshd::is_possible()) GTEST_SKIP() << "sshd is not installed";
    sshd_ = std::make_unique<environments::Sshd>();
    Running::SetUp();
    if (IsSkipped()) return;
    environment_ = make_environment("there", sshd_->config());
  }
  EnvironmentId make_environment(const std::string& name, const json::object& config) {
    const auto prepared = configs_->prepare(domain::EnvironmentDriver::ssh, config, name);
    EXPECT_TRUE(prepared) << prepared.error().message;
    domain::NewEnvironment wish;
    wish.name = name;
    wish.driver = domain::EnvironmentDriver::ssh;
    const auto made = database_->write([&](store::Transaction& tx) { return domain::create_environment(tx, domain::CompanyScope::internal(company_.id), wish, *prepared); });
    EXPECT_TRUE(made) << made.error().message;
    return made->id;
  }
  /// An environment whose directory there is the workspace; `path` may spell it in its own way.
  EnvironmentId make_in_place(const std::string& name, const std::string& path) {
    json::object config = sshd_->config();
    config["inPlace"] = true;
    config["remoteWorkspacePath"] = path;
    return make_environment(name, config);
  }
  json::value why(AgentId id) {
    std::string out;
    EXPECT_TRUE(database_->read([&](store::Reader& reader) { return domain::append_agent_why(out, reader, id, {}); }));
    return *parse_json(out);
  }
  void work_in(const domain::Agent& agent, EnvironmentId environment) {
    EXPECT_TRUE(execute("update agents set default_environment_id = :1 where id = :2", environment, agent.id).ok());
  }
  void TearDown() override {
    Running::TearDown();
    leases_.reset();
    driver_.reset();
  }
  void adjust(heartbeat::EngineOptions& options) override {
    leases_.reset();
    driver_ = environments::ssh::SshDriver::create({.runner = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "paperclip-runner"}).value();
    configs_.emplace(*database_, *vault_, Random::system(), nullptr);
    leases_.emplace(environments::LeaseOptions{*database_, *configs_, [this](domain::EnvironmentDriver kind) -> environments::Driver* {
      return kind == domain::EnvironmentDriver::ssh ? driver_.get() : nullptr;
    }});
    options.leases = &*leases_;
  }
  void end_other_places() override { driver_.reset(); }
  domain::Agent remote_worker(const std::string& name, const std::string& script) {
    auto agent = worker(name, script);
    EXPECT_TRUE(execute("update agents set default_environment_id = :1 where id = :2", environment_, agent.id).ok());
    return agent;
  }
  std::filesystem::path home_of(const domain::Agent& agent) { return place_.path() / "workspaces" / agent.id.str(); }
  bool all_leases_over() {
    return eventually([&] { return database_->read([](store::Reader& reader) { return !reader.exists("select 1 from environment_leases where status = 'active'"); }); });
  }

  std::unique_ptr<environments::Sshd> sshd_;
  std::unique_ptr<environments::ssh::SshDriver> driver_;
  std::optional<environments::Configs> configs_;
  std::optional<environments::Leases> leases_;
  EnvironmentId environment_;
};

// The workspace goes there, what the agent did comes back, and the lease is given back.
TEST_P(RemoteRun, Works_over_there_with_its_workspace) {
  const auto agent = remote_worker("Ada", "pwd; cat brought.txt; echo made > made.txt; echo $HOME");
  (void)os::make_directories(home_of(agent));
  (void)os::write_file_atomically(home_of(agent) / "brought.txt", "from here\n");
  const RunId id = start(agent.id);
  ASSERT_TRUE(reaches(id, domain::RunStatus::succeeded)) << run(id).error.value_or("") << log_of(id);
  EXPECT_NE(log_of(id).find(sshd_->workspace().string()), std::string::npos) << log_of(id);
  EXPECT_NE(log_of(id).find("from here"), std::string::npos) << log_of(id);
  const auto made = os::read_file(home_of(agent) / "made.txt");
  ASSERT_TRUE(made) << log_of(id);
  EXPECT_EQ(*made, "made\n");
  EXPECT_TRUE(all_leases_over());
}

// What the board configured to make the workspace ready runs over there, once the workspace is there, and nothing of the
// run is in its environment. What it says when it fails is the run's error.
TEST_P(RemoteRun, Makes_the_workspace_ready_over_there) {
  const auto agent = remote_worker("Ada", "cat provisioned.txt 2>/dev/null || echo nothing");
  const auto alpha = project();
  const auto here = place_.path() / "alpha";
  ASSERT_TRUE(os::make_directories(here));
  folder(alpha, here.string());
  const auto issue = issue_of(alpha, agent);
  const auto configured = [&](const std::string& command) {
    json::object config = value<RawJson>("select adapter_config from agents where id = :1", agent.id)->parse().as_object();
    config["workspaceStrategy"] = json::object{{"type", "project_primary"}, {"provisionCommand", command}};
    ASSERT_TRUE(execute("update agents set adapter_config = :1 where id = :2", RawJson(json::value(config)), agent.id).ok());
  };
  const RunId first = work(agent, issue);
  ASSERT_TRUE(reaches(first, domain::RunStatus::succeeded)) << run(first).error.value_or("") << log_of(first);
  EXPECT_NE(log_of(first).find("nothing"), std::string::npos) << log_of(first);

  configured("echo \"in $PWD with $SHELL and ${PAPERCLIP_RUN_ID:-no run}\" > provisioned.txt");
  const RunId second = work(agent, issue);
  ASSERT_TRUE(reaches(second, domain::RunStatus::succeeded)) << run(second).error.value_or("") << log_of(second);
  EXPECT_NE(log_of(second).find("in " + sshd_->workspace().string()), std::string::npos) << log_of(second);
  EXPECT_NE(log_of(second).find("with /bin/bash and no run"), std::string::npos) << log_of(second);

  configured("echo no compiler here >&2; exit 3");
  const RunId third = work(agent, issue);
  ASSERT_TRUE(reaches(third, domain::RunStatus::failed)) << log_of(third);
  EXPECT_EQ(run(third).error.value_or(""), "Failed to provision workspace for environment \"there\" (ssh): exit code 3: no compiler here");
  EXPECT_TRUE(all_leases_over());
}

// A server that stops leaves the run alone; the next one reads all of it.
TEST_P(RemoteRun, Goes_on_while_the_server_restarts) {
  const auto gate = place_.path() / "gate";
  const auto agent = remote_worker("Ada", "echo first; while [ ! -e '" + gate.string() + "' ]; do sleep 0.05; done; echo second; echo made > made.txt");
  const RunId id = start(agent.id);
  ASSERT_TRUE(eventually([&] { return log_of(id).find("first") != std::string::npos; }, 60s)) << run(id).error.value_or("");
  restart();
  (void)os::write_file_atomically(gate, "");
  ASSERT_TRUE(eventually([&] { return run(id).status == domain::RunStatus::succeeded; }, 60s)) << run(id).error.value_or("") << log_of(id);
  EXPECT_NE(log_of(id).find("second"), std::string::npos) << log_of(id);
  EXPECT_TRUE(os::read_file(home_of(agent) / "made.txt")) << log_of(id);
  EXPECT_TRUE(all_leases_over());
}

TEST_P(RemoteRun, A_host_that_is_away_is_an_honest_error) {
  const auto agent = remote_worker("Ada", "true");
  sshd_->kill(true);
  const RunId id = start(agent.id);
  ASSERT_TRUE(reaches(id, domain::RunStatus::failed));
  EXPECT_NE(run(id).error.value_or("").find("Failed to acquire lease for environment \"there\" (ssh): Cannot connect to"), std::string::npos) << run(id).error.value_or("");
  EXPECT_TRUE(all_leases_over());
}

// Two runs of one workspace at the same time have a mirror each: the second does not make the first one's equal to what is here.
TEST_P(RemoteRun, Concurrent_runs_of_a_workspace_never_share_a_directory) {
  const auto alpha = project();
  const auto here = place_.path() / "alpha";
  ASSERT_TRUE(os::make_directories(here));
  folder(alpha, here.string());
  const auto gate = place_.path() / "gate", began = place_.path() / "began";
  const auto first = remote_worker("Ada", "pwd; echo one > one.txt; touch '" + began.string() + "'; while [ ! -e '" + gate.string() + "' ]; do sleep 0.05; done; cat one.txt");
  const auto second = remote_worker("Bob", "pwd; ls; echo two > two.txt");
  const RunId one = work(first, issue_of(alpha, first));
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(began); }, 60s)) << run(one).error.value_or("");
  const RunId two = work(second, issue_of(alpha, second));
  ASSERT_TRUE(eventually([&] { return run(two).status == domain::RunStatus::succeeded; }, 60s)) << run(two).error.value_or("") << log_of(two);
  EXPECT_EQ(said(two, "stdout").find("one.txt"), std::string::npos) << said(two, "stdout");
  (void)os::write_file_atomically(gate, "");
  ASSERT_TRUE(eventually([&] { return run(one).status == domain::RunStatus::succeeded; }, 60s)) << run(one).error.value_or("") << log_of(one);
  EXPECT_NE(said(one, "stdout").find("one\n"), std::string::npos) << said(one, "stdout");
  EXPECT_EQ(os::read_file(here / "one.txt").value(), "one\n");
  EXPECT_EQ(os::read_file(here / "two.txt").value(), "two\n");
}

// Where the directory over there is the workspace, nothing goes there, nothing comes back, nothing is removed; and one run at a
// time works in it, whichever agent's and by whichever environment's spelling. Who waits is told for what.
TEST_P(RemoteRun, In_place_one_run_at_a_time_works_in_the_directory_itself) {
  const auto there = sshd_->workspace();
  (void)os::make_directories(there / "kept");
  (void)os::write_file_atomically(there / "kept/file", "of the place\n");
  const auto gate = place_.path() / "gate";
  const auto first = worker("Ada", "ls; echo began > turn.txt; while [ ! -e '" + gate.string() + "' ]; do sleep 0.05; done; echo ended > turn.txt");
  const auto second = worker("Bob", "cat turn.txt kept/file; pwd; echo made > made.txt");
  work_in(first, make_in_place("there, in place", there.string()));
  work_in(second, make_in_place("the same", there.parent_path().string() + "/./" + there.filename().string() + "/"));
  for (const auto* agent : {&first, &second}) {
    (void)os::make_directories(home_of(*agent));
    (void)os::write_file_atomically(home_of(*agent) / "brought.txt", "from here\n");
  }
  const RunId one = start(first.id);
  ASSERT_TRUE(eventually([&] { return os::read_file(there / "turn.txt").ok(); }, 60s)) << run(one).error.value_or("");
  const RunId two = start(second.id);
  // The engine has looked at it, and left it.
  ASSERT_TRUE(eventually([&] { return database_->read([&](store::Reader& reader) { return !reader.exists("select 1 from heartbeat_runs where id = :1 and status <> 'queued'", two); }); }));
  (void)engine_->wait_idle(Deadline::in(500ms));
  EXPECT_EQ(run(two).status, domain::RunStatus::queued);
  const auto answer = why(second.id);
  ASSERT_EQ(answer.at("queue").as_array().size(), 1u);
  const auto& wait = answer.at("queue").as_array()[0].at("waitsFor");
  EXPECT_EQ(wait.at("code").as_string(), "directory_in_use") << to_string(answer);
  EXPECT_EQ(wait.at("runId").as_string(), one.view());
  EXPECT_EQ(wait.at("agentId").as_string(), first.id.view());

  // It is recorded with the wake, as every reason is.
  ASSERT_TRUE(database_->write([&](store::Transaction& tx) -> Result<> {
    domain::note_waits(tx, company_.id, second.id, {});
    return {};
  }));
  EXPECT_EQ(value<std::string>("select code from wakeup_waits where agent_id = :1", second.id), "directory_in_use");

  (void)os::write_file_atomically(gate, "");
  ASSERT_TRUE(eventually([&] { return run(one).status == domain::RunStatus::succeeded; }, 60s)) << run(one).error.value_or("");
  ASSERT_TRUE(eventually([&] { return run(two).status == domain::RunStatus::succeeded; }, 60s)) << run(two).error.value_or("") << log_of(two);
  EXPECT_NE(said(two, "stdout").find("ended\nof the place\n" + there.string() + "\n"), std::string::npos) << said(two, "stdout");
  EXPECT_EQ(said(one, "stdout").find("brought.txt"), std::string::npos) << said(one, "stdout");
  EXPECT_EQ(log_of(one).find("Syncing workspace"), std::string::npos);
  EXPECT_TRUE(all_leases_over());
  std::set<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(there)) left.insert(entry.path().filename());
  left.erase(".paperclip-runtime");
  EXPECT_EQ(left, (std::set<std::string>{"kept", "made.txt", "turn.txt"}));
  EXPECT_EQ(os::read_file(there / "kept/file").value(), "of the place\n");
  EXPECT_FALSE(std::filesystem::exists(home_of(second) / "made.txt"));
}

// The run of an earlier server keeps it until its process is gone.
TEST_P(RemoteRun, In_place_a_restarted_server_still_knows_who_works_there) {
  const auto there = sshd_->workspace();
  const auto gate = place_.path() / "gate";
  const auto environment = make_in_place("there, in place", there.string());
  const auto first = worker("Ada", "echo began > turn.txt; while [ ! -e '" + gate.string() + "' ]; do sleep 0.05; done; echo ended > turn.txt");
  const auto second = worker("Bob", "cat turn.txt");
  for (const auto* agent : {&first, &second}) work_in(*agent, environment);
  const RunId one = start(first.id);
  ASSERT_TRUE(eventually([&] { return os::read_file(there / "turn.txt").ok(); }, 60s)) << run(one).error.value_or("");
  restart();
  const RunId two = start(second.id);
  (void)engine_->wait_idle(Deadline::in(500ms));
  EXPECT_EQ(run(two).status, domain::RunStatus::queued);
  (void)os::write_file_atomically(gate, "");
  ASSERT_TRUE(eventually([&] { return run(two).status == domain::RunStatus::succeeded; }, 60s)) << run(two).error.value_or("") << run(one).error.value_or("");
  EXPECT_NE(said(two, "stdout").find("ended"), std::string::npos) << said(two, "stdout");
}

INSTANTIATE_TEST_SUITE_P(Database, RemoteRun, ::testing::Values(store::Engine::sqlite), engine_name);

}  // namespace
}  // namespace paperclip::test
