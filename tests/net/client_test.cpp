#include "net/client.h"

#include <gtest/gtest.h>
#include <sys/un.h>

#include <future>
#include <thread>

#include "net/address.h"
#include "net/server.h"
#include "raw_client.h"

namespace paperclip::net {
namespace {

class Client : public ::testing::Test {
 protected:
  void SetUp() override {
    ServerOptions options;
    options.io_threads = 1;
    options.handler = [this](Request request, Responder respond) {
      if (request.path == "/park") {
        std::lock_guard lock(mutex_);
        parked_.push_back(std::move(respond));
        return changed_.notify_all();
      }
      if (request.path == "/large") return respond(Response::text(200, std::string(100'000, 'x')));
      if (request.path == "/redirect") {
        Response response = Response::text(302, "over there");
        response.headers.add("Location", "/echo?redirected");
        return respond(std::move(response));
      }
      if (request.path == "/loop") {
        Response response = Response::text(302, "");
        response.headers.add("Location", "/loop");
        return respond(std::move(response));
      }
      Response response = Response::text(request.path == "/teapot" ? 418 : 200, std::move(request.body));
      response.headers.add("X-Method", request.method_text);
      response.headers.add("X-Target", request.target);
      for (const auto& [name, value] : request.headers) response.headers.add("Echo-" + std::string(name), value);
      respond(std::move(response));
    };
    server_ = *Server::listen(std::move(options));
  }

  std::string url(std::string_view path) const { return server_->url() + std::string(path); }
  void wait_for_parked(std::size_t count) {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, patience(), [&] { return parked_.size() >= count; }));
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Responder> parked_;
  std::unique_ptr<Server> server_;
  HttpClient client_;
};

TEST_F(Client, Brings_back_status_headers_and_body_for_every_method) {
  for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    ClientRequest request{.method = method, .url = url("/echo?a=b")};
    request.headers.add("X-Custom", "value");
    request.headers.add("X-Empty", "");
    if (method[0] == 'P') request.body = "the body";
    const auto response = client_.send_blocking(std::move(request));
    ASSERT_TRUE(response.ok()) << response.error().message;
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->headers.find("x-method"), method);
    EXPECT_EQ(response->headers.find("X-Target"), "/echo?a=b");
    EXPECT_EQ(response->headers.find("echo-x-custom"), "value");
    EXPECT_EQ(response->headers.find("echo-x-empty"), "");
    EXPECT_EQ(response->headers.find("echo-user-agent"), "paperclip");
    EXPECT_FALSE(response->headers.contains("echo-content-type"));
    EXPECT_EQ(response->body, method[0] == 'P' ? "the body" : "");
  }
  EXPECT_EQ(client_.send_blocking({.method = "HEAD", .url = url("/large")})->headers.find("content-length"), "100000");
  EXPECT_EQ(client_.send_blocking({.url = url("/teapot")})->status, 418);
  EXPECT_EQ(server_->counters().accepted, 1u);  // one connection served them all
}

TEST_F(Client, Sends_large_bodies_without_waiting_for_permission) {
  const std::string body(3'000'000, 'y');
  const auto response = client_.send_blocking({.method = "POST", .url = url("/echo"), .body = body});
  ASSERT_TRUE(response.ok());
  EXPECT_TRUE(response->body == body);
  EXPECT_FALSE(response->headers.contains("echo-expect"));
}

TEST_F(Client, Runs_many_requests_at_once) {
  std::vector<std::future<int>> answers;
  for (int i = 0; i < 50; ++i) {
    auto answer = std::make_shared<std::promise<int>>();
    answers.push_back(answer->get_future());
    client_.send({.url = url("/park")},
                 [answer](Result<ClientResponse> response) { answer->set_value(response ? response->status : 0); });
  }
  wait_for_parked(50);
  for (auto& respond : parked_) respond(Response::text(200, "all at once"));
  for (auto& answer : answers) EXPECT_EQ(answer.get(), 200);
}

TEST_F(Client, Follows_redirects_only_when_asked) {
  EXPECT_EQ(client_.send_blocking({.url = url("/redirect")})->status, 302);
  std::vector<int> announced;
  ClientRequest request{.url = url("/redirect"), .follow_redirects = true};
  request.on_headers = [&](int status, const Headers&) {
    announced.push_back(status);
    return true;
  };
  const auto followed = client_.send_blocking(std::move(request));
  EXPECT_EQ(followed->headers.find("x-target"), "/echo?redirected");
  EXPECT_FALSE(followed->headers.contains("location"));
  EXPECT_EQ(announced, std::vector<int>{200});
  EXPECT_EQ(client_.send_blocking({.url = url("/loop"), .follow_redirects = true}).error().kind,
            ErrorKind::bad_gateway);
}

TEST_F(Client, Refuses_an_answer_beyond_the_limit) {
  EXPECT_TRUE(client_.send_blocking({.url = url("/large"), .max_response_bytes = 100'000}).ok());
  const auto refused = client_.send_blocking({.url = url("/large?secret"), .max_response_bytes = 99'999});
  EXPECT_EQ(refused.error().kind, ErrorKind::too_large);
  EXPECT_EQ(refused.error().message.find("secret"), std::string::npos);
}

TEST_F(Client, Hands_out_a_stream_as_it_comes) {
  std::string body;
  ClientRequest request{.url = url("/large"), .max_response_bytes = 10};
  request.on_data = [&](std::string_view piece) {
    body += piece;
    return true;
  };
  EXPECT_EQ(client_.send_blocking(request)->body, "");
  EXPECT_EQ(body.size(), 100'000u);
  request.on_data = [](std::string_view) { return false; };
  EXPECT_EQ(client_.send_blocking(request).error().kind, ErrorKind::unavailable);
  request.on_data = {};
  request.on_headers = [](int, const Headers&) { return false; };
  EXPECT_EQ(client_.send_blocking(request).error().kind, ErrorKind::unavailable);
}

TEST_F(Client, Gives_up_when_the_time_is_over) {
  const auto late = client_.send_blocking({.url = url("/park"), .timeout = std::chrono::milliseconds(30)});
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().kind, ErrorKind::timeout);
}

TEST_F(Client, Cancels_one_request_and_no_other) {
  std::promise<ErrorKind> cancelled;
  std::promise<int> kept;
  const auto id = client_.send({.url = url("/park")}, [&](Result<ClientResponse> r) {
    cancelled.set_value(r ? ErrorKind::internal : r.error().kind);
  });
  client_.send({.url = url("/park")}, [&](Result<ClientResponse> r) { kept.set_value(r ? r->status : 0); });
  wait_for_parked(2);
  client_.cancel(id);
  EXPECT_EQ(cancelled.get_future().get(), ErrorKind::unavailable);
  for (auto& respond : parked_) respond(Response::text(200, ""));
  EXPECT_EQ(kept.get_future().get(), 200);
  client_.cancel(id);  // long gone
}

TEST_F(Client, Ends_every_request_when_it_goes) {
  std::atomic<int> ended{0};
  {
    HttpClient client;
    for (int i = 0; i < 5; ++i)
      client.send({.url = url("/park")}, [&](Result<ClientResponse> response) {
        EXPECT_EQ(response.error().kind, ErrorKind::unavailable);
        // Sent from a callback of a client that is stopping: still called back.
        client.send({.url = url("/echo")}, [&](Result<ClientResponse>) { ++ended; });
        ++ended;
      });
    wait_for_parked(5);
  }
  EXPECT_EQ(ended, 10);
}

TEST_F(Client, Says_what_is_wrong_with_a_request) {
  for (const std::string bad :
       {"", "localhost", "ftp://localhost/", "file:///etc/passwd", "http://", "http://a b/", "http://a/\r\nX: y"})
    EXPECT_EQ(client_.send_blocking({.url = bad}).error().kind, ErrorKind::bad_request) << bad;
  EXPECT_EQ(client_.send_blocking({.method = "GET / HTTP/1.1\r\nX:", .url = url("/")}).error().kind,
            ErrorKind::bad_request);
  ClientRequest request{.url = url("/")};
  request.headers.add("X", "a\r\nY: b");
  EXPECT_EQ(client_.send_blocking(std::move(request)).error().kind, ErrorKind::bad_request);
  const std::string gone = url("/path?token=secret");
  server_.reset();
  const auto refused = client_.send_blocking({.url = gone});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::bad_gateway);
  EXPECT_TRUE(refused.error().message.starts_with("Cannot reach 127.0.0.1:")) << refused.error().message;
  EXPECT_EQ(refused.error().message.find("secret"), std::string::npos);
}

TEST_F(Client, Does_not_reach_private_addresses_when_told_so) {
  // Nor over a connection that an earlier, unrestricted request has left open.
  EXPECT_TRUE(client_.send_blocking({.url = url("/echo")}).ok());
  for (const std::string& target : {url("/echo"), "http://localhost:" + std::to_string(server_->port()) + "/",
                                    std::string("http://0x7f000001/"), std::string("http://[::ffff:127.0.0.1]/")}) {
    const auto refused = client_.send_blocking({.url = target, .public_addresses_only = true});
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().kind, ErrorKind::forbidden) << target << ": " << refused.error().message;
  }
  EXPECT_EQ(server_->counters().accepted, 1u);
}

TEST_F(Client, Asks_no_proxy_for_what_is_on_this_machine) {
  ::setenv("http_proxy", "http://127.0.0.1:1/", 1);
  ::setenv("all_proxy", "http://127.0.0.1:1/", 1);
  EXPECT_TRUE(client_.send_blocking({.url = url("/echo")}).ok());
  const auto elsewhere = client_.send_blocking({.url = "http://name.invalid/"});
  ASSERT_FALSE(elsewhere.ok());
  EXPECT_NE(elsewhere.error().message.find("connect"), std::string::npos) << elsewhere.error().message;  // to the proxy
  ::unsetenv("http_proxy");
  ::unsetenv("all_proxy");
}

// A server that says whatever a test wants, once.
class Speaker {
 public:
  Speaker(sockaddr* address, socklen_t size, std::string words)
      : listener_(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (::bind(listener_, address, size) != 0 || ::listen(listener_, 1) != 0 ||
        ::getsockname(listener_, address, &size) != 0)
      std::abort();
    thread_ = std::thread([this, words = std::move(words)] {
      const int peer = ::accept(listener_, nullptr, nullptr);
      char buffer[4096];
      [[maybe_unused]] const auto heard = ::recv(peer, buffer, sizeof buffer, 0);
      ::send(peer, words.data(), words.size(), MSG_NOSIGNAL);
      ::close(peer);
    });
  }
  ~Speaker() {
    thread_.join();
    ::close(listener_);
  }

 private:
  int listener_;
  std::thread thread_;
};

Result<ClientResponse> ask_speaker(std::string words) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  Speaker speaker(reinterpret_cast<sockaddr*>(&address), sizeof address, std::move(words));
  HttpClient client;
  return client.send_blocking({.url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/"});
}

TEST(HttpClient, A_broken_answer_is_a_bad_gateway) {
  EXPECT_EQ(ask_speaker("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes")->body, "yes");
  EXPECT_EQ(ask_speaker("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nno").error().kind, ErrorKind::bad_gateway);
  EXPECT_EQ(ask_speaker("SSH-2.0-OpenSSH\r\n").error().kind, ErrorKind::bad_gateway);
  EXPECT_EQ(ask_speaker("").error().kind, ErrorKind::bad_gateway);
}

TEST(HttpClient, Trailers_and_interim_answers_are_no_headers) {
  const auto response = ask_speaker(
      "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\nX-Real: 1\r\nTransfer-Encoding: "
      "chunked\r\n\r\n2\r\nok\r\n0\r\nX-Late: 1\r\n\r\n");
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->body, "ok");
  EXPECT_TRUE(response->headers.contains("x-real"));
  EXPECT_FALSE(response->headers.contains("x-early") || response->headers.contains("x-late"));
}

TEST(HttpClient, Talks_over_a_unix_socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = "/tmp/paperclip-client-test-" + std::to_string(::getpid());
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  {
    Speaker speaker(reinterpret_cast<sockaddr*>(&address), sizeof address,
                    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK");
    HttpClient client;
    EXPECT_EQ(client.send_blocking({.url = "http://docker/_ping", .unix_socket = path})->body, "OK");
  }
  ::unlink(path.c_str());
}

TEST(Address, Special_ranges_are_not_public) {
  for (const char* address : {"8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1",
                              "192.169.0.1", "223.255.255.255", "2606:4700::1111", "2001:4860:4860::8888",
                              "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"})
    EXPECT_TRUE(is_public_address(std::string_view(address))) << address;
  for (const char* address : {"0.0.0.0",
                              "10.1.2.3",
                              "100.64.0.1",
                              "127.0.0.1",
                              "127.255.255.255",
                              "169.254.169.254",
                              "172.16.0.1",
                              "172.31.255.255",
                              "192.0.2.1",
                              "192.168.1.1",
                              "198.18.0.1",
                              "198.19.255.255",
                              "224.0.0.1",
                              "255.255.255.255",
                              "::",
                              "::1",
                              "fe80::1",
                              "fc00::1",
                              "fd12::1",
                              "ff02::1",
                              "2001:db8::1",
                              "2001::1",
                              "::ffff:127.0.0.1",
                              "::ffff:10.0.0.1",
                              "64:ff9b::7f00:1",
                              "2002:7f00:1::1",
                              "::127.0.0.1",
                              "localhost",
                              "",
                              "127.1"})
    EXPECT_FALSE(is_public_address(std::string_view(address))) << address;
}

TEST(Address, Loopback_has_several_names) {
  for (const char* name :
       {"localhost", "LOCALHOST", "api.localhost", "localhost.", "127.0.0.1", "127.9.9.9", "::1", "[::1]"})
    EXPECT_TRUE(is_loopback_name(name)) << name;
  for (const char* name : {"", "localhost.evil.com", "127.0.0.1.evil.com", "128.0.0.1", "notlocalhost", "::2"})
    EXPECT_FALSE(is_loopback_name(name)) << name;
}

}  // namespace
}  // namespace paperclip::net
