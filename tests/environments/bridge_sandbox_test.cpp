// Callbacks from a sandbox: over a provider that streams, over one that has one-shot commands only, and where no program of
// ours can run.
#include "bridge_fixture.h"
#include "environments/sandbox/driver.h"
#include "folder_provider.h"

namespace paperclip::environments {
namespace {

enum class Kind { streaming, one_shot, node, python };

class BridgeSandboxTest : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (GetParam() == Kind::streaming) provider_->can = {true, true, true, true, false};
    if (GetParam() == Kind::node) provider_->furnish = [](const auto& home) { make_strange_machine(home); };
    if (GetParam() == Kind::python) provider_->furnish = [](const auto& home) { make_strange_machine(home, {"node", "nodejs"}); };
    driver_ = sandbox::SandboxDriver::create({.providers = registry_, .runner = program("paperclip-runner")}).value();
    PlaceRequest request;
    request.config = {{"provider", "folder"}};
    request.run_id = run_;
    auto acquired = driver_->acquire(request, Deadline::in(std::chrono::seconds(120)));
    ASSERT_TRUE(acquired) << acquired.error().message;
    place_ = std::move(acquired->place);
  }
  void TearDown() override {
    place_.reset();
    driver_.reset();
  }
  std::string run(const std::string& script) {
    RunCommand command;
    command.argv = {"sh", "-c", script};
    command.cwd = place_->description().cwd;
    command.env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"PAPERCLIP_API_KEY", token_.expose()}};
    command.callbacks = runner::encode(session_->setup(token_));
    auto recorder = std::make_shared<BridgedRecorder>(session_);
    const auto started = place_->runner().start(run_, command, recorder);
    EXPECT_TRUE(started) << started.error().message;
    if (!started) return {};
    const auto exit = recorder->wait_exit();
    EXPECT_EQ(exit.exit_code, 0) << exit.start_error << exit.lost_detail << recorder->err();
    return recorder->out();
  }

  os::TemporaryDirectory root_ = std::move(os::TemporaryDirectory::create("folders-")).value();
  std::shared_ptr<FolderProvider> provider_ = std::make_shared<FolderProvider>(root_.path());
  OneProvider registry_{provider_};
  RunId run_ = Random::system().id<RunId>();
  CountingApi api_;
  SecretText token_ = bridge_token("a secret of the server's", run_);
  std::shared_ptr<BridgeSession> session_ = std::make_shared<BridgeSession>(
      api_, BridgeCaller{run_, Random::system().id<AgentId>(), Random::system().id<CompanyId>()}, BridgePolicy{});
  std::unique_ptr<sandbox::SandboxDriver> driver_;
  std::unique_ptr<Place> place_;
};

constexpr const char* curl = "curl -sS -H \"Authorization: Bearer $PAPERCLIP_API_KEY\" -H 'Content-Type: application/json' ";

TEST_P(BridgeSandboxTest, An_agent_calls_the_api) {
  const std::string ask(curl);
  EXPECT_EQ(run(ask + "$PAPERCLIP_API_URL/api/agents/me; echo; " + ask + "-d '{\"body\":\"x\"}' $PAPERCLIP_API_URL/api/issues/1/comments; echo; " + ask +
                "$PAPERCLIP_API_URL/api/companies"),
            "{\"path\":\"/api/agents/me\"}\n{\"path\":\"/api/issues/1/comments\"}\n{\"error\":\"Route not allowed: GET /api/companies\"}");
  EXPECT_EQ(api_.calls(), 2u);
}

// Twelve writers, each with a body of 100 KiB there and back.
TEST_P(BridgeSandboxTest, Each_of_many_writes_is_done_once) {
  api_.answer = [](const net::Request& request) { return net::Response::json(201, request.body); };
  const std::string out = run("i=0; while [ $i -lt 12 ]; do i=$((i+1)); { printf '{\"n\":%d,\"body\":\"' $i; head -c 100000 /dev/zero | tr '\\0' x; printf '\"}'; } > body$i; done; "
                              "i=0; while [ $i -lt 12 ]; do i=$((i+1)); " + std::string(curl) +
                              "--data-binary @body$i $PAPERCLIP_API_URL/api/issues/$i/comments > answer$i & done; wait; "
                              "i=0; while [ $i -lt 12 ]; do i=$((i+1)); cmp -s body$i answer$i && echo same; done");
  std::string wanted;
  for (int i = 0; i < 12; ++i) wanted += "same\n";
  EXPECT_EQ(out, wanted);
  EXPECT_EQ(api_.calls(), 12u);
}

std::string name_of(Kind kind) {
  switch (kind) {
    case Kind::streaming: return "streaming";
    case Kind::one_shot: return "one_shot";
    case Kind::node: return "node";
    case Kind::python: return "python";
  }
  return {};
}
INSTANTIATE_TEST_SUITE_P(Providers, BridgeSandboxTest, ::testing::Values(Kind::streaming, Kind::one_shot, Kind::node, Kind::python),
                         [](const auto& info) { return name_of(info.param); });

}  // namespace
}  // namespace paperclip::environments
