#include <sys/stat.h>

#include <boost/json/serialize.hpp>

#include "host_fixture.h"

namespace paperclip::test {
namespace {

using namespace std::chrono_literals;
using plugins::ExecuteRequest;
using plugins::OutputStream;
using plugins::ProviderContext;

/// The native plugins that this tree builds, under the real host.
class NativePluginTest : public HostTest {
 protected:
  ProviderContext context(json::object config = {}) { return {company_, "unsaved", std::move(config)}; }
  static Deadline soon() { return Deadline::in(120s); }
  static std::string package_of(const std::string& name) {
    return (std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "plugins" / name).string();
  }
};

// Native executables shake hands, keep state through the host, serve tools.
TEST_P(NativePluginTest, The_example_of_the_sdk_runs_under_the_host) {
  const auto greeter = install(package_of("greeter"));
  ASSERT_TRUE(greeter.ok()) << greeter.error().message;
  EXPECT_EQ(row(greeter->id).status, domain::PluginStatus::ready);
  EXPECT_EQ(call(*greeter, "performAction", {{"key", "greet"}, {"params", {{"name", "Ada"}}}, {"renderEnvironment", nullptr}}).at("text"), "Hello, Ada!");
  EXPECT_EQ(call(*greeter, "getData", {{"key", "greetings"}, {"params", json::object()}}).at("count").as_int64(), 1);
}

// Sandboxes of the bubblewrap provider: streamed output, stdin while it runs, files, the provider's own list, cancel.
TEST_P(NativePluginTest, Bubblewrap_offers_everything_that_the_host_can_use) {
  const auto plugin = install(package_of("bubblewrap"));
  ASSERT_TRUE(plugin.ok()) << plugin.error().message;
  const auto sandboxes = files_->path() / "sandboxes";
  ::chmod(files_->path().c_str(), 0711);
  ASSERT_TRUE(host_->save_config(*plugin, {{"directory", sandboxes.string()}}, domain::Author::system("test")).ok());
  const auto found = host_->wait_ready("bubblewrap", soon());
  ASSERT_TRUE(found.ok()) << found.error().message;
  auto& provider = **found;
  const auto can = provider.capabilities();
  EXPECT_TRUE(can.stream && can.input && can.cancel && can.files && can.inventory);

  const auto probe = provider.probe(context(), soon());
  ASSERT_TRUE(probe.ok());
  EXPECT_TRUE(probe->ok) << json::serialize(probe->diagnostics);
  const auto lease = provider.acquire_lease(context(), {Random::system().id<RunId>(), std::nullopt}, soon());
  ASSERT_TRUE(lease.ok()) << lease.error().message;
  EXPECT_EQ(provider.list_leases(context(), soon())->size(), 1u);

  std::mutex mutex;
  std::string out;
  ExecuteRequest request{"sh", {"-c", "echo ready; cat; sleep 1000"}};
  request.timeout = 60min;
  request.open_input = true;
  auto execution = provider.start(context(), *lease, request, [&](OutputStream, std::string_view bytes) {
    const std::lock_guard lock(mutex);
    out += bytes;
  });
  ASSERT_TRUE(execution.ok()) << execution.error().message;
  ASSERT_TRUE((*execution)->write_input("typed\n", soon()).ok());
  EXPECT_TRUE(wait_for([&] {
    const std::lock_guard lock(mutex);
    return out == "ready\ntyped\n";
  }));
  ASSERT_TRUE((*execution)->end_input(soon()).ok());
  ASSERT_TRUE((*execution)->cancel("SIGKILL", soon()).ok());
  const auto ended = (*execution)->wait(soon());
  ASSERT_TRUE(ended.ok()) << ended.error().message;
  EXPECT_EQ(ended->signal, "SIGKILL");

  const std::string bytes(3'000'000, 'x');
  ASSERT_TRUE(provider.put_file(context(), *lease, "/workspace/a/b", bytes, 0600, soon()).ok());
  EXPECT_EQ(*provider.get_file(context(), *lease, "/workspace/a/b", 4'000'000, soon()), bytes);
  ASSERT_TRUE(provider.release_lease(context(), lease->provider_lease_id, lease->metadata, soon()).ok());
  EXPECT_TRUE(provider.list_leases(context(), soon())->empty());
}

INSTANTIATE_TEST_SUITE_P(Engines, NativePluginTest, ::testing::Values(store::Engine::sqlite), engine_name);

}  // namespace
}  // namespace paperclip::test
