#include <gtest/gtest.h>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <random>

#include "net/request_parser.h"

// Beast's parser as a second opinion on ours: requests are made at random out of pieces that are proper, odd, or
// malicious. Ours may refuse what Beast lets pass, never the reverse, and where it accepts, both must have read the
// same.
namespace paperclip::net {
namespace {

namespace http = boost::beast::http;

struct Read {
  RequestHead head;
  std::string body;
  std::size_t size = 0;
};

std::optional<Read> read_ours(std::string_view text) {
  HeadScanner scanner;
  const auto end = scanner.find_end(text, 32 * 1024);
  const auto* size = std::get_if<std::size_t>(&end);
  if (size == nullptr) return std::nullopt;
  auto parsed = parse_head(text.substr(0, *size));
  auto* head = std::get_if<RequestHead>(&parsed);
  if (head == nullptr) return std::nullopt;
  Read out{std::move(*head), {}, *size};
  auto rest = text.substr(*size);
  if (out.head.chunked) {
    ChunkedBody chunks;
    if (chunks.take(rest, out.body, 1000) != ChunkedBody::Progress::done) return std::nullopt;
  } else {
    if (rest.size() < out.head.content_length) return std::nullopt;
    out.body = rest.substr(0, out.head.content_length);
    rest.remove_prefix(out.head.content_length);
  }
  out.size = text.size() - rest.size();
  return out;
}

class Pieces {
 public:
  explicit Pieces(unsigned seed) : random_(seed) {}

  std::string request() {
    std::string out = pick({"GET", "POST", "PUT", "DELETE", "PATCH", "BREW", "G T", ""}) +
                      pick({" ", " ", " ", "  ", "\t"}) +
                      pick({"/", "/a/b?c=d", "/%00", "/\x01", "*", "http://h/", "/caf\xc3\xa9", "/a b"}) +
                      pick({" ", " ", " ", "  "}) +
                      pick({"HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0"}) + line_end();
    if (chance(95)) out += "Host: localhost" + line_end();
    for (int i = number(4); i > 0; --i) out += field();
    // Half of the time with a body that belongs to its head, and whatever comes after it.
    if (chance(25))
      out += "Content-Length: 5" + line_end() + line_end() + "hello";
    else if (chance(33))
      out += "Transfer-Encoding: chunked" + line_end() + line_end() + "5" + line_end() + "hello" + line_end() +
             "0\r\n\r\n";
    else
      out += line_end();
    for (int i = number(3); i > 0; --i)
      out += pick({"hello", "5\r\nhello\r\n", "0\r\n\r\n", "5;x=y\r\nhello\r\n", "A\r\n0123456789\r\n",
                   "0\r\nX: y\r\n\r\n", "5\nhello\n"});
    return out;
  }

 private:
  std::string field() {
    return pick({"Accept: */*",
                 "Cookie: a=b; c=d",
                 "User-Agent: x (y)",
                 "If-None-Match: \"z\"",
                 "Accept: */*",
                 "X-A: b",
                 "X-A:b",
                 "x-a : b",
                 "X-A: \tb \t",
                 "X-A:",
                 ": b",
                 "X A: b",
                 " folded: x",
                 "X-A: b\rc",
                 "X-A: b\x01",
                 "Content-Length: 5",
                 "Content-Length: 5",
                 "Content-Length: +5",
                 "Content-Length: 5, 5",
                 "Content-Length: 10",
                 "Transfer-Encoding: chunked",
                 "Transfer-Encoding: chunked",
                 "Transfer-Encoding: Chunked",
                 "Transfer-Encoding: gzip, chunked",
                 "Transfer-Encoding: xchunked",
                 "Transfer-Encoding:\x0b"
                 "chunked",
                 "Connection: close",
                 "Connection: keep-alive",
                 "Connection: upgrade",
                 "Expect: 100-continue",
                 "Host: other"}) +
           line_end();
  }
  std::string line_end() { return chance(96) ? "\r\n" : pick({"\n", "\r", "\r\r\n", "\n\r", "\r\n "}); }
  std::string pick(std::initializer_list<const char*> from) {
    return from.begin()[number(static_cast<int>(from.size()))];
  }
  bool chance(int percent) { return number(100) < percent; }
  int number(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }
  std::mt19937 random_;
};

TEST(SecondOpinion, What_we_accept_Beast_reads_the_same_way) {
  int accepted = 0, with_body = 0;
  Pieces pieces(20260503);
  for (int round = 0; round < 200'000; ++round) {
    const std::string text = pieces.request();
    const auto ours = read_ours(text);
    if (!ours) continue;
    SCOPED_TRACE(text);
    ++accepted;
    if (!ours->body.empty()) ++with_body;
    http::request_parser<http::string_body> theirs;
    theirs.eager(true);
    boost::beast::error_code failed;
    std::size_t size = 0;
    while (!theirs.is_done() && size < text.size()) {
      const auto used = theirs.put(boost::asio::buffer(text.data() + size, text.size() - size), failed);
      size += used;
      if (failed || used == 0) break;
    }
    ASSERT_FALSE(failed) << failed.message();
    ASSERT_TRUE(theirs.is_done());
    ASSERT_EQ(size, ours->size);
    const auto& message = theirs.get();
    const Request& request = ours->head.request;
    ASSERT_EQ(std::string_view(message.method_string().data(), message.method_string().size()), request.method_text);
    ASSERT_EQ(std::string_view(message.target().data(), message.target().size()), request.target);
    // Where a client says both, we close (RFC 9112, 9.3); Beast keeps the connection.
    if (request.headers.count("connection") < 2) { ASSERT_EQ(message.keep_alive(), request.keep_alive); }
    ASSERT_EQ(message.chunked(), ours->head.chunked);
    ASSERT_EQ(message.body(), ours->body);
    ASSERT_EQ(static_cast<std::size_t>(std::distance(message.begin(), message.end())), request.headers.size());
    for (const auto& field : message)
      ASSERT_TRUE(std::any_of(request.headers.begin(), request.headers.end(), [&](const Headers::Field& mine) {
        return mine.name == std::string_view(field.name_string().data(), field.name_string().size()) &&
               mine.value == std::string_view(field.value().data(), field.value().size());
      })) << field.name_string();
  }
  // Enough of the random requests must have been good ones for this to mean anything.
  EXPECT_GT(accepted, 5'000);
  EXPECT_GT(with_body, 500);
}

}  // namespace
}  // namespace paperclip::net
