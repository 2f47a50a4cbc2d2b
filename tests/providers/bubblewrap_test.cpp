#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "bubblewrap_fixture.h"

namespace paperclip {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing_support::all_gone;
using testing_support::Bubblewrap;
using testing_support::processes_with;
using testing_support::WorkerHost;

TEST_F(Bubblewrap, says_what_holds_on_this_machine) {
  const json::value probe = worker.call("environmentProbe", base());
  EXPECT_TRUE(probe.at("ok").as_bool()) << json::serialize(probe);
  EXPECT_EQ(probe.at("summary"), "Bubblewrap sandboxes work on this machine.");
  EXPECT_THAT(json::serialize(probe.at("diagnostics")), HasSubstr("A network namespace holds"));
  const json::value open = worker.call("environmentProbe", base({{"egress", "full"}}));
  EXPECT_THAT(json::serialize(open.at("diagnostics")), HasSubstr("shares this machine's network"));
  EXPECT_TRUE(worker.call("environmentListLeases", base()).at("leases").as_array().empty());
}

TEST_F(Bubblewrap, refuses_configurations_that_make_no_sense) {
  const auto check = [&](json::object config) { return json::serialize(worker.call("environmentValidateConfig", {{"driverKey", "bubblewrap"}, {"config", config}})); };
  EXPECT_THAT(check({{"egress", "some"}}), HasSubstr("egress must be none, allow-list or full"));
  EXPECT_THAT(check({{"egress", "allow-list"}}), HasSubstr("needs at least one host"));
  EXPECT_THAT(check({{"egress", "allow-list"}, {"allowedHosts", {"http://x"}}}), HasSubstr("is no host"));
  EXPECT_THAT(check({{"egress", "allow-list"}, {"allowedHosts", {"x:70000"}}}), HasSubstr("is no host"));
  EXPECT_THAT(check({{"readOnlyPaths", {"etc"}}}), HasSubstr("is not absolute"));
  for (const char* path : {"/", "/proc", "/sys/", "/dev/mem", "/usr/../proc/1"}) EXPECT_THAT(check({{"readOnlyPaths", {path}}}), HasSubstr("would open the sandbox")) << path;
  EXPECT_THAT(check({{"readOnlyPaths", {"/no/such/file"}}}), HasSubstr("does not exist"));
  EXPECT_THAT(check({{"processes", -1}}), HasSubstr("processes must be"));
  EXPECT_THAT(check({{"timeoutMs", 0}}), HasSubstr("timeoutMs must be between 1 and 86400000."));
  EXPECT_THAT(check({{"egress", "full"}}), HasSubstr("\"ok\":true,\"warnings\""));
  EXPECT_THAT(check({{"egress", "allow-list"}, {"allowedHosts", {"api.example.com", "*.example.org:443,8443", "10.0.0.1:80", "[::1]:1"}}}), HasSubstr("\"ok\":true"));
}

TEST_F(Bubblewrap, runs_commands_in_one_sandbox_whose_files_and_processes_last) {
  const json::object lease = acquire();
  EXPECT_EQ(lease.at("metadata").at("remoteCwd"), "/workspace");
  EXPECT_EQ(say(lease, "id -un; id -u; pwd; echo $HOME; hostname"), "agent\n1000\n/workspace\n/home/agent\nsandbox\n");
  const json::object first = run(lease, "cat > kept; echo err >&2; (sleep 1000 </dev/null >/dev/null 2>&1 & echo $! > /tmp/pid); exit 3", {{"stdin", "some text"}});
  EXPECT_EQ(first.at("exitCode").as_int64(), 3);
  EXPECT_EQ(first.at("stderr"), "err\n");
  EXPECT_EQ(say(lease, "cat kept; kill -0 $(cat /tmp/pid) && echo ' alive'"), "some text alive\n");
  release(lease);
  EXPECT_TRUE(worker.ask("environmentExecute", execution(lease, "true")).contains("error"));
  release(lease);
}

TEST_F(Bubblewrap, says_why_a_command_cannot_be_started) {
  const json::object lease = acquire();
  const auto message = [&](json::object more) { return json::serialize(worker.ask("environmentExecute", execution(lease, "true", std::move(more)))); };
  EXPECT_THAT(message({{"command", "no-such-command"}}), HasSubstr("Cannot start \\\"no-such-command\\\" in the sandbox: No such file"));
  EXPECT_THAT(message({{"cwd", "/nowhere"}}), HasSubstr("Working directory cannot be used"));
  release(lease);
}

TEST_F(Bubblewrap, streams_takes_stdin_and_cancels_the_whole_tree) {
  const json::object lease = acquire();
  const auto id = worker.begin("environmentExecute", execution(lease, "trap '' TERM; read line; echo got $line; setsid sh -c 'trap \"\" TERM; while :; do sleep 7.125; done' & while :; do sleep 7.125; done",
                                                               {{"executionId", "x1"}, {"streamOutput", true}, {"openStdin", true}}));
  worker.call("environmentWriteStdin", {{"driverKey", "bubblewrap"}, {"executionId", "x1"}, {"data", sdk::to_base64("hello\n")}, {"end", false}});
  EXPECT_TRUE(worker.wait_for_output("x1", "stdout", [](const std::string& text) { return text == "got hello\n"; }));
  worker.call("environmentCancelExecute", {{"driverKey", "bubblewrap"}, {"executionId", "x1"}, {"signal", "SIGTERM"}});
  EXPECT_FALSE(worker.answered(id));
  worker.call("environmentCancelExecute", {{"driverKey", "bubblewrap"}, {"executionId", "x1"}, {"signal", "SIGKILL"}});
  EXPECT_EQ(worker.wait(id).at("result").at("signal"), "SIGKILL");
  // The setsid child, too; the sandbox itself goes on.
  EXPECT_EQ(say(lease, "for i in $(seq 500); do n=$(cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 7.125); [ $n -le 1 ] && break; sleep 0.02; done; cat /proc/[0-9]*/comm | grep -c '^sleep$'"), "0\n");
  release(lease);
}

TEST_F(Bubblewrap, stops_a_command_at_its_timeout) {
  const json::object lease = acquire();
  const json::object result = run(lease, "echo begun; exec sleep 1000", {{"timeoutMs", 300}});
  EXPECT_TRUE(result.at("timedOut").as_bool());
  EXPECT_TRUE(result.at("exitCode").is_null());
  EXPECT_EQ(result.at("stdout"), "begun\n");
  release(lease);
}

TEST_F(Bubblewrap, moves_files_as_the_sandbox_sees_them) {
  const json::object lease = acquire();
  const auto put = [&](const std::string& path, std::string_view bytes, std::int64_t offset, bool end) {
    return worker.ask("environmentPutFile", with(base(), {{"lease", lease}, {"path", path}, {"mode", 0750}, {"offset", offset}, {"data", sdk::to_base64(bytes)}, {"end", end}}));
  };
  const std::string big(700'000, 'b');
  put("/workspace/deep/er/file", big, 0, false);
  EXPECT_EQ(say(lease, "ls deep/er"), "file.part\n");
  put("/workspace/deep/er/file", "tail", 700'000, true);
  EXPECT_EQ(say(lease, "stat -c '%a %s %U' deep/er/file; tail -c 4 deep/er/file"), "750 700004 agent\ntail");
  const json::value piece = worker.call("environmentGetFile", with(base(), {{"lease", lease}, {"path", "/workspace/deep/er/file"}, {"offset", 699'999}, {"length", 3}}));
  EXPECT_EQ(piece, (json::value{{"data", sdk::to_base64("bta")}, {"end", false}}));
  EXPECT_TRUE(worker.call("environmentGetFile", with(base(), {{"lease", lease}, {"path", "/workspace/deep/er/file"}, {"offset", 700'002}, {"length", 100}})).at("end").as_bool());
  // Links lead nowhere but inside.
  run(lease, "ln -s /etc/shadow secret; ln -s /etc/made-by-test out");
  EXPECT_THAT(json::serialize(worker.ask("environmentGetFile", with(base(), {{"lease", lease}, {"path", "/workspace/secret"}, {"offset", 0}, {"length", 10}}))), HasSubstr("No such file"));
  put("/workspace/out", "x", 0, true);
  EXPECT_FALSE(std::filesystem::exists("/etc/made-by-test"));
  EXPECT_THAT(json::serialize(put("/usr/bin/new", "x", 0, true)), HasSubstr("error"));
  release(lease);
}

TEST_F(Bubblewrap, keeps_a_reused_sandbox_and_lists_what_it_holds) {
  const json::object config{{"reuseLease", true}};
  const json::object lease = acquire(config);
  const std::string id(lease.at("providerLeaseId").as_string());
  run(lease, "echo text > kept; (sleep 4321.5 </dev/null >/dev/null 2>&1 &)");
  release(lease);
  EXPECT_TRUE(all_gone(std::string("sleep\0004321.5", 12)));
  const json::value leases = worker.call("environmentListLeases", base()).at("leases");
  ASSERT_EQ(leases.as_array().size(), 1u);
  EXPECT_EQ(leases.at(0).at("providerLeaseId"), lease.at("providerLeaseId"));
  EXPECT_EQ(leases.at(0).at("metadata").at("runId"), "r1");
  EXPECT_TRUE(leases.at(0).as_object().contains("createdAt"));
  const json::object resumed = worker.call("environmentResumeLease", with(base(config), {{"providerLeaseId", id}})).as_object();
  EXPECT_TRUE(resumed.at("metadata").at("resumedLease").as_bool());
  EXPECT_EQ(say(resumed, "cat kept"), "text\n");
  run(resumed, "mkdir -p locked/in; chmod 0 locked/in; chmod 0 locked");
  worker.call("environmentDestroyLease", with(base(config), {{"providerLeaseId", id}}));
  EXPECT_TRUE(directory_of(lease).empty());
  EXPECT_TRUE(worker.call("environmentResumeLease", with(base(config), {{"providerLeaseId", id}})).at("providerLeaseId").is_null());
  EXPECT_TRUE(worker.call("environmentResumeLease", with(base(config), {{"providerLeaseId", "../../etc"}})).at("providerLeaseId").is_null());
}

TEST_F(Bubblewrap, finds_the_sandboxes_of_a_worker_that_was_killed_and_nobody_alive_in_them) {
  const json::object lease = acquire();
  run(lease, "echo text > kept; (setsid sh -c 'sleep 5432.5; true' </dev/null >/dev/null 2>&1 &)");
  EXPECT_GT(processes_with("5432.5"), 0);
  worker.begin("environmentExecute", execution(lease, "echo begun; exec sleep 5432.5", {{"executionId", "x1"}, {"streamOutput", true}}));
  ASSERT_TRUE(worker.wait_for_output("x1", "stdout", [](const std::string& text) { return text == "begun\n"; }));
  worker.kill();
  EXPECT_TRUE(all_gone("5432.5"));

  WorkerHost next("bubblewrap");
  next.initialise({{"directory", root + "/sandboxes"}});
  EXPECT_EQ(next.call("environmentListLeases", base()).at("leases").as_array().size(), 1u);
  // A call for the lease makes the sandbox anew around its files.
  EXPECT_EQ(next.call("environmentExecute", execution(lease, "cat kept")).at("stdout"), "text\n");
  next.call("environmentDestroyLease", with(base(), {{"providerLeaseId", lease.at("providerLeaseId")}}));
  EXPECT_TRUE(next.call("environmentListLeases", base()).at("leases").as_array().empty());
}

TEST_F(Bubblewrap, serves_many_leases_and_commands_at_once) {
  std::vector<json::object> leases;
  for (int i = 0; i < 4; ++i) leases.push_back(acquire());
  std::vector<std::int64_t> asked;
  for (int i = 0; i < 20; ++i) asked.push_back(worker.begin("environmentExecute", execution(leases[static_cast<std::size_t>(i) % 4], "echo " + std::to_string(i) + " >> /workspace/seen; sleep 0.1; echo " + std::to_string(i))));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(std::string(worker.wait(asked[static_cast<std::size_t>(i)]).at("result").at("stdout").as_string()), std::to_string(i) + "\n");
  for (const auto& lease : leases) {
    EXPECT_EQ(say(lease, "wc -l < seen"), "5\n");
    release(lease);
  }
  EXPECT_TRUE(worker.call("environmentListLeases", base()).at("leases").as_array().empty());
}

}  // namespace
}  // namespace paperclip
