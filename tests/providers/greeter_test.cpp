#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <atomic>
#include <map>
#include <mutex>

#include "worker_host.h"

namespace paperclip {
namespace {

using testing::HasSubstr;
using testing_support::WorkerHost;

/// The host's state and configuration, as the greeter asks for them.
struct GreeterHost {
  std::mutex mutex;
  std::map<std::string, json::value> state;
  std::vector<std::string> subscriptions;

  json::value answer(const std::string& method, const json::object& params) {
    const std::lock_guard lock(mutex);
    if (method == "config.get") return json::object{{"greeting", "Good day"}};
    const auto text = [&](const char* key) { return std::string(params.at(key).as_string()); };
    if (method == "state.get") return state[text("stateKey")];
    if (method == "state.set") state[text("stateKey")] = params.at("value");
    if (method == "state.delete") state.erase(text("stateKey"));
    if (method == "events.subscribe") subscriptions.push_back(text("eventPattern"));
    return nullptr;
  }
};

struct Greeter : testing::Test {
  GreeterHost host;
  WorkerHost worker{"greeter", [this](const std::string& method, const json::object& params) { return host.answer(method, params); }};
};

TEST_F(Greeter, shakes_hands_and_says_what_it_supports) {
  const json::object result = worker.initialise();
  EXPECT_TRUE(result.at("ok").as_bool());
  EXPECT_THAT(json::serialize(result.at("supportedMethods")), HasSubstr("validateConfig"));
  EXPECT_FALSE(result.contains("extensions"));  // it has no environment driver
  EXPECT_EQ(host.subscriptions, std::vector<std::string>{"issue.created"});
  EXPECT_TRUE(worker.wait_for_notification("log"));
  EXPECT_EQ(worker.call("health", {}).at("status"), "ok");
}

TEST_F(Greeter, serves_data_actions_tools_and_jobs) {
  worker.initialise();
  EXPECT_EQ(worker.call("performAction", {{"key", "greet"}, {"params", {{"name", "Ada"}}}}).at("text"), "Good day, Ada!");
  const json::value tool = worker.call("executeTool", {{"toolName", "greet"}, {"parameters", {{"name", "Bo"}}}, {"runContext", json::object()}});
  EXPECT_EQ(tool.at("content"), "Good day, Bo!");
  EXPECT_EQ(worker.call("getData", {{"key", "greetings"}, {"params", json::object()}}).at("count").as_int64(), 2);
  EXPECT_TRUE(worker.call("runJob", {{"job", {{"jobKey", "reset"}, {"runId", "r"}, {"trigger", "manual"}, {"scheduledAt", "t"}}}}).is_null());
  EXPECT_EQ(worker.call("getData", {{"key", "greetings"}, {"params", json::object()}}).at("count").as_int64(), 0);
}

TEST_F(Greeter, answers_what_it_cannot_do_with_the_codes_of_the_contract) {
  worker.initialise();
  const auto error = [&](const std::string& method, json::object params) { return worker.ask(method, std::move(params)).at("error"); };
  EXPECT_EQ(error("getData", {{"key", "x"}, {"params", json::object()}}), (json::value{{"code", -32002}, {"message", "No data handler registered for key \"x\""}}));
  EXPECT_EQ(error("runJob", {{"job", {{"jobKey", "x"}}}}).at("message"), "No handler registered for job \"x\"");
  EXPECT_EQ(error("executeTool", {{"toolName", "x"}}).at("message"), "No tool handler registered for \"x\"");
  EXPECT_EQ(error("handleWebhook", {}), (json::value{{"code", -32004}, {"message", "handleWebhook is not implemented by this plugin"}}));
  EXPECT_EQ(error("environmentExecute", {}).at("code").as_int64(), -32004);
  EXPECT_EQ(error("inventNewThings", {}).at("code").as_int64(), -32601);
  EXPECT_EQ(error("performAction", {{"key", "greet"}, {"params", json::object()}}).at("message"), "name is required and must be a string");
  EXPECT_EQ(worker.call("validateConfig", {{"config", {{"greeting", ""}}}}).at("ok").as_bool(), false);
}

TEST_F(Greeter, notices_events_and_survives_noise) {
  worker.initialise();
  worker.send_line("this is no JSON");
  worker.send_line("");
  worker.send_line("[1, 2]");
  worker.notify("onEvent", {{"event", {{"eventType", "issue.created"}, {"entityId", "42"}}}});
  worker.notify("onEvent", {{"event", {{"eventType", "issue.updated"}, {"entityId", "43"}}}});
  std::string logged;
  EXPECT_TRUE(worker.wait_for_notification("log"));
  for (int i = 0; i < 100; ++i) worker.begin("health", {});
  EXPECT_EQ(worker.call("health", {}).at("status"), "ok");
  EXPECT_EQ(worker.wait(-1).at("error").at("code").as_int64(), -32700);
}

TEST_F(Greeter, answers_a_large_request_and_many_at_once) {
  worker.initialise();
  const std::string name(5'000'000, 'x');
  std::vector<std::int64_t> asked;
  for (int i = 0; i < 100; ++i) asked.push_back(worker.begin("getData", {{"key", "greetings"}, {"params", json::object()}}));
  EXPECT_EQ(worker.call("performAction", {{"key", "greet"}, {"params", {{"name", name}}}}).at("text").as_string().size(), name.size() + 11);
  for (const auto id : asked) EXPECT_TRUE(worker.wait(id).contains("result"));
}

TEST_F(Greeter, ends_when_told_to_and_when_the_host_has_gone) {
  worker.initialise();
  EXPECT_TRUE(worker.call("shutdown", {}).is_null());
  const int status = worker.close();
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);

  WorkerHost other("greeter", [this](const std::string& method, const json::object& params) { return host.answer(method, params); });
  other.initialise();
  EXPECT_EQ(other.close(), 0);
}

}  // namespace
}  // namespace paperclip
