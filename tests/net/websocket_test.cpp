#include "net/websocket.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <future>

#include "net/server.h"
#include "net/websocket_client.h"
#include "raw_client.h"

namespace paperclip::net {
namespace {

Deadline soon() { return Deadline::in(patience()); }

const std::string upgrade_request =
    "GET /events HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
    "13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

class WebSockets : public ::testing::Test {
 protected:
  void start(std::function<void(ServerOptions&)> change = {}) {
    ServerOptions options;
    options.handler = [](Request, Responder respond) { respond(Response::text(200, "plain")); };
    options.upgrade_handler = [this](const Request& request, Upgrade upgrade) {
      if (request.path == "/forbidden") return upgrade.refuse(Response::text(403, "forbidden", "text/plain"));
      if (request.path == "/elsewhere") return upgrade.drop();
      if (request.path == "/forgotten") return;
      token_ = std::string(request.headers.find("authorization").value_or("none"));
      upgrade.accept({[this](std::shared_ptr<WebSocket> socket) {
                        std::lock_guard lock(mutex_);
                        sockets_.push_back(std::move(socket));
                        changed_.notify_all();
                      },
                      [this] {
                        std::lock_guard lock(mutex_);
                        ++closed_;
                        changed_.notify_all();
                      }});
    };
    if (change) change(options);
    server_ = *Server::listen(std::move(options));
  }

  std::string url(std::string_view path = "/events") {
    return "ws://127.0.0.1:" + std::to_string(server_->port()) + std::string(path);
  }
  std::unique_ptr<WebSocketClient> connect() { return *WebSocketClient::connect(url(), {}, soon()); }

  std::shared_ptr<WebSocket> opened(std::size_t index = 0) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, patience(), [&] { return sockets_.size() > index; }))
      throw std::runtime_error("nobody opened a socket");
    return sockets_[index];
  }
  bool closed(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience(), [&] { return closed_ == count; });
  }

  std::unique_ptr<Server> server_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<WebSocket>> sockets_;
  std::string token_;
  int closed_ = 0;
};

TEST_F(WebSockets, Messages_arrive_whole_and_in_order_on_every_socket) {
  start();
  auto a = connect(), b = connect();
  opened(1);
  const auto large = std::make_shared<const std::string>(300'000, 'x');
  for (int i = 0; i < 200; ++i)
    for (std::size_t s : {0u, 1u}) EXPECT_TRUE(opened(s)->send_text(std::to_string(i)));
  for (std::size_t s : {0u, 1u}) EXPECT_TRUE(opened(s)->send_text(large));
  for (auto* client : {a.get(), b.get()}) {
    for (int i = 0; i < 200; ++i) ASSERT_EQ(client->read(soon()).value(), std::to_string(i));
    EXPECT_EQ(client->read(soon()).value(), *large);
  }
  EXPECT_EQ(server_->counters().websockets, 2);
}

TEST_F(WebSockets, Many_threads_may_send_at_once) {
  start();
  auto client = connect();
  const auto socket = opened();
  std::vector<std::thread> senders;
  for (int t = 0; t < 4; ++t)
    senders.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) socket->send_text(std::to_string(t) + ":" + std::to_string(i));
    });
  std::map<std::string, int> next;
  for (int i = 0; i < 400; ++i) {
    const auto parts = split(client->read(soon()).value().value(), ':');
    EXPECT_EQ(next[parts[0]]++, std::stoi(parts[1]));
  }
  for (auto& sender : senders) sender.join();
}

TEST_F(WebSockets, The_handshake_is_the_standard_one_and_names_no_software) {
  start();
  RawClient client(server_->port());
  client.send(upgrade_request);
  const auto response = client.response();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 101);
  EXPECT_EQ(response->headers.find("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");  // RFC 6455, 1.3
  EXPECT_EQ(response->head.find("Beast"), std::string::npos);
  opened()->send_text(std::string("hello"));
  while (client.received.size() < 7 && client.receive()) {}
  EXPECT_EQ(client.received, "\x81\x05hello");
}

