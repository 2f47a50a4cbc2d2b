#include "environments/egress.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <thread>

#include "net/address.h"
#include "os/descriptor.h"
#include "run_fixture.h"

namespace paperclip::environments {
namespace {

using testing::HasSubstr;
using testing::Not;

/// A host on loopback that handles each connection with a function, on a thread.
class TestHost {
 public:
  explicit TestHost(std::function<void(int)> serve) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), serve_(std::move(serve)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 16), 0);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this] {
      for (;;) {
        os::Descriptor connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!connection) return;
        ++connections;
        serving_.emplace_back([this, connection = std::move(connection)] { serve_(connection.get()); });
      }
    });
  }
  ~TestHost() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    for (std::thread& thread : serving_) thread.join();
  }
  std::string port;
  std::atomic<int> connections{0};

 private:
  os::Descriptor listener_;
  std::function<void(int)> serve_;
  std::vector<std::thread> serving_;
  std::thread thread_;
};

void echo(int connection) {
  char piece[65536];
  for (ssize_t got; (got = ::read(connection, piece, sizeof piece)) > 0;)
    for (ssize_t done = 0; done < got;) {
      const ssize_t put = ::send(connection, piece + done, static_cast<std::size_t>(got - done), MSG_NOSIGNAL);
      if (put <= 0) return;
      done += put;
    }
  ::shutdown(connection, SHUT_WR);
}

class Watcher : public Recorder {
 public:
  explicit Watcher(std::shared_ptr<FrameHandler> handler) : handler_(std::move(handler)) {}
  std::shared_ptr<FrameHandler> frame_handler() override { return handler_; }

 private:
  std::shared_ptr<FrameHandler> handler_;
};

struct Egress : RunFixture {
  std::mutex mutex;
  std::string log;
  EgressGateway gateway;
  std::shared_ptr<EgressSession> session;

  std::shared_ptr<EgressSession> open(const std::vector<std::string>& entries) {
    auto policy = EgressPolicy::parse(entries);
    EXPECT_TRUE(policy);
    return gateway.open(std::move(*policy), [this](const std::string& line) {
      const std::lock_guard lock(mutex);
      log += line + "\n";
    });
  }
  static RunCommand python(const std::string& program) {
    RunCommand run = command({"python3", "-c", "import os, socket, urllib.parse\n"
                                               "proxy = urllib.parse.urlparse(os.environ.get('HTTPS_PROXY', 'http://none:1'))\n"
                                               "def connect():\n    s = socket.create_connection((proxy.hostname, proxy.port)); s.settimeout(60); return s\n"
                                               "def ask(text, more=b''):\n"
                                               "    s = connect(); s.sendall(text.encode() + more); s.shutdown(1); out = b''\n"
                                               "    while True:\n"
                                               "        piece = s.recv(65536)\n"
                                               "        if not piece: return out\n"
                                               "        out += piece\n" + program});
    run.env.emplace_back("PAPERCLIP_EGRESS", "allow-list");
    return run;
  }
  std::shared_ptr<Recorder> run(const RunCommand& command, const std::vector<std::string>& entries) {
    session = open(entries);
    auto watcher = std::make_shared<Watcher>(session);
    EXPECT_TRUE(runner_->start(run_, command, watcher));
    return watcher;
  }
  std::string out_of(const std::string& program, const std::vector<std::string>& entries) {
    const auto watcher = run(python(program), entries);
    const ExitStatus status = watcher->wait_exit();
    EXPECT_EQ(status.exit_code, 0) << watcher->err();
    return watcher->out();
  }
};

// CONNECT to a named host gives a tunnel in both directions, its ends included.
TEST_F(Egress, A_named_host_is_reached_through_a_tunnel) {
  TestHost host(echo);
  const std::string out = out_of("print(ask('CONNECT 127.0.0.1:" + host.port + " HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n', b'hello'))\nprint(os.environ['NO_PROXY'], os.environ['http_proxy'] == os.environ['HTTPS_PROXY'])",
                                 {"127.0.0.1:" + host.port});
  EXPECT_EQ(out, "b'HTTP/1.1 200 Connection established\\r\\n\\r\\nhello'\n127.0.0.1,localhost,::1 True\n");
  const EgressCounts counts = session->counts();
  EXPECT_EQ(counts.opened, 1u);
  EXPECT_EQ(counts.bytes_out, 5u);
  EXPECT_EQ(counts.bytes_in, 5u);
  EXPECT_EQ(log, "");
}

