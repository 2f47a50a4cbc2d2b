#include "net/server.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>

#include "net/worker_pool.h"
#include "raw_client.h"

namespace paperclip::net {
namespace {

#define HOST "Host: localhost\r\n"

std::string gzip(std::string_view text, int window_bits = 15 + 16) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// Holds responders until the test wants them answered.
class Parking {
 public:
  void park(Request request, Responder respond) {
    std::lock_guard lock(mutex_);
    parked_.emplace_back(std::move(request), std::move(respond));
    changed_.notify_all();
  }
  std::pair<Request, Responder> take() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, patience(), [&] { return !parked_.empty(); })) throw std::runtime_error("nobody came");
    auto out = std::move(parked_.front());
    parked_.pop_front();
    return out;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<Request, Responder>> parked_;
};

template <class Condition>
bool eventually(Condition condition) {
  const auto deadline = Deadline::in(patience());
  while (!condition()) {
    if (deadline.passed()) return false;
    std::this_thread::yield();
  }
  return true;
}

// Answers with what it was asked, for tests to look at.
void echo(Request request, Responder respond) {
  Response response = Response::text(200, std::move(request.body));
  response.headers.add("X-Method", request.method_text);
  response.headers.add("X-Path", request.path);
  response.headers.add("X-Query", request.query);
  response.headers.add("X-Remote", request.remote_address);
  response.headers.add("X-Encoding", request.headers.find("content-encoding").value_or("none"));
  respond(std::move(response));
}

std::unique_ptr<Server> serve(Handler handler, std::function<void(ServerOptions&)> change = {}) {
  ServerOptions options;
  options.handler = std::move(handler);
  if (change) change(options);
  auto server = Server::listen(std::move(options));
  if (!server) throw std::runtime_error(server.error().message);
  return *std::move(server);
}

TEST(Server, Answers_a_request_with_length_and_date_and_without_naming_itself) {
  const auto server = serve(echo);
  RawClient client(server->port());
  client.send("POST /a%20b?c=d HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello");
  const auto response = client.response();
  ASSERT_TRUE(response);
  EXPECT_TRUE(response->head.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(response->body, "hello");
  EXPECT_EQ(response->headers.find("content-length"), "5");
  EXPECT_EQ(response->headers.find("date")->size(), 29u);
  EXPECT_EQ(response->headers.find("x-method"), "POST");
  EXPECT_EQ(response->headers.find("x-path"), "/a%20b");
  EXPECT_EQ(response->headers.find("x-query"), "c=d");
  EXPECT_EQ(response->headers.find("x-remote"), "127.0.0.1");
  EXPECT_FALSE(response->headers.contains("server") || response->headers.contains("connection"));
}

TEST(Server, Keeps_a_connection_for_many_requests) {
  const auto server = serve(echo);
  RawClient client(server->port());
  for (int i = 0; i < 100; ++i) {
    const std::string number = std::to_string(i);
    client.send("POST /" + number + " HTTP/1.1\r\n" HOST "Content-Length: " + std::to_string(number.size()) +
                "\r\n\r\n" + number);
    const auto response = client.response();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, number);
  }
  EXPECT_EQ(server->counters().accepted, 1u);
  EXPECT_EQ(server->counters().requests, 100u);
}

// The answers are made by several threads, in any order; on the wire they keep the order of the requests.
TEST(Server, Answers_pipelined_requests_in_order) {
  WorkerPool pool(3);
  const auto server = serve([&](Request request, Responder respond) {
    if (request.query == "inline") return echo(std::move(request), std::move(respond));
    auto shared = std::make_shared<std::pair<Request, Responder>>(std::move(request), std::move(respond));
    ASSERT_TRUE(pool.post([shared] { echo(std::move(shared->first), std::move(shared->second)); }));
  });
  RawClient client(server->port());
  std::string all;
  constexpr int count = 500;
  for (int i = 0; i < count; ++i) {
    all += "POST /" + std::to_string(i) + (i % 3 != 0 ? "?inline" : "") + " HTTP/1.1\r\n" HOST;
    all += i % 2 ? "Content-Length: 2\r\n\r\nab" : "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
  }
  std::thread sender([&] { client.send(all); });
  for (int i = 0; i < count; ++i) {
    const auto response = client.response();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->headers.find("x-path"), "/" + std::to_string(i));
    EXPECT_EQ(response->body, "ab");
  }
  sender.join();
  pool.stop();
}