TEST_F(WebSockets, A_refusal_is_a_plain_answer) {
  start();
  for (const auto& [path, status, body] :
       {std::tuple("/forbidden", 403, "forbidden"), std::tuple("/forgotten", 500, "upgrade failed")}) {
    RawClient client(server_->port());
    client.send(replace_all(upgrade_request, "/events", path));
    const auto response = client.response();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, status);
    EXPECT_EQ(response->body, body);
    EXPECT_EQ(response->headers.find("content-type"), "text/plain");
    EXPECT_EQ(response->headers.find("connection"), "close");
    EXPECT_TRUE(client.is_closed_by_server());
    const auto refused = WebSocketClient::connect(url(path), {}, soon());
    EXPECT_EQ(refused.error().kind, ErrorKind::bad_gateway);
    EXPECT_EQ(refused.error().details.at("status").to_number<int>(), status);
  }
  RawClient dropped(server_->port());
  dropped.send(replace_all(upgrade_request, "/events", "/elsewhere"));
  EXPECT_TRUE(dropped.is_closed_by_server());
}

TEST_F(WebSockets, Handshakes_that_are_not_right_are_refused) {
  start();
  const auto status_of = [&](const std::string& request) {
    RawClient client(server_->port());
    client.send(request);
    const auto response = client.response();
    return response ? response->status : 0;
  };
  EXPECT_EQ(status_of(replace_all(upgrade_request, "Version: 13", "Version: 8")), 426);
  EXPECT_EQ(status_of(replace_all(upgrade_request, "dGhlIHNhbXBsZSBub25jZQ==", "short")), 400);
  EXPECT_EQ(
      status_of(replace_all(upgrade_request, "\r\n\r\n", "\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")),
      400);
  EXPECT_EQ(status_of(replace_all(upgrade_request, "\r\n\r\n", "\r\nContent-Length: 3\r\n\r\nabc")), 400);
  EXPECT_EQ(status_of(replace_all(upgrade_request, "Upgrade: websocket", "Upgrade: h2c")), 200);
}

TEST_F(WebSockets, Headers_of_the_upgrade_reach_the_decision) {
  start();
  Headers headers;
  headers.add("Authorization", "Bearer pcp_key");
  auto client = *WebSocketClient::connect(url(), headers, soon());
  opened();
  EXPECT_EQ(token_, "Bearer pcp_key");
}

