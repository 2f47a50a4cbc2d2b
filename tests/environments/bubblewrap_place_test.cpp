// The bubblewrap provider behind the real plugin host, as a place where runs work: their only way out is the proxy.

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <thread>

#include "domain/plugins/plugins.h"
#include "domain/schema/migrations.h"
#include "domain/secrets/vault.h"
#include "environments/egress.h"
#include "environments/sandbox/driver.h"
#include "net/client.h"
#include "os/child_environment.h"
#include "plugins/host.h"
#include "run_fixture.h"
#include "store/database.h"

namespace paperclip::environments {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Answers each connection with a line and closes it.
class Greeting {
 public:
  Greeting() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 16), 0);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this] {
      for (;;) {
        os::Descriptor connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!connection) return;
        ++greeted;
        char piece[4096];
        (void)!::read(connection.get(), piece, sizeof piece);
        const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nwelcome!\n";
        ::send(connection.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
      }
    });
  }
  ~Greeting() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::string port;
  std::atomic<int> greeted{0};

 private:
  os::Descriptor listener_;
  std::thread thread_;
};

class Watcher : public Recorder {
 public:
  explicit Watcher(std::shared_ptr<FrameHandler> handler) : handler_(std::move(handler)) {}
  std::shared_ptr<FrameHandler> frame_handler() override { return handler_; }

 private:
  std::shared_ptr<FrameHandler> handler_;
};

class BubblewrapPlaceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ::chmod(files_.path().c_str(), 0711);  // as root, sandboxes belong to other users, who have to get through
    store::OpenOptions options;
    options.where = store::SqliteFile{(files_.path() / "test.db").string()};
    options.migrations = domain::domain_migrations();
    database_ = store::Database::open(std::move(options)).value();
    vault_.emplace(domain::SecretVault::open("", files_.path() / "master.key", Random::system()).value());
    plugins::PluginHostOptions host{.database = *database_, .vault = *vault_, .http = http_};
    host.host = os::own_environment();
    host.plugin_directory = files_.path() / "plugins";
    host_ = std::make_unique<plugins::PluginHost>(std::move(host));
    host_->start();
    const auto package = std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "plugins" / "bubblewrap";
    const auto plugin = host_->install({package.string(), std::nullopt, true, {}}, domain::Author::system("test"));
    ASSERT_TRUE(plugin) << plugin.error().message;
    ASSERT_TRUE(host_->save_config(*plugin, {{"directory", (files_.path() / "sandboxes").string()}}, domain::Author::system("test")));
    driver_ = sandbox::SandboxDriver::create({.providers = *host_, .runner = program("paperclip-runner")}).value();
  }
  void TearDown() override {
    if (place_) (void)place_->release(ReleaseOutcome::succeeded, soon());
    place_.reset();
    driver_.reset();
    if (host_) host_->stop();
  }
  static Deadline soon() { return Deadline::in(std::chrono::seconds(120)); }
  Place& acquire(json::object config) {
    PlaceRequest request;
    request.config = std::move(config);
    request.config["provider"] = "bubblewrap";
    request.run_id = run_;
    request.environment.id = Random::system().id<EnvironmentId>();
    auto acquired = driver_->acquire(request, soon());
    if (!acquired) throw std::runtime_error(acquired.error().message);
    place_ = std::move(acquired->place);
    return *place_;
  }
  std::shared_ptr<Watcher> run(const std::string& script, std::shared_ptr<FrameHandler> handler, os::Environment env = {}) {
    RunCommand command;
    command.argv = {"sh", "-c", script};
    command.cwd = place_->description().cwd;
    command.env = std::move(env);
    auto watcher = std::make_shared<Watcher>(std::move(handler));
    const auto started = place_->runner().start(run_, command, watcher);
    EXPECT_TRUE(started) << started.error().message;
    return watcher;
  }

  os::TemporaryDirectory files_ = std::move(os::TemporaryDirectory::create("bubblewrap-place-")).value();
  std::unique_ptr<store::Database> database_;
  std::optional<domain::SecretVault> vault_;
  net::HttpClient http_;
  std::unique_ptr<plugins::PluginHost> host_;
  std::unique_ptr<sandbox::SandboxDriver> driver_;
  std::unique_ptr<Place> place_;
  EgressGateway gateway_;
  RunId run_ = Random::system().id<RunId>();
};

