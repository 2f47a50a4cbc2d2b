// The callback bridge with a real runner: what an agent sees at its loopback address, and what reaches the API.
#include "bridge_fixture.h"

namespace paperclip::environments {
namespace {

using BridgeTest = BridgeFixture;

// An agent asks with curl; what it sends beside the four fields stays in its place.
TEST_F(BridgeTest, An_agent_calls_the_api) {
  api_.answer = [](const net::Request&) {
    auto response = net::Response::json(201, R"({"id":"c"})");
    response.headers.set("ETag", "W/\"17e\"");
    response.headers.set("Set-Cookie", "a=b");
    return response;
  };
  start_bridged(shell(
      "curl -sS -i -H \"Authorization: Bearer $PAPERCLIP_API_KEY\" -H 'X-Debug: 1' -H 'Cookie: a=b' -H 'X-Paperclip-Run-Id: forged' "
      "-H 'Content-Type: application/json' -d '{\"body\": \"through the bridge\"}' \"$PAPERCLIP_API_URL/api/issues/x/comments?a=1\""));
  recorder_->wait_exit();
  const auto requests = api_.requests();
  ASSERT_EQ(requests.size(), 1u) << recorder_->out() << recorder_->err();
  EXPECT_EQ(requests[0].method, net::Method::post);
  EXPECT_EQ(requests[0].target, "/api/issues/x/comments?a=1");
  EXPECT_EQ(requests[0].body, R"({"body":"through the bridge"})");
  EXPECT_EQ(requests[0].headers.size(), 2u);
  EXPECT_EQ(requests[0].headers.find("accept"), "*/*");
  EXPECT_EQ(requests[0].headers.find("content-type"), "application/json");
  EXPECT_EQ(api_.last_caller->run, run_);
  EXPECT_EQ(api_.last_caller->agent, caller_.agent);
  const std::string out = recorder_->out();
  const auto at = [&](const char* text) { return out.find(text); };
  EXPECT_EQ(at("HTTP/1.1 201 Created\r\ncontent-type: application/json; charset=utf-8\r\netag: W/\"17e\"\r\nDate: "), 0u) << out;
  EXPECT_LT(at("Date: "), at("Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 10\r\n\r\n{\"id\":\"c\"}"));
  EXPECT_EQ(at("Set-Cookie"), std::string::npos);
}

// The refusals of spec/callback-bridge.md 2, in the order in which they are looked for.
TEST_F(BridgeTest, Refusals_are_those_of_the_contract) {
  start_waiting();
  const std::string host = "Host: 127.0.0.1\r\n", right = "Authorization: Bearer " + token_.expose() + "\r\n";
  const auto error = [](const char* text) { return std::string("{\"error\":\"") + text + "\"}"; };
  const auto expect = [&](const std::string& bytes, int status, const std::string& body) {
    const Heard heard = call(bytes);
    EXPECT_EQ(heard.status, status) << bytes.substr(0, 200);
    EXPECT_EQ(heard.body, body) << bytes.substr(0, 200);
    EXPECT_EQ(heard.headers.at("content-type"), "application/json");
  };
  const std::string me = "GET /api/agents/me HTTP/1.1\r\n";
  for (const std::string& authorization :
       {std::string(), std::string("Authorization: Bearer wrong\r\n"), "Authorization: bearer " + token_.expose() + "\r\n",
        "Authorization: Bearer  " + token_.expose() + "\r\n", "Authorization: " + token_.expose() + "\r\n",
        "Authorization: Bearer " + token_.expose().substr(1) + "\r\n", "Authorization: Bearer " + token_.expose() + "x\r\n"})
    expect(me + host + authorization + "\r\n", 401, error("Invalid bridge token."));
  expect("POST /api/issues/x/comments HTTP/1.1\r\n" + host + "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi", 401, error("Invalid bridge token."));
  expect("POST /api/issues/x/comments HTTP/1.1\r\n" + host + right + "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi", 415,
         error("Bridge only accepts JSON request bodies."));
  expect("POST /api/issues/x/checkout HTTP/1.1\r\n" + host + right + "\r\n", 415, error("Bridge only accepts JSON request bodies."));
  expect(post("/api/issues/x/comments", std::string(270'000, 'x')), 502, error("Bridge request body exceeded the configured size limit."));
  expect(get("/api/companies"), 403, error("Route not allowed: GET /api/companies"));
  expect(post("/api/issues/x", "{}", "DELETE"), 403, error("Route not allowed: DELETE /api/issues/x"));
  Wire wire(port_);
  wire.say("HEAD /api/agents/me HTTP/1.1\r\n" + host + right + "\r\n");
  EXPECT_EQ(wire.hear(true).status, 403);
  EXPECT_EQ(wire.ask(get("/api/companies")).status, 403) << "a HEAD's answer has no body, or the next would not be found";
  EXPECT_EQ(api_.calls(), 0u);
}

TEST_F(BridgeTest, Only_so_many_requests_wait) {
  api_.shut();
  start_waiting([](auto& setup) { setup.queue_depth = 1; });
  Wire first(port_);
  first.say(get("/api/agents/me"));
  ASSERT_TRUE(api_.wait_calls(1));
  EXPECT_EQ(call("GET /api/agents/me HTTP/1.1\r\nHost: x\r\n\r\n").status, 401) << "the token comes first";
  const Heard full = call(get("/api/agents/me"));
  EXPECT_EQ(full.status, 503);
  EXPECT_EQ(full.body, R"({"error":"Bridge request queue is full."})");
  EXPECT_EQ(full.headers.at("retry-after"), "1");
  api_.open();
  EXPECT_EQ(first.hear().status, 200);
  EXPECT_EQ(first.ask(get("/api/agents/me")).status, 200);
  EXPECT_EQ(api_.calls(), 2u);
}

// Each stream has its own credit: a body of many windows arrives whole both ways, beside others.
TEST_F(BridgeTest, Long_bodies_pass_up_to_the_limit) {
  policy_.max_body_bytes = 2'000'000;
  renew_session();
  start_waiting();
  const std::string long_text(1'900'000, 'y');
  api_.answer = [&](const net::Request& request) { return net::Response::json(200, request.body); };
  std::vector<std::unique_ptr<Wire>> wires;
  const std::string body = R"({"body":")" + long_text + R"("})";
  for (int i = 0; i < 6; ++i) {
    wires.push_back(std::make_unique<Wire>(port_));
    wires.back()->say(post("/api/issues/x/comments", body));
  }
  for (auto& wire : wires) EXPECT_EQ(wire->hear().body, body);
  std::string chunked = "POST /api/issues/x/comments HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + token_.expose() +
                        "\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (std::size_t at = 0; at < body.size(); at += 50'000) {
    char size[16];
    const auto piece = body.substr(at, 50'000);
    std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
    chunked.append(size).append(piece).append("\r\n");
  }
  EXPECT_EQ(call(chunked + "0\r\n\r\n").body, body);
  api_.answer = [](const net::Request&) { return net::Response::json(200, std::string(2'000'001, 'x')); };
  const Heard too_long = call(get("/api/agents/me"));
  EXPECT_EQ(too_long.status, 502);
  EXPECT_EQ(too_long.body, R"({"error":"Bridge response body exceeded the configured size limit of 2000000 bytes."})");
}

// Twenty ask at once: eight are at the API, the others wait in the order in which they came.
TEST_F(BridgeTest, Eight_are_performed_at_once_and_the_oldest_first) {
  api_.shut();
  start_waiting();
  std::vector<std::unique_ptr<Wire>> wires;
  for (int i = 0; i < 20; ++i) {
    wires.push_back(std::make_unique<Wire>(port_));
    wires.back()->say(get("/api/issues/" + std::to_string(i)));
    // One after another, or nobody could say which came first.
    if (i < 8) {
      ASSERT_TRUE(api_.wait_calls(static_cast<std::size_t>(i) + 1));
    }
  }
  EXPECT_EQ(call(get("/api/agents/me", "Connection: close\r\nTransfer-Encoding: x\r\n")).status, 400) << "all twenty are known to the runner by now";
  EXPECT_EQ(api_.calls(), 8u);
  api_.open();
  for (auto& wire : wires) EXPECT_EQ(wire->hear().status, 200);
  EXPECT_EQ(session_->counts().most_at_once, 8u);
  const auto requests = api_.requests();
  ASSERT_EQ(requests.size(), 20u);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(requests[static_cast<std::size_t>(i)].path, "/api/issues/" + std::to_string(i));
}

TEST_F(BridgeTest, Who_waited_too_long_is_told) {
  api_.shut();
  start_waiting([](auto& setup) { setup.response_timeout_ms = 100; });
  Wire wire(port_);
  const Heard heard = wire.ask(get("/api/agents/me"));
  EXPECT_EQ(heard.status, 502);
  EXPECT_EQ(heard.body, R"({"error":"Timed out waiting for host bridge response."})");
  api_.open();
  EXPECT_EQ(wire.ask(get("/api/issues/1")).body, R"({"path":"/api/issues/1"})") << "the late answer goes to nobody";
}

// A keep-alive connection carries one request after another; what is sent ahead waits its turn.
TEST_F(BridgeTest, A_connection_is_used_again) {
  start_waiting();
  Wire wire(port_);
  wire.say(get("/api/issues/1") + get("/api/issues/2") + post("/api/issues/3/comments", "{}") + get("/api/issues/4", "Connection: close\r\n"));
  for (const char* path : {"/api/issues/1", "/api/issues/2", "/api/issues/3/comments", "/api/issues/4"})
    EXPECT_EQ(wire.hear().body, std::string(R"({"path":")") + path + R"("})");
  EXPECT_EQ(wire.hear().status, 0);
}

TEST_F(BridgeTest, A_large_body_is_asked_for_when_its_client_wants_to_be_asked) {
  start_waiting();
  Wire wire(port_);
  const std::string whole = post("/api/issues/1/comments", "{}");
  const auto head_end = whole.find("\r\n\r\n");
  wire.say(whole.substr(0, head_end) + "\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(wire.hear().status, 100);
  wire.say("{}");
  EXPECT_EQ(wire.hear().status, 200);
}

// What the agent asked before it ended is still performed; nobody is left waiting.
TEST_F(BridgeTest, What_was_asked_before_the_agents_end_is_performed) {
  api_.shut();
  start_waiting();
  Wire wire(port_);
  wire.say(post("/api/issues/1/comments", "{}"));
  ASSERT_TRUE(api_.wait_calls(1));
  end_agent();
  EXPECT_TRUE(eventually([&] { return call("GET / HTTP/1.1\r\nHost: x\r\n\r\n").status == 0; })) << "nothing new is taken";
  EXPECT_FALSE(recorder_->exit());
  api_.open();
  EXPECT_EQ(wire.hear().status, 200);
  EXPECT_EQ(recorder_->wait_exit().exit_code, 0);
}

TEST_F(BridgeTest, A_drain_ends) {
  api_.shut();
  start_waiting([](auto& setup) {
    setup.drain_ms = 100;
    setup.concurrency = 1;
  });
  Wire first(port_), second(port_);
  first.say(post("/api/issues/1/comments", "{}"));
  ASSERT_TRUE(api_.wait_calls(1));
  second.say(post("/api/issues/2/comments", "{}"));
  EXPECT_EQ(call(get("/x", "Host: twice\r\n")).status, 400) << "the second is known to the runner by now";
  end_agent();
  EXPECT_EQ(second.hear().body, R"({"error":"Bridge worker stopped before request could be handled."})");
  EXPECT_EQ(first.hear().status, 503);
  EXPECT_EQ(recorder_->wait_exit().exit_code, 0);
  session_->close();
  api_.open();
  EXPECT_EQ(api_.calls(), 1u);
}

TEST_F(BridgeTest, A_cancelled_run_does_not_wait_for_its_callbacks) {
  api_.shut();
  start_waiting();
  Wire wire(port_);
  wire.say(post("/api/issues/1/comments", "{}"));
  ASSERT_TRUE(api_.wait_calls(1));
  runner_->cancel(run_, std::chrono::milliseconds(0));
  EXPECT_TRUE(recorder_->wait_exit().cancelled);
  EXPECT_EQ(wire.hear().status, 503);
}

TEST_F(BridgeTest, The_token_is_in_no_file_and_no_argv) {
  start_waiting();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(run_directory())) {
    if (!entry.is_regular_file()) continue;
    const auto bytes = os::read_file(entry.path());
    ASSERT_TRUE(bytes);
    EXPECT_EQ(bytes->find(token_.expose()), std::string::npos) << entry.path();
  }
  EXPECT_TRUE(processes_with(token_.expose()).empty());
}

}  // namespace
}  // namespace paperclip::environments