TEST_F(WebSockets, What_clients_say_is_ignored_until_it_is_too_much) {
  start();
  auto client = connect();
  const auto socket = opened();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(client->send_text(std::string(10'000, 'x'), soon()).ok());
  socket->send_text(std::string("still here"));
  EXPECT_EQ(client->read(soon()).value(), "still here");
  EXPECT_TRUE(client->send_text(std::string(70'000, 'x'), soon()).ok());
  const auto end = client->read(soon());
  ASSERT_TRUE(end.ok()) << end.error().message;
  EXPECT_FALSE(end->has_value());
  EXPECT_EQ(client->close_code(), 1009);
  EXPECT_TRUE(closed(1));
}

TEST_F(WebSockets, Either_side_may_close) {
  start();
  auto first = connect();
  auto socket = opened();
  first->close(soon());
  EXPECT_TRUE(closed(1));
  EXPECT_FALSE(socket->send_text(std::string("to nobody")));
  auto second = connect();
  socket = opened(1);
  socket->send_text(std::string("last words"));
  socket->close(CloseCode::normal, "done");
  EXPECT_FALSE(socket->send_text(std::string("after the close")));
  EXPECT_EQ(second->read(soon()).value(), "last words");
  EXPECT_FALSE(second->read(soon()).value().has_value());
  EXPECT_EQ(second->close_code(), 1000);
  EXPECT_TRUE(closed(2));
  EXPECT_EQ(server_->counters().websockets, 0);
  EXPECT_EQ(server_->counters().connections, 0);
}

TEST_F(WebSockets, A_peer_that_vanishes_is_noticed) {
  start();
  {
    RawClient client(server_->port());
    client.send(upgrade_request);
    opened();
  }
  EXPECT_TRUE(closed(1));
}

TEST_F(WebSockets, A_peer_that_answers_no_ping_is_dropped) {
  start([](ServerOptions& options) { options.websocket_limits.ping_interval = std::chrono::milliseconds(30); });
  RawClient dead(server_->port());
  dead.send(upgrade_request);
  EXPECT_TRUE(closed(1));
  ASSERT_TRUE(dead.response());
  while (dead.receive()) {}
  EXPECT_EQ(dead.received.substr(0, 1), "\x89");  // the ping it was sent
}

TEST_F(WebSockets, A_peer_that_answers_pings_stays) {
  start([](ServerOptions& options) { options.websocket_limits.ping_interval = std::chrono::milliseconds(400); });
  RawClient client(server_->port());
  client.send(upgrade_request);
  ASSERT_TRUE(client.response());
  // Two answers: after the second, twice the interval has passed.
  for (int pings = 0; pings < 2; ++pings) {
    while (client.received.size() < 2) ASSERT_TRUE(client.receive());
    EXPECT_EQ(client.received, std::string_view("\x89\x00", 2));
    client.received.clear();
    client.send(std::string_view("\x8a\x80\x01\x02\x03\x04", 6));
  }
  opened()->send_text(std::string("you are alive"));
  while (client.received.size() < 15) ASSERT_TRUE(client.receive());
  EXPECT_EQ(client.received.substr(2), "you are alive");
}

TEST_F(WebSockets, A_reader_that_is_too_slow_is_dropped_counted_and_told) {
  start([](ServerOptions& options) {
    options.websocket_limits.outbox_messages = 50;
    options.websocket_limits.outbox_bytes = 10'000'000;
  });
  auto slow = connect();
  const auto socket = opened();
  const auto text = std::make_shared<const std::string>(100'000, 'x');
  int taken = 0;
  while (socket->send_text(text)) ASSERT_LT(++taken, 100'000);
  EXPECT_EQ(server_->counters().slow_readers_dropped, 1u);
  // It catches up with what was on its way, and learns why there is no more.
  while (true) {
    const auto message = slow->read(soon());
    ASSERT_TRUE(message.ok()) << message.error().message;
    if (!message->has_value()) break;
  }
  EXPECT_EQ(slow->close_code(), 1013);
  EXPECT_TRUE(closed(1));
}

TEST_F(WebSockets, A_reader_that_never_reads_again_is_cut_off) {
  start([](ServerOptions& options) {
    options.websocket_limits.outbox_bytes = 1'000'000;
    options.websocket_limits.handshake = std::chrono::milliseconds(50);
  });
  RawClient stuck(server_->port(), 4096);
  stuck.send(upgrade_request);
  const auto socket = opened();
  while (socket->send_text(std::string(100'000, 'x'))) {}
  EXPECT_TRUE(closed(1));
}

TEST_F(WebSockets, A_stopping_server_says_goodbye) {
  start();
  auto client = connect();
  opened();
  auto code = std::async(std::launch::async, [&] {
    const auto message = client->read(soon());
    return message.ok() && !message->has_value() ? client->close_code() : 0;
  });
  EXPECT_TRUE(server_->stop(soon()));
  EXPECT_EQ(code.get(), 1001);
  EXPECT_EQ(closed_, 1);
  server_.reset();
  EXPECT_FALSE(sockets_[0]->send_text(std::string("to nobody")));
}

TEST(WebSocketClient, Reading_has_a_deadline_and_can_be_interrupted) {
  std::shared_ptr<WebSocket> socket;
  std::promise<void> opened;
  ServerOptions options;
  options.handler = [](Request, Responder) {};
  options.upgrade_handler = [&](const Request&, Upgrade upgrade) {
    upgrade.accept({[&](std::shared_ptr<WebSocket> accepted) {
                      socket = std::move(accepted);
                      opened.set_value();
                    },
                    {}});
  };
  const auto server = *Server::listen(std::move(options));
  auto client = *WebSocketClient::connect("ws://localhost:" + std::to_string(server->port()), {}, soon());
  opened.get_future().wait();
  EXPECT_EQ(client->read(Deadline::in(std::chrono::milliseconds(10))).error().kind, ErrorKind::timeout);
  socket->send_text(std::string("not lost"));
  EXPECT_EQ(client->read(soon()).value(), "not lost");
  std::thread other([&] { client->interrupt(); });
  EXPECT_EQ(client->read(Deadline::never()).error().kind, ErrorKind::unavailable);
  other.join();
}

TEST(WebSocketClient, Says_what_it_could_not_do) {
  for (const char* url :
       {"http://localhost/", "ws://", "ws:///x", "ws://a b/", "ws://a/\r\nX: y", "ws://[::1/", "ws://user@host/"})
    EXPECT_EQ(WebSocketClient::connect(url, {}, soon()).error().kind, ErrorKind::bad_request) << url;
  std::uint16_t port;
  {
    ServerOptions options;
    options.handler = [](Request, Responder) {};
    port = (*Server::listen(std::move(options)))->port();
  }
  const auto refused = WebSocketClient::connect("ws://127.0.0.1:" + std::to_string(port), {}, soon());
  EXPECT_EQ(refused.error().kind, ErrorKind::bad_gateway);
  EXPECT_EQ(refused.error().message, "Cannot connect to 127.0.0.1:" + std::to_string(port) + ": Connection refused");
}

}  // namespace
}  // namespace paperclip::net