// An agent behind the allow-list reaches the named host through the proxy, and nothing else in any way.
TEST_F(BubblewrapPlaceTest, The_only_way_out_is_the_allow_list) {
  Greeting listed, forbidden;
  Place& place = acquire({{"egress", "allow-list"}, {"allowedHosts", json::array{"127.0.0.1:" + listed.port}}});
  ASSERT_EQ(place.description().egress.mode, EgressTerms::Mode::allow_list);
  std::mutex mutex;
  std::string log;
  const auto session = gateway_.open(*EgressPolicy::parse(place.description().egress.allow), [&](const std::string& line) {
    const std::lock_guard lock(mutex);
    log += line + "\n";
  });
  const auto watcher = run(
      "unset no_proxy NO_PROXY\n"
      "curl -s -m 60 http://127.0.0.1:" + listed.port + "/\n"
      "curl -s -m 60 -o /dev/null -w '%{http_code}\\n' http://127.0.0.1:" + forbidden.port + "/\n"
      "curl -s -m 60 -p -o /dev/null -w '%{http_connect}\\n' http://example.com/\n"
      "curl -s -m 60 --noproxy '*' http://127.0.0.1:" + listed.port + "/ || echo no direct way\n"
      "curl -s -m 5 --noproxy '*' https://1.1.1.1/ || echo nor elsewhere\n"
      "env | grep -c -e PAPERCLIP_PLUGIN -e DATABASE\n",
      session, {{"PAPERCLIP_EGRESS", "allow-list"}});
  const auto exit = watcher->wait_exit();
  EXPECT_EQ(watcher->out(), "welcome!\n403\n403\nno direct way\nnor elsewhere\n0\n") << watcher->err() << exit.start_error << exit.lost_detail;
  EXPECT_EQ(listed.greeted, 1);
  EXPECT_EQ(forbidden.greeted, 0);
  const std::lock_guard lock(mutex);
  EXPECT_THAT(log, HasSubstr("127.0.0.1:" + forbidden.port + " refused"));
  EXPECT_THAT(log, HasSubstr("example.com:80 refused"));
  EXPECT_THAT(log, Not(HasSubstr("127.0.0.1:" + listed.port + " refused")));
}

// Cancelled means gone, here too; and released means that nothing is left.
TEST_F(BubblewrapPlaceTest, A_cancelled_run_leaves_no_process_and_a_released_place_nothing) {
  acquire({});
  EXPECT_EQ(place_->description().egress.mode, EgressTerms::Mode::none);
  const std::string mark = "mark-" + run_.str();
  const auto watcher = run("setsid sh -c 'while :; do sleep 1; : " + mark + "; done' & echo up; while :; do sleep 1; : " + mark + "; done", nullptr);
  watcher->wait_output("up");
  EXPECT_FALSE(processes_with(mark).empty());
  place_->runner().cancel(run_, std::chrono::milliseconds(50));
  EXPECT_TRUE(watcher->wait_exit().cancelled);
  EXPECT_TRUE(eventually([&] { return processes_with(mark).empty(); }));
  ASSERT_TRUE(place_->release(ReleaseOutcome::cancelled, soon()));
  for (const auto& plugin : std::filesystem::directory_iterator(files_.path() / "sandboxes"))
    if (plugin.path().filename() != "bin" && plugin.path().filename() != "etc") {
      EXPECT_TRUE(std::filesystem::is_empty(plugin.path()));
    }
}

}  // namespace
}  // namespace paperclip::environments