TEST(Server, A_request_that_comes_byte_by_byte_is_one_request) {
  const auto server = serve(echo);
  RawClient client(server->port());
  for (const char c :
       std::string_view("POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
    client.send({&c, 1});
  EXPECT_EQ(client.response()->body, "abc");
  client.send("GET /y HTTP/1.1\r\n" HOST "\r\n");
  EXPECT_EQ(client.response()->headers.find("x-path"), "/y");
}

TEST(Server, Speaks_HTTP_1_0) {
  const auto server = serve(echo);
  RawClient once(server->port());
  once.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(once.response()->headers.find("connection"), "close");
  EXPECT_TRUE(once.is_closed_by_server());
  RawClient kept(server->port());
  kept.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(kept.response()->headers.find("connection"), "keep-alive");
  kept.send("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
  EXPECT_EQ(kept.response()->headers.find("connection"), "close");
  EXPECT_TRUE(kept.is_closed_by_server());
}

TEST(Server, Answers_HEAD_like_GET_without_the_body) {
  const std::string large(200'000, 'x');
  const auto server = serve([&](Request, Responder respond) { respond(Response::text(200, large)); });
  RawClient client(server->port());
  client.send("HEAD / HTTP/1.1\r\n" HOST "\r\nGET / HTTP/1.1\r\n" HOST "\r\n");
  const auto head = client.response(true);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->headers.find("content-length"), "200000");
  EXPECT_EQ(client.response()->body, large);
}

TEST(Server, Sends_no_body_with_204_and_304) {
  const auto server = serve([](Request request, Responder respond) {
    respond(Response::text(request.path == "/204" ? 204 : 304, "ignored"));
  });
  RawClient client(server->port());
  client.send("GET /204 HTTP/1.1\r\n" HOST "\r\nGET /304 HTTP/1.1\r\n" HOST "\r\n");
  const auto empty = client.response();
  ASSERT_TRUE(empty);
  EXPECT_FALSE(empty->headers.contains("content-length"));
  EXPECT_EQ(client.response()->status, 304);
  EXPECT_EQ(client.received, "");
}

TEST(Server, Asks_for_the_body_when_the_client_waits_to_be_asked) {
  const auto server = serve(echo);
  RawClient client(server->port());
  client.send("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.response()->head, "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hello");
  EXPECT_EQ(client.response()->body, "hello");
  // Not asked when the body is there already, nor when it is too large.
  client.send("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello");
  EXPECT_EQ(client.response()->status, 200);
  client.send("POST / HTTP/1.1\r\n" HOST "Content-Length: 50000000\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.response()->status, 413);
}

TEST(Server, Refuses_a_body_beyond_the_limit_and_the_client_gets_to_read_why) {
  const auto server = serve(echo, [](ServerOptions& options) {
    options.body_limit = [](const Request& request) -> std::size_t {
      return request.path == "/upload" ? 3'000'000 : 1000;
    };
  });
  const std::string body(2'000'000, 'x');
  RawClient accepted(server->port());
  accepted.send("POST /upload HTTP/1.1\r\n" HOST "Content-Length: 2000000\r\n\r\n" + body);
  EXPECT_EQ(accepted.response()->body.size(), body.size());
  for (const std::string framing :
       {"Content-Length: 2000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n1e8480\r\n"}) {
    RawClient refused(server->port());
    refused.send("POST / HTTP/1.1\r\n" HOST + framing + body);
    const auto response = refused.response();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 413);
    EXPECT_EQ(response->body, R"({"error":"Request body too large"})");
    refused.finish_sending();
    EXPECT_TRUE(refused.is_closed_by_server());
  }
}

TEST(Server, Inflates_compressed_bodies_under_the_limit) {
  const auto server = serve(echo, [](ServerOptions& options) { options.limits.body_bytes = 100'000; });
  const std::string text(50'000, 'x');
  const auto post = [&](std::string_view encoding, std::string_view body) {
    RawClient client(server->port());
    client.send("POST / HTTP/1.1\r\n" HOST "Content-Encoding: " + std::string(encoding) +
                "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
    client.send(body);
    return client.response().value();
  };
  for (const auto& [encoding, bits] : {std::pair("gzip", 31), std::pair("deflate", 15), std::pair("deflate", -15)}) {
    const auto response = post(encoding, gzip(text, bits));
    EXPECT_EQ(response.body, text) << encoding << bits;
    EXPECT_EQ(response.headers.find("x-encoding"), "none");
  }
  EXPECT_EQ(post("gzip", gzip(std::string(100'000, 'y'))).status, 200);
  EXPECT_EQ(post("gzip", gzip(std::string(100'001, 'y'))).status, 413);
  EXPECT_EQ(post("gzip", gzip(std::string(50'000'000, 'y'))).status, 413);  // a bomb of 50 kB
  EXPECT_EQ(post("gzip", gzip(text).substr(0, 20)).status, 400);
  EXPECT_EQ(post("gzip", gzip(text) + "more").status, 400);
  EXPECT_EQ(post("gzip", "not compressed").status, 400);
  EXPECT_EQ(post("br", "x").status, 415);
}

TEST(Server, An_unanswered_request_is_500) {
  Parking parking;
  const auto server = serve([&](Request request, Responder respond) {
    if (request.path == "/throw") throw std::runtime_error("a bug");
    if (request.path == "/park") parking.park(std::move(request), std::move(respond));
  });
  for (const std::string path : {"/drop", "/throw", "/park"}) {
    RawClient client(server->port());
    client.send("GET " + path + " HTTP/1.1\r\n" HOST "\r\n");
    if (path == "/park") parking.take();
    const auto response = client.response();
    ASSERT_TRUE(response) << path;
    EXPECT_EQ(response->status, 500);
    EXPECT_EQ(response->body, R"({"error":"Internal server error"})");
  }
}

TEST(Server, A_second_answer_and_an_answer_to_nobody_are_ignored) {
  Parking parking;
  auto server =
      serve([&](Request request, Responder respond) { parking.park(std::move(request), std::move(respond)); });
  auto client = std::make_unique<RawClient>(server->port());
  client->send("GET / HTTP/1.1\r\n" HOST "\r\n");
  auto [request, respond] = parking.take();
  respond(Response::text(200, "first"));
  respond(Response::text(200, "second"));
  EXPECT_EQ(client->response()->body, "first");
  client->send("GET / HTTP/1.1\r\n" HOST "\r\n");
  auto [second_request, second] = parking.take();
  client.reset();
  second(Response::text(200, "gone"));
  EXPECT_TRUE(eventually([&] { return server->counters().connections == 0; }));
  RawClient other(server->port());
  other.send("GET / HTTP/1.1\r\n" HOST "\r\n");
  auto [late_request, late] = parking.take();
  server.reset();
  late(Response::text(200, "the server is gone"));
}

TEST(Server, A_header_that_would_end_its_line_is_never_sent) {
  const auto server = serve([](Request, Responder respond) {
    Response response = Response::text(200, "body");
    response.headers.add("Location", "/x\r\nSet-Cookie: a=b");
    respond(std::move(response));
  });
  RawClient client(server->port());
  client.send("GET / HTTP/1.1\r\n" HOST "\r\n");
  const auto response = client.response();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 500);
  EXPECT_FALSE(response->headers.contains("set-cookie"));
}

class FileAnswer : public ::testing::Test {
 protected:
  FileAnswer() : path_(std::filesystem::temp_directory_path() / ("paperclip-net-test-" + std::to_string(::getpid()))) {
    for (int i = 0; i < 1'500'000; ++i) content_ += static_cast<char>(i * 31 + i / 1000);
    std::ofstream(path_, std::ios::binary) << content_;
  }
  ~FileAnswer() override { std::filesystem::remove(path_); }
  std::filesystem::path path_;
  std::string content_;
};

TEST_F(FileAnswer, Is_sent_whole_or_in_part_to_a_slow_reader_too) {
  const auto server = serve([&](Request request, Responder respond) {
    auto response = request.path == "/part" ? Response::file(206, path_, 1000, 200'000) : Response::file(200, path_);
    respond(*std::move(response));
  });
  RawClient client(server->port(), 32 * 1024);
  client.send("GET / HTTP/1.1\r\n" HOST "\r\nGET /part HTTP/1.1\r\n" HOST "\r\nHEAD / HTTP/1.1\r\n" HOST "\r\n");
  EXPECT_TRUE(client.response()->body == content_);
  EXPECT_TRUE(client.response()->body == content_.substr(1000, 200'000));
  EXPECT_EQ(client.response(true)->headers.find("content-length"), "1500000");
}

TEST_F(FileAnswer, Cuts_the_range_to_the_file_and_refuses_what_is_no_file) {
  EXPECT_EQ(Response::file(200, path_, 1'499'990, 100)->file_body->length, 10u);
  EXPECT_EQ(Response::file(200, path_, 5'000'000)->file_body->length, 0u);
  EXPECT_EQ(Response::file(200, path_.parent_path()).error().kind, ErrorKind::not_found);
  EXPECT_EQ(Response::file(200, path_.string() + "-missing").error().kind, ErrorKind::not_found);
}

TEST(Server, Large_answers_reach_a_slow_reader_whole_and_in_order) {
  std::string large;
  for (int i = 0; i < 500'000; ++i) large += static_cast<char>('a' + i % 23);
  const auto server = serve([&](Request request, Responder respond) {
    if (request.path == "/small") return respond(Response::text(200, "small"));
    Response response;
    if (request.path == "/static")
      response.static_body = large;
    else
      response.body = large;
    respond(std::move(response));
  });
  RawClient client(server->port(), 16 * 1024);
  for (int round = 0; round < 2; ++round)
    client.send("GET /small HTTP/1.1\r\n" HOST "\r\nGET / HTTP/1.1\r\n" HOST "\r\nGET /small HTTP/1.1\r\n" HOST
                "\r\nGET /static HTTP/1.1\r\n" HOST "\r\n");
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(client.response()->body, "small");
    EXPECT_TRUE(client.response()->body == large);
    EXPECT_EQ(client.response()->body, "small");
    EXPECT_TRUE(client.response()->body == large);
  }
}

TEST(Server, Ends_connections_that_keep_it_waiting) {
  const auto server = serve(echo, [](ServerOptions& options) {
    options.limits.idle = options.limits.header = options.limits.progress = std::chrono::milliseconds(60);
  });
  RawClient silent(server->port()), half_a_head(server->port()), half_a_body(server->port()), served(server->port());
  half_a_head.send("GET / HTTP/1.1\r\n");
  half_a_body.send("POST / HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nhello");
  served.send("GET / HTTP/1.1\r\n" HOST "\r\n");
  EXPECT_EQ(served.response()->status, 200);
  EXPECT_TRUE(silent.is_closed_by_server());
  EXPECT_TRUE(served.is_closed_by_server());
  EXPECT_EQ(half_a_head.response()->status, 408);
  EXPECT_EQ(half_a_body.response()->body, R"({"error":"Request timeout"})");
  half_a_head.finish_sending();
  half_a_body.finish_sending();
  EXPECT_TRUE(half_a_head.is_closed_by_server());
  EXPECT_TRUE(half_a_body.is_closed_by_server());
  EXPECT_EQ(server->counters().timed_out, 4u);
}

// Each byte comes in time; the head as a whole does not.
TEST(Server, A_head_that_trickles_in_does_not_hold_its_connection) {
  const auto server =
      serve(echo, [](ServerOptions& options) { options.limits.header = std::chrono::milliseconds(100); });
  RawClient client(server->port());
  client.send("GET / HTTP/1.1\r\nX: ");
  const auto deadline = Deadline::in(patience());
  while (client.received.empty() && !deadline.passed()) {
    client.send("x");
    client.receive(Deadline::in(std::chrono::milliseconds(5)));
  }
  EXPECT_EQ(client.response()->status, 408);
}

TEST(Server, A_reader_that_takes_nothing_is_dropped) {
  const auto server =
      serve([](Request, Responder respond) { respond(Response::text(200, std::string(8'000'000, 'x'))); },
            [](ServerOptions& options) { options.limits.progress = std::chrono::milliseconds(60); });
  RawClient client(server->port(), 4096);
  client.send("GET / HTTP/1.1\r\n" HOST "\r\n");
  EXPECT_TRUE(eventually([&] { return server->counters().timed_out == 1; }));
  EXPECT_FALSE(client.response());
}

TEST(Server, Turns_connections_away_beyond_the_limit) {
  const auto server = serve(echo, [](ServerOptions& options) { options.limits.connections = 2; });
  {
    RawClient first(server->port()), second(server->port()), third(server->port());
    const auto response = third.response();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 503);
    EXPECT_TRUE(third.is_closed_by_server());
  }
  EXPECT_TRUE(eventually([&] { return server->counters().connections == 0; }));
  RawClient later(server->port());
  later.send("GET / HTTP/1.1\r\n" HOST "\r\n");
  EXPECT_EQ(later.response()->status, 200);
}

TEST(Server, Says_when_its_port_is_taken_or_its_host_is_none) {
  const auto server = serve(echo);
  ServerOptions options;
  options.handler = echo;
  options.port = server->port();
  const auto taken = Server::listen(options);
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().kind, ErrorKind::conflict);
  EXPECT_EQ(taken.error().message,
            "Cannot listen on 127.0.0.1:" + std::to_string(server->port()) + ": Address already in use");
  options.host = "192.0.2.1";
  EXPECT_EQ(Server::listen(options).error().kind, ErrorKind::bad_request);
  options.host = "localhost";
  options.port = 0;
  EXPECT_EQ((*Server::listen(options))->url().substr(0, 17), "http://127.0.0.1:");
}

TEST(Server, Stopping_waits_for_answers_in_flight_and_takes_nothing_new) {
  Parking parking;
  const auto server =
      serve([&](Request request, Responder respond) { parking.park(std::move(request), std::move(respond)); });
  RawClient busy(server->port()), idle(server->port());
  busy.send("GET /busy HTTP/1.1\r\n" HOST "\r\nGET /next HTTP/1.1\r\n" HOST "\r\n");
  auto [request, respond] = parking.take();
  auto stopped = std::async(std::launch::async, [&] { return server->stop(Deadline::in(patience())); });
  EXPECT_TRUE(idle.is_closed_by_server());
  EXPECT_EQ(stopped.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  respond(Response::text(200, "still answered"));
  const auto response = busy.response();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "still answered");
  EXPECT_EQ(response->headers.find("connection"), "close");
  busy.finish_sending();
  EXPECT_TRUE(busy.is_closed_by_server());
  EXPECT_TRUE(stopped.get());
  EXPECT_EQ(server->counters().requests, 1u);
}

TEST(Server, Stopping_says_when_its_deadline_cut_an_answer_off) {
  Parking parking;
  const auto server =
      serve([&](Request request, Responder respond) { parking.park(std::move(request), std::move(respond)); });
  RawClient client(server->port());
  client.send("GET / HTTP/1.1\r\n" HOST "\r\n");
  auto [request, respond] = parking.take();
  EXPECT_FALSE(server->stop(Deadline::in(std::chrono::milliseconds(20))));
  EXPECT_TRUE(client.is_closed_by_server());
}

TEST(Server, Serves_many_connections_from_several_threads_at_once) {
  WorkerPool pool(2);
  const auto server = serve([&](Request request, Responder respond) {
    auto shared = std::make_shared<std::pair<Request, Responder>>(std::move(request), std::move(respond));
    if (shared->first.query == "inline")
      echo(std::move(shared->first), std::move(shared->second));
    else
      ASSERT_TRUE(pool.post([shared] { echo(std::move(shared->first), std::move(shared->second)); }));
  });
  std::vector<std::thread> clients;
  std::atomic<int> right{0};
  for (int c = 0; c < 8; ++c)
    clients.emplace_back([&, c] {
      for (int round = 0; round < 5; ++round) {
        RawClient client(server->port());
        for (int i = 0; i < 40; ++i) {
          const std::string body = std::to_string(c * 1000 + i);
          client.send("POST /x" + std::string(i % 2 ? "?inline" : "") +
                      " HTTP/1.1\r\n" HOST "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
          const auto response = client.response();
          if (response && response->body == body) ++right;
        }
      }
    });
  for (auto& client : clients) client.join();
  EXPECT_EQ(right, 8 * 5 * 40);
  pool.stop();
}

}  // namespace
}  // namespace paperclip::net
