#include "net/request_parser.h"

#include <gtest/gtest.h>

namespace paperclip::net {
namespace {

std::variant<RequestHead, Refusal> parse(std::string_view head) {
  HeadScanner scanner;
  const auto end = scanner.find_end(head, 32 * 1024);
  if (const auto* refusal = std::get_if<Refusal>(&end)) return *refusal;
  if (std::get_if<std::size_t>(&end) == nullptr) return Refusal{0, "not complete"};
  return parse_head(head.substr(0, std::get<std::size_t>(end)));
}

RequestHead parsed(std::string_view head) {
  auto result = parse(head);
  EXPECT_TRUE(std::holds_alternative<RequestHead>(result)) << std::get<Refusal>(result).reason;
  return std::get<RequestHead>(std::move(result));
}

TEST(RequestParser, A_request_comes_apart_into_its_parts) {
  const auto head = parsed(
      "PATCH /api/issues/a%20b?x=1?y HTTP/1.1\r\nHost: localhost:3100\r\nX-Name:  spaced value \t\r\nX-Empty:\r\n"
      "Content-Length: 12\r\nCookie: a=b\r\nX-Name: again\r\nX-Text: caf\xc3\xa9\r\n\r\n");
  EXPECT_EQ(head.request.method, Method::patch);
  EXPECT_EQ(head.request.method_text, "PATCH");
  EXPECT_EQ(head.request.target, "/api/issues/a%20b?x=1?y");
  EXPECT_EQ(head.request.path, "/api/issues/a%20b");
  EXPECT_EQ(head.request.query, "x=1?y");
  EXPECT_EQ(head.request.headers.find("x-name"), "spaced value");
  EXPECT_EQ(head.request.headers.count("X-NAME"), 2u);
  EXPECT_EQ(head.request.headers.find("x-empty"), "");
  EXPECT_EQ(head.request.headers.find("x-text"), "caf\xc3\xa9");
  EXPECT_EQ(head.content_length, 12u);
  EXPECT_TRUE(head.request.keep_alive);
  EXPECT_FALSE(head.chunked || head.http_1_0 || head.expects_continue || head.asks_websocket);
}

TEST(RequestParser, Whether_the_connection_stays_follows_version_and_header) {
  EXPECT_TRUE(parsed("GET / HTTP/1.1\r\nHost: a\r\n\r\n").request.keep_alive);
  EXPECT_FALSE(parsed("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n").request.keep_alive);
  EXPECT_FALSE(parsed("GET / HTTP/1.0\r\n\r\n").request.keep_alive);
  EXPECT_TRUE(parsed("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").request.keep_alive);
  EXPECT_FALSE(parsed("GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n").request.keep_alive);
}

TEST(RequestParser, An_unknown_method_keeps_its_text) {
  const auto head = parsed("PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(head.request.method, Method::other);
  EXPECT_EQ(head.request.method_text, "PROPFIND");
  EXPECT_EQ(parsed("get / HTTP/1.1\r\nHost: a\r\n\r\n").request.method, Method::other);
}

TEST(RequestParser, A_websocket_upgrade_needs_both_headers) {
  const std::string start = "GET / HTTP/1.1\r\nHost: a\r\n";
  EXPECT_TRUE(parsed(start + "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n").asks_websocket);
  EXPECT_FALSE(parsed(start + "Upgrade: websocket\r\n\r\n").asks_websocket);
  EXPECT_FALSE(parsed(start + "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n").asks_websocket);
  EXPECT_FALSE(
      parsed("POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").asks_websocket);
}

TEST(RequestParser, A_head_that_comes_byte_by_byte_is_found_at_its_end) {
  const std::string head = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
  HeadScanner scanner;
  for (std::size_t size = 0; size < head.size(); ++size)
    ASSERT_TRUE(std::holds_alternative<HeadScanner::NotYet>(scanner.find_end(head.substr(0, size), 1000))) << size;
  EXPECT_EQ(std::get<std::size_t>(scanner.find_end(head + "rest", 1000)), head.size());
}

TEST(RequestParser, A_head_at_the_limit_passes_and_beyond_is_431) {
  std::string head = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  head.append(200 - head.size() - 4, 'x').append("\r\n\r\n");
  HeadScanner whole, beyond, unfinished;
  EXPECT_EQ(std::get<std::size_t>(whole.find_end(head, 200)), 200u);
  EXPECT_EQ(std::get<Refusal>(beyond.find_end(head, 199)).status, 431);
  EXPECT_EQ(std::get<Refusal>(unfinished.find_end(head.substr(0, 150), 150)).status, 431);
}

struct ChunkCase {
  ChunkedBody::Progress end;
  std::string body;
};

// The whole at once and byte by byte must come out alike.
ChunkCase decode(std::string_view text, std::size_t limit = 1000) {
  ChunkCase whole{ChunkedBody::Progress::more, {}}, bytes = whole;
  ChunkedBody at_once, piecewise;
  auto rest = text;
  whole.end = at_once.take(rest, whole.body, limit);
  std::size_t eaten = 0;
  for (; eaten < text.size() && bytes.end == ChunkedBody::Progress::more; ++eaten) {
    auto one = text.substr(eaten, 1);
    bytes.end = piecewise.take(one, bytes.body, limit);
  }
  EXPECT_EQ(whole.end, bytes.end) << text;
  EXPECT_EQ(whole.body, bytes.body) << text;
  if (whole.end == ChunkedBody::Progress::done) { EXPECT_EQ(rest, text.substr(eaten)) << text; }
  return whole;
}

TEST(ChunkedBody, Puts_the_body_together_and_leaves_what_follows) {
  const auto result = decode("5\r\nhello\r\n00A\r\n, world!!\n\r\n0\r\n\r\nGET /next");
  EXPECT_EQ(result.end, ChunkedBody::Progress::done);
  EXPECT_EQ(result.body, "hello, world!!\n");
  EXPECT_EQ(decode("0\r\n\r\n").end, ChunkedBody::Progress::done);
  EXPECT_EQ(decode("5\r\nhel").end, ChunkedBody::Progress::more);
}

TEST(ChunkedBody, Refuses_every_liberty) {
  for (const char* text :
       {"5;name=value\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n", " 5\r\nhello\r\n", "+5\r\n", "-1\r\n", "0x5\r\n",
        "\r\n", "5\nhello\n0\n\n", "5\r\nhelloX\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello0\r\n\r\n",
        "0\r\nTrailer: x\r\n\r\n", "0\r\n\n", "0\r\nX", "000000005\r\nhello\r\n", "g\r\n", "5\rhello"})
    EXPECT_EQ(decode(text).end, ChunkedBody::Progress::malformed) << text;
}

TEST(ChunkedBody, Stops_at_the_limit_before_the_bytes_come) {
  EXPECT_EQ(decode("a\r\n0123456789\r\n0\r\n\r\n", 10).end, ChunkedBody::Progress::done);
  EXPECT_EQ(decode("b\r\n", 10).end, ChunkedBody::Progress::too_large);
  EXPECT_EQ(decode("6\r\n012345\r\n5\r\n", 10).end, ChunkedBody::Progress::too_large);
  EXPECT_EQ(decode("ffffffff\r\n", 10).end, ChunkedBody::Progress::too_large);
}

}  // namespace
}  // namespace paperclip::net
