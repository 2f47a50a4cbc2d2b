#include <signal.h>

#include <atomic>

#include "base/text.h"
#include "host_fixture.h"
#include "os/process.h"

namespace paperclip::test {
namespace {

using namespace std::chrono_literals;
using plugins::ExecuteRequest;
using plugins::OutputStream;
using plugins::ProviderContext;
using plugins::ProviderLease;

class ProviderTest : public HostTest {
 protected:
  ProviderContext context(json::object config = {}) { return {company_, "unsaved", std::move(config)}; }
  static Deadline soon() { return Deadline::in(60s); }

  // Commands as a shell runs them, in every optional way.
  std::string streaming_provider() {
    return package("streamer", R"("capabilities":["environment.drivers.register"],"environmentDrivers":[{"driverKey":"streamer","kind":"sandbox_provider","displayName":"S","configSchema":{}},
      {"driverKey":"plain","displayName":"P","configSchema":{}}])",
                   R"js(
import { spawn } from "node:child_process";
import fs from "node:fs";
const files = new Map(), running = new Map();
const start = on.initialize;
on.initialize = (p) => ({ ...start(p), extensions: p.extensions });
on.environmentExecute = (p) => new Promise((resolve) => {
  const child = spawn(p.command, p.args ?? [], { detached: true });
  running.set(p.executionId, child);
  child.stdin.on("error", () => {});
  let stdout = "";
  for (const stream of ["stdout", "stderr"]) child[stream].on("data", (data) => {
    if (p.streamOutput) send({ method: "environment.output", params: { executionId: p.executionId, stream, data: data.toString("base64") } });
    else if (stream === "stdout") stdout += data;
  });
  if (!p.openStdin) child.stdin.end(p.stdin ?? "");
  child.on("close", (exitCode, signal) => { running.delete(p.executionId); resolve({ exitCode, signal, timedOut: false, stdout, stderr: "" }); });
});
on.environmentWriteStdin = (p) => new Promise((resolve) => { const child = running.get(p.executionId); if (!child) return resolve(null);
  const bytes = Buffer.from(p.data, "base64"); if (p.end) child.stdin.end(bytes, () => resolve(null)); else child.stdin.write(bytes, () => resolve(null)); });
on.environmentCancelExecute = (p) => { const child = running.get(p.executionId); if (child) process.kill(-child.pid, p.signal); return null; };
on.environmentPutFile = (p) => { const old = p.offset === 0 ? Buffer.alloc(0) : files.get(p.path); files.set(p.path, Buffer.concat([old, Buffer.from(p.data, "base64")])); return null; };
on.environmentGetFile = (p) => { const all = files.get(p.path); if (!all) throw new Error("no file " + p.path);
  const piece = all.subarray(p.offset, p.offset + p.length); return { data: piece.toString("base64"), end: p.offset + piece.length >= all.length }; };
on.environmentListLeases = () => ({ leases: [{ providerLeaseId: "a", createdAt: "2026-05-03T00:00:00Z" }, { providerLeaseId: "b", metadata: { n: 1 } }] });
on.running = () => running.size;
)js");
  }
};

