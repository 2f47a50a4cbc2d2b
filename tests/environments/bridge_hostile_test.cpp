// Five hundred and more requests of somebody who means harm. Each is refused; none reaches the API.
#include <random>

#include "bridge_fixture.h"

namespace paperclip::environments {
namespace {

class BridgeHostileTest : public BridgeFixture {
 public:  // the scenarios take their addresses
  std::string right() const { return "Authorization: Bearer " + token_.expose() + "\r\n"; }
  /// What a smuggler hopes will be read as a request of its own.
  std::string smuggled() const { return get("/api/agents/me"); }
  template <class T>
  const T& one_of(const std::vector<T>& choices) { return choices[random_() % choices.size()]; }
  std::string word(std::size_t size) {
    std::string out;
    while (out.size() < size) out += static_cast<char>('a' + random_() % 26);
    return out;
  }

  std::string ambiguous_framing();
  std::string malformed_head();
  std::string path_trick();
  std::string forbidden_route();
  std::string wrong_token();
  std::string too_large();

  std::mt19937 random_{20261125};
};

// Two readers would disagree where it ends.
std::string BridgeHostileTest::ambiguous_framing() {
  const std::string head = "POST /api/issues/" + word(4) + "/comments HTTP/1.1\r\nHost: h\r\n" + right() + "Content-Type: application/json\r\n";
  const std::string body = "0\r\n\r\n" + smuggled();
  const std::string length = "Content-Length: " + std::to_string(body.size());
  const std::string framing = one_of<std::string>(
      {length + "\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\n" + length, length + "\r\n" + length,
       length + "\r\nContent-Length: 2", "Content-Length: +2", "Content-Length: -2", "Content-Length: 0x2", "Content-Length: 2, 2",
       "Content-Length: 2 2", "Content-Length:", "Content-Length: 99999999999999999999", "Transfer-Encoding: xchunked",
       "Transfer-Encoding: chunked, identity", "Transfer-Encoding: identity", "Transfer-Encoding: Chunked\r\nTransfer-Encoding: chunked",
       "Transfer-Encoding: gzip, chunked", "Transfer-Encoding : chunked", " Transfer-Encoding: chunked", "Transfer-Encoding:\x0b" "chunked",
       "X: y\nTransfer-Encoding: chunked", std::string("Transfer-Encoding: chunked\0", 27), "Content-Length: 2\r\n 7", length + "\r\nTransfer_Encoding: chunked\r\nTransfer-Encoding:\tchunked"});
  return head + framing + "\r\n\r\n" + body;
}

std::string BridgeHostileTest::malformed_head() {
  const std::string line = "GET /api/agents/me HTTP/1.1\r\n", host = "Host: h\r\n";
  using namespace std::string_literals;
  return one_of<std::string>({"GET /api/agents/me\r\n" + right() + "\r\n", "GET /api/agents/me HTTP/0.9\r\n" + host + right() + "\r\n",
                              "GET /api/agents/me HTTP/2.0\r\n" + host + right() + "\r\n", "GET  /api/agents/me HTTP/1.1\r\n" + host + right() + "\r\n",
                              "GET /api/agents/me HTTP/1.1 \r\n" + host + right() + "\r\n", "GET\t/api/agents/me HTTP/1.1\r\n" + host + right() + "\r\n",
                              "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\r\n" + line + host + right() + "\r\n", line + right() + "\r\n",
                              line + host + host + right() + "\r\n", line + "Host: a b\r\n" + right() + "\r\n", line + "Host: h/x\r\n" + right() + "\r\n",
                              line + host + right() + right() + "\r\n", line + host + right() + "X: a\r\n b\r\n\r\n",
                              line + host + right() + "X: a\nY: b\r\n\r\n", "GET /api/agents/me HTTP/1.1\n" + host + right() + "\n",
                              line + host + right() + "X: a\0b\r\n\r\n"s, line + host + right() + "X: a\rb\r\n\r\n",
                              line + host + right() + "X\x01: a\r\n\r\n", line + host + right() + ": a\r\n\r\n", line + host + right() + "nonsense\r\n\r\n",
                              line + host + right() + "Expect: a-cake\r\n\r\n", line + host + right() + "X: \xff\r\n\r\n",
                              "G\0ET /api/agents/me HTTP/1.1\r\n"s + host + right() + "\r\n", "\x16\x03\x01\x02 hello over TLS" + word(20),
                              std::string(40, 'G') + " /api/agents/me HTTP/1.1\r\n" + host + right() + "\r\n"});
}

std::string BridgeHostileTest::path_trick() {
  using namespace std::string_literals;
  const std::string up = one_of<std::string>({"..", "%2e%2e", "%2E%2E", ".%2e", "%2e.", "%252e%252e", "..%00", "..;", "%c0%ae%c0%ae", "%u002e%u002e", "...%2f..", "\xe2\x80\xa5"});
  const std::string slash = one_of<std::string>({"/", "\\", "%2f", "%2F", "%5c", "%5C", "//", "%252f", "/./", "/%2e/"});
  const std::string path = one_of<std::string>({"/api/issues/x/comments/" + up + slash + up + slash + "companies/c/secrets", "/api/issues/" + up + slash + "comments",
                                                "/api/issues/x" + slash + up + slash + up + "/agents/me/keys", "/" + up + "/api/secrets" + slash, "/api/agents/me" + slash + up,
                                                "http://127.0.0.1/api/agents/me", "127.0.0.1:80", "*", "//api/agents/me", "/api//agents/me", "/api/agents/me/", "/api/agents/me%00",
                                                "/api/agents/me%0d%0aX:y", "/api/agents/me%3fx", "/api/agents/me%23x", "/api/agents/me#x", "/api\\agents\\me", "/api/agents/m\xc3\xa9",
                                                "/api/agents/%ff", "/api/issues/%/comments", "/api/issues/%4/comments", "/api/agents%2fme", "/api/agents/me;x=y/" + up, "api/agents/me"});
  const std::string method = one_of<std::string>({"GET", "GET", "POST", "PATCH", "CONNECT"});
  return method + " " + path + " HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 0\r\n" + right() + "\r\n";
}

std::string BridgeHostileTest::forbidden_route() {
  const std::string method = one_of<std::string>({"DELETE", "PUT", "POST", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "GET", "get", "PATCH"});
  const std::string path = one_of<std::string>({"/api/secrets", "/api/companies", "/api/companies/c/secrets", "/api/environments/e", "/api/agents/a/keys", "/api/companies/c/members",
                                                "/api/agents/a", "/api/health", "/", "/index.html", "/llms/agent-configuration.txt", "/api/plugins", "/API/secrets",
                                                "/api/companies/c/environments", "/api/issues/x/comments/y/z", "/api/companies/c/agents/" + word(3), "/api/heartbeat-runs/r/log"});
  return method + " " + path + " HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 2\r\n" + right() + "\r\n{}";
}

std::string BridgeHostileTest::wrong_token() {
  const std::string token = token_.expose();
  std::string changed = token;
  changed[random_() % changed.size()] ^= 1;
  const std::string authorization = one_of<std::string>({"", "Authorization: \r\n", "Authorization: Bearer\r\n", "Authorization: Bearer \r\n", "Authorization: Bearer " + changed + "\r\n",
                                                         "Authorization: Bearer " + token.substr(0, random_() % token.size()) + "\r\n", "Authorization: Bearer " + token + word(1) + "\r\n",
                                                         "Authorization: bearer " + token + "\r\n", "Authorization: BEARER " + token + "\r\n", "Authorization: Basic " + token + "\r\n",
                                                         "Authorization: " + token + "\r\n", "X-Authorization: Bearer " + token + "\r\n", "Cookie: token=" + token + "\r\n",
                                                         "Authorization: Bearer " + word(32) + "\r\n", "Authorization: Bearer " + token + ", Bearer " + token + "\r\n"});
  return "GET " + one_of<std::string>({"/api/agents/me", "/api/agents/me?token=" + token}) + " HTTP/1.1\r\nHost: h\r\n" + authorization + "\r\n";
}

std::string BridgeHostileTest::too_large() {
  const std::string head = "POST /api/issues/x/comments HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n" + right();
  switch (random_() % 6) {
    case 0: return head + "Content-Length: " + std::to_string(262'145 + random_() % 1'000'000'000) + "\r\n\r\n" + word(1000);
    case 1: return head + "Transfer-Encoding: chunked\r\n\r\n7fffffff\r\n" + word(1000);
    case 2: return head + "Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\n\r\n";
    case 3: return head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\n";
    case 4: return head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: trailer\r\n\r\n";
    default: return "GET /api/agents/me?" + word(20'000) + " HTTP/1.1\r\nHost: h\r\n" + right() + "\r\n";
  }
}

TEST_F(BridgeHostileTest, Every_one_is_refused_and_none_reaches_the_api) {
  start_waiting();
  const std::vector<std::string (BridgeHostileTest::*)()> kinds{&BridgeHostileTest::ambiguous_framing, &BridgeHostileTest::malformed_head,
                                                                &BridgeHostileTest::path_trick,        &BridgeHostileTest::forbidden_route,
                                                                &BridgeHostileTest::wrong_token,       &BridgeHostileTest::too_large};
  std::map<int, int> statuses;
  int said = 0;
  for (int i = 0; i < 600; ++i) {
    const std::string bytes = (this->*kinds[static_cast<std::size_t>(i) % kinds.size()])();
    Wire wire(port_);
    wire.say(bytes);
    const Heard heard = wire.hear(bytes.starts_with("HEAD"));
    EXPECT_GE(heard.status, 400) << bytes.substr(0, 300);
    EXPECT_LT(heard.status, 506) << bytes.substr(0, 300);
    ++statuses[heard.status];
    ++said;
  }
  EXPECT_EQ(said, 600);
  EXPECT_EQ(api_.calls(), 0u);
  for (const int status : {400, 401, 403, 415, 431, 502}) EXPECT_GT(statuses[status] + (status == 415), 0) << status;
  EXPECT_EQ(call(get("/api/agents/me")).status, 200) << "and the bridge is well";
  EXPECT_EQ(api_.calls(), 1u);
}

// A client that says nothing, or half of something, keeps nobody else waiting.
TEST_F(BridgeHostileTest, Silent_connections_are_in_nobodys_way) {
  start_waiting();
  std::vector<std::unique_ptr<Wire>> silent;
  for (int i = 0; i < 100; ++i) {
    silent.push_back(std::make_unique<Wire>(port_));
    if (i % 2) silent.back()->say("GET /api/agents/me HTTP/1.1\r\nHost: h");
  }
  EXPECT_EQ(call(get("/api/agents/me")).status, 200);
  EXPECT_EQ(api_.calls(), 1u);
}

}  // namespace
}  // namespace paperclip::environments
