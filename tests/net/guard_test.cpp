#include <gtest/gtest.h>

#include "net/server.h"
#include "raw_client.h"

// What the server refuses on sight. Each case is sent on a socket of its own, followed by a second, proper request:
// were the first one read in any other way, the second would be answered or the handler would be called.
namespace paperclip::net {
namespace {

class Guard : public ::testing::Test {
 protected:
  void SetUp() override {
    ServerOptions options;
    options.io_threads = 1;
    options.handler = [this](Request, Responder respond) {
      ++handled_;
      respond(Response::text(200, "handled"));
    };
    server_ = *Server::listen(std::move(options));
  }

  void refuses(std::string_view bytes, int status = 400) {
    SCOPED_TRACE(bytes);
    RawClient client(server_->port());
    client.send(bytes);
    client.send("GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const auto response = client.response();
    ASSERT_TRUE(response.has_value());
    EXPECT_EQ(response->status, status);
    EXPECT_EQ(response->headers.find("connection"), "close");
    EXPECT_EQ(response->headers.find("content-type"), "application/json; charset=utf-8");
    EXPECT_TRUE(response->body.starts_with("{\"error\":\"")) << response->body;
    client.finish_sending();
    EXPECT_TRUE(client.is_closed_by_server()) << client.received;
    EXPECT_EQ(handled_, 0);
    EXPECT_EQ(server_->counters().refused, ++refused_);
  }

  std::unique_ptr<Server> server_;
  std::atomic<int> handled_{0};
  std::uint64_t refused_ = 0;
};

#define HOST "Host: localhost\r\n"

TEST_F(Guard, Refuses_ambiguous_lengths) {
  refuses("POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  refuses("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n");
  refuses("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  refuses("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello");
  refuses("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello");
  for (const char* length : {"5, 5", "+5", "-1", "0x5", "5 5", "", "99999999999999999999", "5;"})
    refuses(std::string("POST / HTTP/1.1\r\n" HOST "Content-Length: ") + length + "\r\n\r\nhello");
}

TEST_F(Guard, Refuses_transfer_encodings_other_than_chunked) {
  for (const char* encoding : {"gzip, chunked", "chunked, chunked", "xchunked", "identity", "chunked;q=1",
                               "\"chunked\"", "", "Chunked\x0b", "gzip"})
    refuses(std::string("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: ") + encoding + "\r\n\r\n0\r\n\r\n");
  refuses("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  refuses("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n");
  refuses("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n");
}

TEST_F(Guard, Refuses_malformed_chunks) {
  const std::string head = "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n";
  for (const char* body : {"5;a=b\r\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n", "5\r\nhello0\r\n\r\n", "zz\r\n",
                           "0\r\nX-Late: 1\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", "fffffffff\r\n"})
    refuses(head + body);
}

TEST_F(Guard, Refuses_more_or_less_than_one_host) {
  refuses("GET / HTTP/1.1\r\n\r\n");
  refuses("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
  refuses("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n");
  for (const char* host : {"a/b", "a@b", "a b", "a,b", "a?b", "a\\b", "http://a"})
    refuses(std::string("GET / HTTP/1.1\r\nHost: ") + host + "\r\n\r\n");
}

TEST_F(Guard, Refuses_tricks_with_lines) {
  refuses("GET / HTTP/1.1\n" HOST "\r\n");             // bare line feed after the request line
  refuses("GET / HTTP/1.1\r\nHost: localhost\n\r\n");  // … after a header
  refuses("GET / HTTP/1.1\r\n" HOST "X: a\nTransfer-Encoding: chunked\r\n\r\n");
  refuses("GET / HTTP/1.1\r\n" HOST "X: a\rTransfer-Encoding: chunked\r\n\r\n");  // bare carriage return
  refuses("GET / HTTP/1.1\r\n" HOST "X: a\r\r\n\r\n");
  refuses("GET /\rx HTTP/1.1\r\n" HOST "\r\n");
  refuses("GET / HTTP/1.1\r\n" HOST "X: a\r\n folded\r\n\r\n");  // obs-fold
  refuses("GET / HTTP/1.1\r\n" HOST "X: a\r\n\tfolded\r\n\r\n");
  refuses("GET / HTTP/1.1\r\n Host: localhost\r\n\r\n");  // white space before the first header
  refuses("\r\nGET / HTTP/1.1\r\n" HOST "\r\n");
  refuses(" GET / HTTP/1.1\r\n" HOST "\r\n");
}

TEST_F(Guard, Refuses_nul_and_control_bytes) {
  using namespace std::string_view_literals;
  refuses("GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n"sv);
  refuses("GET / HTTP/1.1\r\n" HOST "X\0: a\r\n\r\n"sv);
  refuses("GET /\0 HTTP/1.1\r\n" HOST "\r\n"sv);
  refuses("GET / HTTP/1.1\r\n" HOST "X: \x01\r\n\r\n");
  refuses("GET / HTTP/1.1\r\n" HOST "X: \x7f\r\n\r\n");
}

TEST_F(Guard, Refuses_header_names_that_are_no_tokens) {
  for (const char* name : {"X Y", "X(Y", "X\"", "X/Y", "X@", "caf\xc3\xa9", "X,", "[X]", ""})
    refuses(std::string("GET / HTTP/1.1\r\n" HOST) + name + ": a\r\n\r\n");
  refuses("GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n");
}

TEST_F(Guard, Refuses_targets_that_are_no_paths) {
  for (const char* target : {"http://localhost/", "https://evil/", "localhost:80", "*", "", "x", "?a=b", "/a b",
                             "/a\tb", "/\x7f", "/caf\xc3\xa9", "/a#b", "//\x01"})
    refuses(std::string("GET ") + target + " HTTP/1.1\r\n" HOST "\r\n");
  refuses("CONNECT localhost:443 HTTP/1.1\r\n" HOST "\r\n");
  refuses("OPTIONS * HTTP/1.1\r\n" HOST "\r\n");
}

TEST_F(Guard, Refuses_malformed_request_lines) {
  refuses("GET  / HTTP/1.1\r\n" HOST "\r\n");
  refuses("GET / HTTP/1.1 \r\n" HOST "\r\n");
  refuses("GET /\r\n" HOST "\r\n");
  refuses("GET\r\n" HOST "\r\n");
  refuses("G(T / HTTP/1.1\r\n" HOST "\r\n");
  refuses("GET / http/1.1\r\n" HOST "\r\n");
  refuses("GET / HTTP/11\r\n" HOST "\r\n");
  refuses("GET / HTTP/2.0\r\n" HOST "\r\n", 505);
  refuses("GET / HTTP/1.2\r\n" HOST "\r\n", 505);
  refuses("\x16\x03\x01\x02");  // a TLS greeting
}

TEST_F(Guard, Refuses_doubled_credentials_and_unknown_expectations) {
  refuses("GET / HTTP/1.1\r\n" HOST "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n");
  refuses("POST / HTTP/1.1\r\n" HOST "Expect: 200-ok\r\nContent-Length: 1\r\n\r\n", 417);
}

TEST_F(Guard, Refuses_headers_beyond_the_limit) {
  refuses("GET / HTTP/1.1\r\n" HOST "X: " + std::string(33 * 1024, 'x') + "\r\n\r\n", 431);
  refuses("GET /" + std::string(40 * 1024, 'x'), 431);
  std::string many = "GET / HTTP/1.1\r\n" HOST;
  for (int i = 0; i < 250; ++i) many += "X: y\r\n";
  refuses(many + "\r\n", 431);
}

TEST_F(Guard, What_is_merely_unusual_passes) {
  for (const std::string request :
       {"GET / HTTP/1.1\r\nhOsT:localhost\r\n\r\n", "GET /a%20b?c=%zz&{}|^ HTTP/1.1\r\nHost: [::1]:3100\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n", "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\n" HOST "X-Utf8: \xe2\x9c\x93\tok\r\n\r\n"}) {
    SCOPED_TRACE(request);
    RawClient client(server_->port());
    client.send(request);
    const auto response = client.response();
    ASSERT_TRUE(response.has_value());
    EXPECT_EQ(response->status, 200);
  }
}

}  // namespace
}  // namespace paperclip::net