// More bytes than windows hold, several tunnels at once, slow readers: credit keeps them apart and nothing is lost.
TEST_F(Egress, Much_data_goes_both_ways_without_loss) {
  TestHost host(echo);
  TestHost other(echo);
  const std::string out = out_of(
      "import threading, hashlib, time\n"
      "def push(port, slow):\n"
      "    s = connect(); s.sendall(f'CONNECT 127.0.0.1:{port} HTTP/1.1\\r\\n\\r\\n'.encode())\n"
      "    assert b'200' in s.recv(39)\n"
      "    data = os.urandom(3_000_000); got = b''\n"
      "    t = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(1))); t.start()\n"
      "    if slow: time.sleep(0.5)\n"
      "    while piece := s.recv(65536): got += piece\n"
      "    t.join(); print(got == data, flush=True)\n"
      "threads = [threading.Thread(target=push, args=a) for a in [(" + host.port + ", False), (" + other.port + ", True)]]\n"
      "[t.start() for t in threads]; [t.join() for t in threads]\n",
      {"127.0.0.1:" + host.port + "," + other.port});
  EXPECT_EQ(out, "True\nTrue\n");
}

// A request in absolute form arrives at the host as an ordinary one, without what was meant for the proxy.
TEST_F(Egress, A_plain_request_is_rewritten_for_its_host) {
  std::string seen;
  TestHost host([&](int connection) {
    char piece[4096];
    while (seen.find("\r\n\r\n") == std::string::npos) {
      const ssize_t got = ::read(connection, piece, sizeof piece);
      if (got <= 0) return;
      seen.append(piece, static_cast<std::size_t>(got));
    }
    const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
    ::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
  });
  const std::string out = out_of("print(ask('GET http://127.0.0.1:" + host.port + "/a?b=c HTTP/1.1\\r\\nHost: somewhere.else\\r\\nProxy-Authorization: Basic c2VjcmV0\\r\\nProxy-Connection: keep-alive\\r\\nX-Kept: yes\\r\\n\\r\\n'))",
                                 {"127.0.0.1:" + host.port});
  EXPECT_THAT(out, HasSubstr("200 OK"));
  EXPECT_EQ(seen, "GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:" + host.port + "\r\nX-Kept: yes\r\nConnection: close\r\n\r\n");
}

// Whatever is not on the list is refused with 403, never connected to, and logged once.
TEST_F(Egress, Other_hosts_are_refused_and_logged) {
  TestHost listed(echo), forbidden(echo);
  const std::string out = out_of(
      "for target in ['127.0.0.1:" + forbidden.port + "', 'localhost:" + forbidden.port + "', '[::1]:" + forbidden.port + "', '127.1:" + listed.port + "', '2130706433:" + listed.port +
          "', 'localhost:" + listed.port + "', 'evil.invalid:443', '169.254.169.254:80']:\n"
          "    for i in range(2): print(ask(f'CONNECT {target} HTTP/1.1\\r\\n\\r\\n').split(b'\\r\\n')[0].decode())\n"
          "print(ask('GET http://127.0.0.1:" + forbidden.port + "/ HTTP/1.1\\r\\n\\r\\n').decode())",
      {"127.0.0.1:" + listed.port});
  std::string expected;
  for (int i = 0; i < 16; ++i) expected += "HTTP/1.1 403 Forbidden\n";
  EXPECT_EQ(out.substr(0, expected.size()), expected);
  EXPECT_THAT(out, HasSubstr("The sandbox may not reach 127.0.0.1:" + forbidden.port));
  EXPECT_EQ(forbidden.connections, 0);
  EXPECT_EQ(listed.connections, 0);
  const std::lock_guard lock(mutex);
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 8);
  EXPECT_THAT(log, HasSubstr("Network: evil.invalid:443 refused: evil.invalid:443 is not on this environment's list of allowed hosts\n"));
}

// A name on the list whose address is this machine's is refused all the same: lists name hosts, not what DNS makes of them.
TEST_F(Egress, A_listed_name_that_leads_inside_is_refused) {
  TestHost host(echo);
  char own_name[256] = "";
  ::gethostname(own_name, sizeof own_name - 1);
  addrinfo* list = nullptr;
  if (::getaddrinfo(own_name, nullptr, nullptr, &list) != 0) GTEST_SKIP() << "this machine's own name leads nowhere";
  const bool inside = !net::is_public_address(*list->ai_addr);
  ::freeaddrinfo(list);
  if (!inside) GTEST_SKIP() << "this machine's own name leads to a public address";
  const std::string out = out_of("print(ask('CONNECT " + std::string(own_name) + ":" + host.port + " HTTP/1.1\\r\\n\\r\\n').decode())", {std::string(own_name) + ":" + host.port});
  EXPECT_THAT(out, HasSubstr("403 Forbidden"));
  EXPECT_THAT(out, HasSubstr("which is not a public address"));
}

