#include <gtest/gtest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "domain/companies/company.h"
#include "domain/projects/project.h"
#include "domain/schema/migrations.h"
#include "environments/service_ports.h"
#include "environments/service_supervisor.h"
#include "net/client.h"
#include "os/child_environment.h"
#include "os/files.h"
#include "store/database.h"

/// Services of workspaces as real processes (spec/workspaces.md 8, 11).
namespace paperclip::environments {
namespace {

using namespace std::chrono_literals;
using domain::RuntimeServiceStatus;
using Row = domain::WorkspaceRuntimeService;

class Services : public ::testing::Test {
 protected:
  void SetUp() override {
    store::OpenOptions options{.where = store::SqliteFile{(folder_.path() / "db.sqlite").string()}, .migrations = domain::domain_migrations()};
    auto opened = store::Database::open(std::move(options));
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    database_ = *std::move(opened);
    domain::Company company;
    company.id = place_.company_id = Random::system().id<CompanyId>();
    company.name = "Acme";
    domain::Project project;
    project.id = Random::system().id<ProjectId>();
    project.company_id = company.id;
    domain::ProjectWorkspace workspace;
    workspace.id = Random::system().id<ProjectWorkspaceId>();
    workspace.company_id = company.id;
    workspace.project_id = project.id;
    ASSERT_TRUE(database_->write([&](store::Transaction& tx) -> Result<> {
      tx.insert(domain::table_of<domain::Company>, company);
      tx.insert(domain::table_of<domain::Project>, project);
      tx.insert(domain::table_of<domain::ProjectWorkspace>, workspace);
      return {};
    }).ok());
    place_.project_id = project.id;
    place_.project_workspace_id = workspace.id;
    place_.cwd = folder_.path().string();
    place_.template_data = json::object{{"workspace", json::object{{"cwd", place_.cwd}}}};
    host_.emplace_back("DATABASE_URL", "secret");
    open();
  }
  void TearDown() override {
    if (supervisor_)
      for (const auto& row : rows()) supervisor_->stop(row.id, Deadline::in(10s));
    supervisor_.reset();
  }
  void open() { supervisor_ = std::make_unique<ServiceSupervisor>(SupervisorOptions{*database_, http_, folder_.path() / "services", host_}); }

  Result<Row> start(const std::string& definition) {
    const auto commands = domain::workspace_commands(json::object{{"services", json::array{*parse_json(definition)}}});
    auto spec = service_spec(commands.at(0), place_);
    if (!spec) return std::move(spec).error();
    return supervisor_->start(*std::move(spec), [&](std::string line) { said_ += line; });
  }
  std::vector<Row> rows() {
    return database_->read([](store::Reader& reader) { return reader.all<Row>("select {} from workspace_runtime_services order by created_at, id"); });
  }
  bool becomes(RuntimeServiceId id, RuntimeServiceStatus status) {
    const auto deadline = Deadline::in(20s);
    while (!deadline.passed()) {
      for (const auto& row : rows())
        if (row.id == id && row.status == status) return true;
      ::poll(nullptr, 0, 20);
    }
    return false;
  }
  static bool alive(const Row& row) { return ::kill(std::stoi(*row.provider_ref), 0) == 0; }

  os::TemporaryDirectory folder_ = *os::TemporaryDirectory::create();
  os::Environment host_ = os::own_environment();
  std::unique_ptr<store::Database> database_;
  net::HttpClient http_;
  ServicePlace place_;
  std::unique_ptr<ServiceSupervisor> supervisor_;
  std::string said_;
};

constexpr const char* sleeper = R"({"name":"web","command":"exec sleep 300","lifecycle":"shared"})";

TEST_F(Services, A_shared_one_is_started_once_and_stopped_for_all) {
  const auto first = start(sleeper);
  ASSERT_TRUE(first.ok()) << first.error().message;
  EXPECT_TRUE(alive(*first));
  const auto second = start(sleeper);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->id, first->id);
  supervisor_->stop(first->id, Deadline::in(10s));
  EXPECT_FALSE(alive(*first));
  EXPECT_EQ(rows().at(0).status, RuntimeServiceStatus::stopped);
  const auto third = start(sleeper);
  ASSERT_TRUE(third.ok());
  EXPECT_NE(third->id, first->id);
  place_.cwd = "/tmp";
  const auto elsewhere = start(sleeper);
  ASSERT_TRUE(elsewhere.ok());
  EXPECT_NE(elsewhere->id, third->id) << "another place is another service";
}

TEST_F(Services, It_sees_its_port_and_variables_and_none_of_our_secrets) {
  const auto row = start(R"({"name":"env","command":"env > seen; exec sleep 300","lifecycle":"shared","port":{"type":"auto","envKey":"MY_PORT"},
                            "env":{"WHERE":"{{workspace.cwd}}"},"expose":{"urlTemplate":"http://127.0.0.1:{{port}}/"}})");
  ASSERT_TRUE(row.ok()) << row.error().message;
  const auto deadline = Deadline::in(20s);
  std::string seen;
  while (seen.find("MY_PORT") == std::string::npos && !deadline.passed()) {
    const auto text = os::read_file(folder_.path() / "seen");
    seen = text ? *text : "";
    ::poll(nullptr, 0, 10);
  }
  EXPECT_NE(seen.find("MY_PORT=" + std::to_string(*row->port) + "\n"), std::string::npos);
  EXPECT_NE(seen.find("WHERE=" + place_.cwd + "\n"), std::string::npos);
  EXPECT_EQ(seen.find("secret"), std::string::npos);
  EXPECT_EQ(row->url, "http://127.0.0.1:" + std::to_string(*row->port) + "/");
}

