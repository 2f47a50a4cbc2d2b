#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "paperclip/sdk/base64.h"
#include "worker_host.h"

namespace paperclip {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using testing_support::WorkerHost;

struct FakeProvider : testing::Test {
  WorkerHost worker{"fake"};

  json::object base(json::object config = {}) {
    return {{"driverKey", "fake-plugin"}, {"companyId", "c"}, {"environmentId", "e1"}, {"config", std::move(config)}};
  }
  json::object with(json::object base, json::object more) {
    for (auto& item : more) base[item.key()] = item.value();
    return base;
  }
  json::object acquire(json::object config = {}) {
    return worker.call("environmentAcquireLease", with(base(config), {{"runId", "r1"}})).as_object();
  }
  json::object execution(const json::object& lease, std::string script, json::object more = {}) {
    return with(with(base(), {{"lease", lease}, {"command", "sh"}, {"args", {"-c", script}}}), std::move(more));
  }
};

TEST_F(FakeProvider, normalises_its_configuration_and_is_always_ready) {
  worker.initialise();
  EXPECT_EQ(worker.call("environmentValidateConfig", {{"driverKey", "fake-plugin"}, {"config", {{"image", " "}, {"timeoutMs", "no"}, {"reuseLease", 1}}}}),
            (json::value{{"ok", true}, {"normalizedConfig", {{"image", "fake:latest"}, {"timeoutMs", 300000}, {"reuseLease", false}}}}));
  const json::value probe = worker.call("environmentProbe", base({{"image", "mine"}, {"timeoutMs", 5}}));
  EXPECT_EQ(probe, (json::value{{"ok", true},
                                {"summary", "Fake sandbox provider is ready for image mine."},
                                {"metadata", {{"provider", "fake-plugin"}, {"image", "mine"}, {"timeoutMs", 5}, {"reuseLease", false}}}}));
}

TEST_F(FakeProvider, gives_each_run_a_directory_and_removes_it) {
  worker.initialise();
  const json::object lease = acquire();
  EXPECT_THAT(std::string(lease.at("providerLeaseId").as_string()), StartsWith("fake-plugin://r1/"));
  const json::object& metadata = lease.at("metadata").as_object();
  const std::string root(metadata.at("fakeRootDir").as_string());
  EXPECT_EQ(metadata.at("remoteCwd"), json::value(root + "/workspace"));
  EXPECT_FALSE(metadata.at("resumedLease").as_bool());
  EXPECT_TRUE(std::filesystem::is_directory(root + "/workspace"));
  EXPECT_EQ(worker.call("environmentRealizeWorkspace", with(base(), {{"lease", lease}, {"workspace", json::object()}})).at("cwd"),
            json::value(root + "/workspace"));
  worker.call("environmentReleaseLease", with(base(), {{"providerLeaseId", lease.at("providerLeaseId")}, {"leaseMetadata", metadata}}));
  worker.call("environmentReleaseLease", with(base(), {{"providerLeaseId", lease.at("providerLeaseId")}}));
  EXPECT_FALSE(std::filesystem::exists(root));
}

TEST_F(FakeProvider, keeps_a_reused_lease_until_it_is_destroyed) {
  worker.initialise();
  const json::object config{{"reuseLease", true}};
  const json::object first = acquire(config), second = acquire(config);
  EXPECT_EQ(first.at("providerLeaseId"), "fake-plugin://e1");
  EXPECT_TRUE(second.at("metadata").at("resumedLease").as_bool());
  EXPECT_EQ(first.at("metadata").at("fakeRootDir"), second.at("metadata").at("fakeRootDir"));
  worker.call("environmentReleaseLease", with(base(config), {{"providerLeaseId", "fake-plugin://e1"}}));
  const json::value resumed = worker.call("environmentResumeLease", with(base(config), {{"providerLeaseId", "fake-plugin://e1"}}));
  EXPECT_EQ(resumed.at("metadata").at("fakeRootDir"), first.at("metadata").at("fakeRootDir"));
  EXPECT_EQ(worker.call("environmentListLeases", base()).at("leases").as_array().size(), 1u);
  worker.call("environmentDestroyLease", with(base(config), {{"providerLeaseId", "fake-plugin://e1"}}));
  EXPECT_TRUE(worker.call("environmentListLeases", base()).at("leases").as_array().empty());
}

TEST_F(FakeProvider, runs_a_command_with_exactly_its_environment) {
  worker.initialise();
  const json::object lease = acquire();
  const json::value result = worker.call("environmentExecute", execution(lease, "env | grep -v '^_=' | sort; cat; pwd; echo no >&2; exit 3",
                                                                         {{"env", {{"ONE", "1"}}}, {"stdin", "text\n"}}));
  EXPECT_EQ(result.at("exitCode").as_int64(), 3);
  EXPECT_FALSE(result.at("timedOut").as_bool());
  EXPECT_EQ(result.at("stderr"), "no\n");
  const std::string cwd(lease.at("metadata").at("remoteCwd").as_string());
  EXPECT_EQ(std::string(result.at("stdout").as_string()), "ONE=1\nPATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin\nPWD=" + cwd + "\ntext\n" + cwd + "\n");
  EXPECT_TRUE(result.at("metadata").as_object().contains("startedAt"));
  EXPECT_THAT(std::string(result.at("metadata").at("commandLine").as_string()), StartsWith("sh -c env"));
  const json::object failure = worker.ask("environmentExecute", with(base(), {{"lease", lease}, {"command", "no-such-command"}}));
  EXPECT_EQ(failure.at("error").at("code").as_int64(), -32002);
  worker.call("environmentDestroyLease", with(base(), {{"providerLeaseId", lease.at("providerLeaseId")}}));
}

TEST_F(FakeProvider, stops_a_command_at_its_timeout) {
  worker.initialise();
  const json::object lease = acquire();
  const json::value result = worker.call("environmentExecute", execution(lease, "trap '' TERM; echo begun; while :; do sleep 1; done", {{"timeoutMs", 300}}));
  EXPECT_TRUE(result.at("exitCode").is_null());
  EXPECT_TRUE(result.at("timedOut").as_bool());
  EXPECT_EQ(result.at("stdout"), "begun\n");
  worker.call("environmentDestroyLease", with(base(), {{"providerLeaseId", lease.at("providerLeaseId")}}));
}

// Our extensions, over the simplest driver there is.

TEST_F(FakeProvider, agrees_only_on_extensions_that_both_sides_have) {
  EXPECT_EQ(worker.initialise().at("extensions"), (json::array{"environment.stream", "environment.stdin", "environment.cancel", "environment.inventory"}));
  WorkerHost older("fake");
  EXPECT_FALSE(older.initialise({}, {}).contains("extensions"));
}

TEST_F(FakeProvider, streams_output_and_takes_stdin_while_the_command_runs) {
  worker.initialise();
  const json::object lease = acquire();
  const auto id = worker.begin("environmentExecute",
                               execution(lease, "echo ready; read line; echo got $line; cat | wc -c", {{"executionId", "x1"}, {"streamOutput", true}, {"openStdin", true}}));
  EXPECT_TRUE(worker.wait_for_output("x1", "stdout", [](const std::string& text) { return text == "ready\n"; }));
  EXPECT_FALSE(worker.answered(id));
  const auto write = [&](std::string_view bytes, bool end) {
    return worker.begin("environmentWriteStdin", {{"driverKey", "fake-plugin"}, {"executionId", "x1"}, {"data", sdk::to_base64(bytes)}, {"end", end}});
  };
  worker.wait(write("hello\n", false));
  EXPECT_TRUE(worker.wait_for_output("x1", "stdout", [](const std::string& text) { return text == "ready\ngot hello\n"; }));
  // More than pipes hold, several at once: they keep their order, and the worker answers each when it took it.
  for (int i = 0; i < 5; ++i) write(std::string(100'000, 'x'), false);
  worker.wait(write("", true));
  const json::object answer = worker.wait(id);
  EXPECT_EQ(answer.at("result").at("stdout"), "");
  EXPECT_EQ(answer.at("result").at("exitCode").as_int64(), 0);
  EXPECT_EQ(worker.output("x1", "stdout"), "ready\ngot hello\n500000\n");
  EXPECT_TRUE(worker.wait(write("late", true)).contains("result"));
  worker.call("environmentDestroyLease", with(base(), {{"providerLeaseId", lease.at("providerLeaseId")}}));
}

TEST_F(FakeProvider, cancels_a_running_command) {
  worker.initialise();
  const json::object lease = acquire();
  const auto id = worker.begin("environmentExecute", execution(lease, "echo begun; exec sleep 1000", {{"executionId", "x2"}, {"streamOutput", true}}));
  EXPECT_TRUE(worker.wait_for_output("x2", "stdout", [](const std::string& text) { return text == "begun\n"; }));
  worker.call("environmentCancelExecute", {{"driverKey", "fake-plugin"}, {"executionId", "x2"}, {"signal", "SIGTERM"}});
  const json::object answer = worker.wait(id);
  EXPECT_EQ(answer.at("result").at("signal"), "SIGTERM");
  EXPECT_TRUE(answer.at("result").at("exitCode").is_null());
  worker.call("environmentCancelExecute", {{"driverKey", "fake-plugin"}, {"executionId", "x2"}, {"signal", "SIGKILL"}});
  worker.call("environmentDestroyLease", with(base(), {{"providerLeaseId", lease.at("providerLeaseId")}}));
}

TEST_F(FakeProvider, takes_its_commands_along_when_it_is_killed) {
  worker.initialise();
  const json::object lease = acquire();
  worker.begin("environmentExecute", execution(lease, "echo $$; exec sleep 1000", {{"executionId", "x3"}, {"streamOutput", true}}));
  ASSERT_TRUE(worker.wait_for_output("x3", "stdout", [](const std::string& text) { return text.ends_with("\n"); }));
  const pid_t pid = std::stoi(worker.output("x3", "stdout"));
  worker.kill();
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const auto zombie_or_gone = [&] {
    struct stat there {};
    return ::stat(("/proc/" + std::to_string(pid) + "/exe").c_str(), &there) != 0;
  };
  while (!zombie_or_gone() && std::chrono::steady_clock::now() < give_up) ::usleep(2000);
  EXPECT_TRUE(zombie_or_gone());
  std::filesystem::remove_all(std::string(lease.at("metadata").at("fakeRootDir").as_string()));
}

}  // namespace
}  // namespace paperclip