// What makes no sense is answered with 400 and reaches nobody.
TEST_F(Egress, Malformed_requests_are_refused_by_the_proxy) {
  TestHost host(echo);
  const std::string out = out_of(
      "bad = ['GET / HTTP/1.1\\r\\n\\r\\n', 'GET https://127.0.0.1:" + host.port + "/ HTTP/1.1\\r\\n\\r\\n', 'CONNECT 127.0.0.1 HTTP/1.1\\r\\n\\r\\n', 'CONNECT 127.0.0.1:0 HTTP/1.1\\r\\n\\r\\n',\n"
      "       'CONNECT user@127.0.0.1:" + host.port + " HTTP/1.1\\r\\n\\r\\n', 'GET http://u:p@127.0.0.1:" + host.port + "/ HTTP/1.1\\r\\n\\r\\n', 'CONNECT 127.0.0.1:" + host.port + " HTTP/2\\r\\n\\r\\n',\n"
      "       'GET http://127.0.0.1:" + host.port + "/ HTTP/1.1\\r\\nBad Header: x\\r\\n\\r\\n', 'GET http://127.0.0.1:" + host.port + "/ HTTP/1.1\\r\\nX: a\\nInjected: b\\r\\n\\r\\n', '\\r\\n\\r\\n', '\\x16\\x03\\x01\\r\\n\\r\\n']\n"
      "for text in bad: print(ask(text)[:12].decode())\n"
      // The answer to what is too long may be lost with the connection, which the proxy closes while more is on its way.
      "try: ask('CONNECT 127.0.0.1:" + host.port + " HTTP/1.1\\r\\n' + 'X: ' + 'y' * 40000 + '\\r\\n\\r\\n')\n"
      "except OSError: pass",
      {"127.0.0.1:" + host.port});
  std::string expected;
  for (int i = 0; i < 11; ++i) expected += "HTTP/1.1 400\n";
  EXPECT_EQ(out, expected);
  EXPECT_EQ(host.connections, 0);
}

TEST_F(Egress, A_host_that_does_not_answer_is_reported) {
  os::Descriptor closed(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(closed.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);  // bound, not listening: refused
  ::getsockname(closed.get(), reinterpret_cast<sockaddr*>(&address), &size);
  const std::string port = std::to_string(ntohs(address.sin_port));
  const std::string out = out_of("print(ask('CONNECT 127.0.0.1:" + port + " HTTP/1.1\\r\\n\\r\\n').decode())", {"127.0.0.1:" + port});
  EXPECT_THAT(out, HasSubstr("502 Bad Gateway"));
  EXPECT_THAT(out, HasSubstr("Connection refused"));
  const std::lock_guard lock(mutex);
  EXPECT_THAT(log, HasSubstr("could not be reached: Connection refused"));
}

// Without the variable nobody listens, and the agent sees no proxy.
TEST_F(Egress, A_run_that_does_not_ask_gets_no_proxy) {
  RunCommand command = python("print(sorted(k for k in os.environ if 'proxy' in k.lower()))");
  command.env.pop_back();
  const auto watcher = run(command, {});
  watcher->wait_exit();
  EXPECT_EQ(watcher->out(), "[]\n");
}

// A new server takes over: open tunnels are cut where the agent can see it, new ones work.
TEST_F(Egress, Tunnels_are_cut_with_the_connection_and_new_ones_open_through_the_next) {
  TestHost host(echo);
  const std::string connect = "CONNECT 127.0.0.1:" + host.port + " HTTP/1.1\\r\\n\\r\\n";
  const auto first = run(python("s = connect(); s.sendall(b'" + connect + "'); print(s.recv(100)[:12], flush=True)\n"
                                "try: print('cut' if s.recv(10) == b'' else 'data', flush=True)\n"
                                "except ConnectionResetError: print('cut', flush=True)\n"
                                "print(ask('" + connect + "', b'again')[-5:], flush=True)"),
                         {"127.0.0.1:" + host.port});
  first->wait_output("HTTP/1.1 200");
  const std::uint64_t offset = first->next_offset();
  restart_server();
  session->close();  // with the former server its sockets are gone
  auto next = std::make_shared<Watcher>(open({"127.0.0.1:" + host.port}));
  ASSERT_TRUE(runner_->reattach(run_, offset, next));
  EXPECT_EQ(next->wait_exit().exit_code, 0) << next->err();
  EXPECT_EQ(next->out(), "cut\nb'again'\n");
}

// A session outlives its gateway without harm.
TEST(EgressGateway, Sessions_may_outlive_it) {
  std::shared_ptr<EgressSession> session;
  {
    EgressGateway gateway;
    session = gateway.open(*EgressPolicy::parse({"example.com"}), {});
    session->on_disconnected();
  }
  session->on_disconnected();
  session->close();
  EXPECT_EQ(session->counts().opened, 0u);
}

}  // namespace
}  // namespace paperclip::environments