TEST_F(Services, Readiness_is_waited_for_and_failure_says_what_it_said) {
  const auto ready = start(R"({"name":"http","command":"exec python3 -m http.server --bind 127.0.0.1 $PORT","lifecycle":"shared","port":{"type":"auto"},
                              "readiness":{"type":"http","urlTemplate":"http://127.0.0.1:{{port}}/","timeoutSec":60,"intervalMs":100}})");
  ASSERT_TRUE(ready.ok()) << ready.error().message;
  const auto taken = start(R"({"name":"second","command":"exec sleep 300","port":)" + std::to_string(*ready->port) + "}");
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().message, "Runtime service \"second\" could not start because port " + std::to_string(*ready->port) + " is already in use by pid " + *ready->provider_ref);

  const auto broken = start(R"({"name":"broken","command":"echo no luck >&2; exit 4","readiness":{"type":"http","urlTemplate":"http://127.0.0.1:1/","timeoutSec":30}})");
  ASSERT_FALSE(broken.ok());
  EXPECT_TRUE(broken.error().message.starts_with("Failed to start runtime service \"broken\": ")) << broken.error().message;
  EXPECT_TRUE(broken.error().message.ends_with(" | stderr: no luck")) << broken.error().message;
  EXPECT_EQ(start(R"({"name":"none"})").error().message, "Runtime service \"none\" is missing command");
  for (const auto& row : rows()) EXPECT_NE(row.service_name, "broken") << "what never was ready has no row";
}

TEST_F(Services, One_that_ends_by_itself_is_known_to_have_failed) {
  ASSERT_EQ(::mkfifo((folder_.path() / "gate").c_str(), 0600), 0);
  const auto waiting = start(R"({"name":"waits","command":"read line < gate; exit 5","lifecycle":"shared"})");
  ASSERT_TRUE(waiting.ok()) << waiting.error().message;
  ASSERT_TRUE(os::Descriptor(::open((folder_.path() / "gate").c_str(), O_WRONLY)));
  EXPECT_TRUE(becomes(waiting->id, RuntimeServiceStatus::failed));
}

TEST_F(Services, The_next_server_finds_them_again) {
  const auto row = start(sleeper);
  const auto lost = start(R"({"name":"lost","command":"exec sleep 301","lifecycle":"shared"})");
  ASSERT_TRUE(row.ok() && lost.ok());
  supervisor_.reset();
  EXPECT_TRUE(alive(*row)) << "a server that stops leaves them running";
  ::kill(std::stoi(*lost->provider_ref), SIGKILL);
  int status = 0;
  ::waitpid(std::stoi(*lost->provider_ref), &status, 0);
  open();
  supervisor_->adopt();
  EXPECT_TRUE(becomes(lost->id, RuntimeServiceStatus::stopped));
  EXPECT_EQ(rows().at(0).status, RuntimeServiceStatus::running);
  const auto same = start(sleeper);
  ASSERT_TRUE(same.ok());
  EXPECT_EQ(same->id, row->id);
  supervisor_->stop(row->id, Deadline::in(10s));
  EXPECT_EQ(rows().at(0).status, RuntimeServiceStatus::stopped);
  ::waitpid(std::stoi(*row->provider_ref), &status, 0);
}

TEST_F(Services, Siblings_with_the_same_beginning_of_their_path_are_left_alone) {
  std::filesystem::create_directories(folder_.path() / "work");
  std::filesystem::create_directories(folder_.path() / "work-2");
  const auto one = start(R"({"name":"one","command":"exec sleep 300","cwd":"work","reuseScope":"execution_workspace"})");
  const auto two = start(R"({"name":"two","command":"exec sleep 300","cwd":"work-2","reuseScope":"execution_workspace"})");
  ASSERT_TRUE(one.ok() && two.ok());
  supervisor_->stop_of_execution_workspace(Random::system().id<ExecutionWorkspaceId>(), (folder_.path() / "work").string(), Deadline::in(10s));
  EXPECT_FALSE(alive(*one));
  EXPECT_TRUE(alive(*two));
}

TEST(WorkspaceCommands, Have_ids_that_tell_them_apart) {
  const auto runtime = *parse_json(R"({"services":[{"name":"Web"},{"name":"Web"},{"id":"My ID"},{}],"jobs":[{"name":"Build it"}]})");
  const auto commands = domain::workspace_commands(runtime);
  ASSERT_EQ(commands.size(), 5u);
  EXPECT_EQ(commands[0].id, "service:web");
  EXPECT_EQ(commands[1].id, "service:web-services-2");
  EXPECT_EQ(commands[2].id, "my-id");
  EXPECT_EQ(commands[3].id, "service:4");
  EXPECT_EQ(commands[3].name, "Service 4");
  EXPECT_EQ(commands[4].id, "job:build-it");
  EXPECT_EQ(commands[3].service_index, 3);
  EXPECT_FALSE(commands[4].service_index);

  const auto states = domain::next_states({nullptr, *parse_json(R"({"1":"manual"})")}, commands, 0, true);
  EXPECT_EQ(to_string(states.service_states), R"({"0":"running","1":"manual","2":"stopped","3":"stopped"})");
  EXPECT_EQ(states.desired_state, "running");
  EXPECT_EQ(domain::next_states(states, commands, std::nullopt, false).desired_state, "manual");
}

}  // namespace
}  // namespace paperclip::environments
