// Callbacks whose server goes away: each write is done at most once, and whoever asked hears the truth.
#include <atomic>
#include <thread>

#include "bridge_fixture.h"

namespace paperclip::environments {
namespace {

using BridgeReconnectTest = BridgeFixture;

// The connection is lost while a write is being performed, and again before its answer is out.
TEST_F(BridgeReconnectTest, A_lost_connection_repeats_no_write_and_loses_no_answer) {
  api_.shut();
  start_waiting();
  Wire wire(port_);
  wire.say(post("/api/issues/1/comments", "{}"));
  ASSERT_TRUE(api_.wait_calls(1));
  restart_server();
  reattach();
  recorder_->wait_started();
  restart_server();
  api_.open();
  ASSERT_TRUE(eventually([&] { return session_->counts().performed == 1; }));
  reattach();
  const Heard heard = wire.hear();
  EXPECT_EQ(heard.status, 200);
  EXPECT_EQ(heard.body, R"({"path":"/api/issues/1/comments"})");
  EXPECT_EQ(api_.calls(), 1u);
  EXPECT_EQ(session_->counts().repeated, 1u);
  EXPECT_EQ(wire.ask(get("/api/agents/me")).status, 200) << "and goes on";
}

// A new server knows nothing of the former one's callbacks: reads are done again, a write may have been done.
TEST_F(BridgeReconnectTest, A_restarted_server_repeats_reads_and_no_write) {
  api_.shut();
  start_waiting();
  Wire write(port_), read(port_);
  write.say(post("/api/issues/1/comments", "{}"));
  read.say(get("/api/agents/me"));
  ASSERT_TRUE(api_.wait_calls(2));
  restart_server();
  renew_session();
  reattach();
  const Heard unsure = write.hear();
  EXPECT_EQ(unsure.status, 502);
  EXPECT_NE(unsure.body.find("may or may not have been executed"), std::string::npos) << unsure.body;
  api_.open();
  EXPECT_EQ(read.hear().status, 200);
  EXPECT_EQ(api_.calls(), 3u);
  const auto requests = api_.requests();
  EXPECT_EQ(std::count_if(requests.begin(), requests.end(), [](const auto& request) { return request.method == net::Method::post; }), 1);
  EXPECT_EQ(write.ask(post("/api/issues/2/comments", "{}")).status, 200) << "the next write is nobody's repetition";
}

// While no server is there, requests wait; the next one performs them, once each.
TEST_F(BridgeReconnectTest, Requests_wait_for_a_server) {
  start_waiting();
  runner_.reset();
  std::vector<std::unique_ptr<Wire>> wires;
  for (int i = 0; i < 12; ++i) {
    wires.push_back(std::make_unique<Wire>(port_));
    wires.back()->say(post("/api/issues/" + std::to_string(i) + "/comments", "{}"));
  }
  EXPECT_EQ(call("GET /api/agents/me HTTP/1.1\r\nHost: x\r\n\r\n").status, 401) << "the listener lives on";
  EXPECT_EQ(api_.calls(), 0u);
  restart_server();
  renew_session();
  reattach();
  for (int i = 0; i < 12; ++i) EXPECT_EQ(wires[static_cast<std::size_t>(i)]->hear().status, 200);
  EXPECT_EQ(api_.calls(), 12u);
}

// Many connections die under many writers: whoever got a 200 was performed once, nobody twice.
TEST_F(BridgeReconnectTest, Nothing_is_performed_twice_however_often_the_connection_dies) {
  start_waiting();
  std::atomic<bool> over = false;
  std::atomic<int> number = 0;
  std::mutex mutex;
  std::vector<std::string> succeeded;
  std::vector<std::thread> writers;
  for (int i = 0; i < 6; ++i)
    writers.emplace_back([&] {
      while (!over) {
        const std::string path = "/api/issues/" + std::to_string(++number) + "/comments";
        if (Wire(port_).ask(post(path, R"({"body":")" + std::string(40'000, 'x') + R"("})")).status != 200) continue;
        const std::lock_guard lock(mutex);
        succeeded.push_back(path);
      }
    });
  for (int i = 0; i < 25; ++i) {
    restart_server();
    if (i % 5 == 4) renew_session();
    reattach();
    recorder_->wait_started();
    const auto before = api_.calls();
    ASSERT_TRUE(api_.wait_calls(before + 2));
  }
  over = true;
  for (auto& writer : writers) writer.join();
  std::map<std::string, int> performed;
  for (const auto& request : api_.requests()) ++performed[request.path];
  for (const auto& [path, times] : performed) EXPECT_EQ(times, 1) << path;
  for (const auto& path : succeeded) EXPECT_EQ(performed[path], 1) << path;
  EXPECT_GT(succeeded.size(), 20u);
}

}  // namespace
}  // namespace paperclip::environments