TEST_P(ProviderTest, One_on_the_published_sdk_leases_executes_and_releases) {
  os::Command fetch{{(std::filesystem::path(PAPERCLIP_SOURCE) / "scripts/fetch-plugin-sdk").string()}, "", os::own_environment(), ""};
  const auto fetched = os::run_command(fetch, Deadline::in(180s));
  if (!fetched || !fetched->ok()) GTEST_SKIP() << "scripts/fetch-plugin-sdk needs the network: " << (fetched ? fetched->stderr_text : fetched.error().message);
  const std::filesystem::path root{std::string(trim(fetched->stdout_text))};
  const auto plugin = install(root.string());
  ASSERT_TRUE(plugin.ok()) << plugin.error().message;

  const auto found = host_->wait_ready("fake-plugin", soon());
  ASSERT_TRUE(found.ok()) << found.error().message;
  auto& provider = **found;
  EXPECT_FALSE(provider.capabilities().stream);
  EXPECT_EQ(host_->list().size(), 1u);
  const auto checked = provider.validate_config({{"image", " x "}, {"more", 1}}, soon());
  ASSERT_TRUE(checked.ok()) << checked.error().message;
  EXPECT_EQ(to_string(json::value(*checked->normalised)), R"({"image":"x","timeoutMs":300000,"reuseLease":false})");
  const auto probed = provider.probe(context({{"image", "x"}}), soon());
  ASSERT_TRUE(probed.ok()) << probed.error().message;
  EXPECT_EQ(probed->summary, "Fake sandbox provider is ready for image x.");

  const auto lease = provider.acquire_lease(context({{"image", "x"}}), {Random::system().id<RunId>(), "shared_workspace"}, soon());
  ASSERT_TRUE(lease.ok()) << lease.error().message;
  ASSERT_TRUE(lease->provider_lease_id);
  const std::string directory(lease->metadata.at("remoteCwd").as_string());
  EXPECT_EQ(provider.realize_workspace(context(), *lease, {}, soon())->cwd, directory);
  ExecuteRequest request{"sh", {"-c", "cat; echo $WORD >&2; pwd; exit 3"}, directory, {{"WORD", "secret-word"}}, "from stdin\n"};
  const auto result = provider.execute(context(), *lease, request, soon());
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result->exit_code, 3);
  EXPECT_EQ(result->stdout_text, "from stdin\n" + directory + "\n");
  EXPECT_EQ(result->stderr_text, "secret-word\n");
  EXPECT_FALSE(result->timed_out);
  const auto late = provider.execute(context(), *lease, {"sleep", {"100"}, std::nullopt, {}, std::nullopt, 50ms}, soon());
  ASSERT_TRUE(late.ok()) << late.error().message;
  EXPECT_TRUE(late->timed_out);
  EXPECT_EQ(late->signal, "SIGTERM");
  EXPECT_FALSE(late->exit_code);
  const auto resumed = provider.resume_lease(context(), *lease->provider_lease_id, {}, soon());
  EXPECT_EQ(resumed->provider_lease_id, lease->provider_lease_id);
  EXPECT_EQ(resumed->metadata.at("remoteCwd").as_string(), directory);
  ASSERT_TRUE(provider.release_lease(context(), lease->provider_lease_id, lease->metadata, soon()).ok());
  EXPECT_FALSE(std::filesystem::exists(directory));
  EXPECT_EQ(provider.put_file(context(), *lease, "f", "x", 0600, soon()).error().kind, ErrorKind::unprocessable) << "it has no files";
  auto one_shot = provider.start(context(), *lease, {"true"}, {});
  ASSERT_TRUE(one_shot.ok());
  EXPECT_EQ((*one_shot)->cancel("SIGTERM", soon()).error().kind, ErrorKind::unprocessable);
  (void)(*one_shot)->wait(soon());
}

TEST_P(ProviderTest, Output_input_cancel_files_and_inventory_work_where_the_worker_offers_them) {
  const auto plugin = install(streaming_provider());
  ASSERT_TRUE(plugin.ok()) << plugin.error().message;
  const auto provider = host_->find("streamer");
  ASSERT_TRUE(provider);
  const auto offered = provider->capabilities();
  EXPECT_TRUE(offered.stream && offered.input && offered.cancel && offered.files && offered.inventory);
  const ProviderLease lease{"lease", {}, std::nullopt};

  std::mutex mutex;
  std::string seen;
  const auto listen = [&](OutputStream stream, std::string_view bytes) {
    std::lock_guard lock(mutex);
    seen += stream == OutputStream::stderr_stream ? "!" + std::string(bytes) : std::string(bytes);
  };
  const auto holds = [&](const char* text) {
    std::lock_guard lock(mutex);
    return seen.find(text) != std::string::npos;
  };
  ExecuteRequest request{"sh", {"-c", "echo begun; while read line; do echo got $line; done; echo over >&2"}};
  request.open_input = true;
  auto execution = provider->start(context(), lease, request, listen);
  ASSERT_TRUE(execution.ok()) << execution.error().message;
  ASSERT_TRUE(wait_for([&] { return holds("begun\n"); })) << "output while the command runs";
  ASSERT_TRUE((*execution)->write_input("one\n", soon()).ok());
  ASSERT_TRUE(wait_for([&] { return holds("got one\n"); }));
  ASSERT_TRUE((*execution)->end_input(soon()).ok());
  const auto ended = (*execution)->wait(soon());
  ASSERT_TRUE(ended.ok()) << ended.error().message;
  EXPECT_EQ(ended->exit_code, 0);
  EXPECT_EQ(ended->stdout_text, "") << "what was streamed does not come twice";
  EXPECT_TRUE(holds("!over\n"));

  auto hung = provider->start(context(), lease, {"sh", {"-c", "sleep 1000"}}, {});
  ASSERT_TRUE(hung.ok());
  EXPECT_EQ((*hung)->wait(Deadline::in(1ms)).error().kind, ErrorKind::timeout);
  ASSERT_TRUE(wait_for([&] { return to_string(call(*plugin, "running")) == "1"; }));
  ASSERT_TRUE((*hung)->cancel("SIGTERM", soon()).ok());
  EXPECT_EQ((*hung)->wait(soon())->signal, "SIGTERM");
  {
    auto dropped = provider->start(context(), lease, {"sh", {"-c", "sleep 1000"}}, {});
    ASSERT_TRUE(wait_for([&] { return to_string(call(*plugin, "running")) == "1"; }));
  }
  EXPECT_TRUE(wait_for([&] { return to_string(call(*plugin, "running")) == "0"; })) << "dropping one ends its command";

  std::string bytes(2 * 1024 * 1024 + 5, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 + (i >> 8));
  ASSERT_TRUE(provider->put_file(context(), lease, "/a/b", bytes, 0755, soon()).ok());
  EXPECT_TRUE(*provider->get_file(context(), lease, "/a/b", bytes.size(), soon()) == bytes);
  EXPECT_EQ(provider->get_file(context(), lease, "/a/b", bytes.size() - 1, soon()).error().kind, ErrorKind::too_large);
  EXPECT_EQ(provider->get_file(context(), lease, "/none", 10, soon()).error().message, "no file /none");
  ASSERT_TRUE(provider->put_file(context(), lease, "/empty", "", 0600, soon()).ok());
  EXPECT_EQ(*provider->get_file(context(), lease, "/empty", 10, soon()), "");
  const auto leases = provider->list_leases(context(), soon());
  ASSERT_TRUE(leases.ok()) << leases.error().message;
  EXPECT_EQ(leases->size(), 2u);
}

TEST_P(ProviderTest, A_worker_that_dies_ends_its_commands_with_an_honest_error_and_comes_back) {
  const auto plugin = install(streaming_provider());
  ASSERT_TRUE(plugin.ok()) << plugin.error().message;
  const auto provider = host_->find("streamer");
  // It ends by itself when nobody holds its stdin any more.
  ExecuteRequest waiting{"cat"};
  waiting.open_input = true;
  auto execution = provider->start(context(), {"lease", {}, std::nullopt}, waiting, {});
  ASSERT_TRUE(execution.ok());
  ASSERT_TRUE(wait_for([&] { return to_string(call(*plugin, "running")) == "1"; }));
  ::kill(*host_->diagnostics(plugin->id)->pid, SIGKILL);
  const auto ended = (*execution)->wait(soon());
  ASSERT_FALSE(ended.ok());
  EXPECT_EQ(ended.error().kind, ErrorKind::unavailable);
  const auto back = host_->wait_ready("streamer", soon());
  ASSERT_TRUE(back.ok()) << back.error().message;
  const auto after = (*back)->execute(context(), {"lease", {}, std::nullopt}, {"true"}, soon());
  ASSERT_TRUE(after.ok()) << after.error().message;
  EXPECT_EQ(after->exit_code, 0);
}

TEST_P(ProviderTest, Why_a_provider_is_not_there_is_said) {
  EXPECT_EQ(host_->wait_ready("nobody", Deadline::in(0ms)).error().message, "Sandbox provider \"nobody\" is not registered as a built-in provider and no matching plugin is available.");
  const auto plugin = install(streaming_provider());
  ASSERT_TRUE(plugin.ok()) << plugin.error().message;
  EXPECT_FALSE(host_->find("plain")) << "it is no sandbox provider";
  EXPECT_TRUE(host_->find_driver("test.streamer", "plain").ok());
  EXPECT_EQ(host_->find_driver("test.streamer", "other").error().message, "Plugin \"test.streamer\" does not declare environment driver \"other\".");
  const auto held = host_->find("streamer");
  ASSERT_TRUE(host_->disable(row(plugin->id), std::nullopt, domain::Author::system("test")).ok());
  EXPECT_EQ(host_->wait_ready("streamer", Deadline::in(0ms)).error().message, "Sandbox provider \"streamer\" is installed via plugin \"test.streamer\", but that plugin is currently disabled.");
  EXPECT_EQ(host_->find_driver("test.streamer", "plain").error().message, "Plugin environment driver \"test.streamer:plain\" is not ready.");
  EXPECT_FALSE(held->running());
  EXPECT_EQ(held->probe(context(), soon()).error().kind, ErrorKind::unavailable) << "one that is held stays usable";
}

INSTANTIATE_TEST_SUITE_P(Engines, ProviderTest, ::testing::Values(store::Engine::sqlite), engine_name);

}  // namespace
}  // namespace paperclip::test
