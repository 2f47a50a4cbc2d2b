#include "net/websocket_client.h"

#include <openssl/ssl.h>

#include <atomic>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "base/json.h"
#include "net/response_head.h"

namespace paperclip::net {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::chrono::seconds handshake_time{30};
// A server of ours pings every 30 s; one that says nothing for so long, not even to our ping, is gone.
constexpr std::chrono::seconds silence{90};

struct Target {
  bool secure = false;
  std::string host, port, path;
  std::string authority;
};

Result<Target> parse_target(std::string_view url) {
  Target target;
  std::string_view rest = url;
  if (rest.starts_with("wss://"))
    target.secure = true, rest.remove_prefix(6);
  else if (rest.starts_with("ws://"))
    rest.remove_prefix(5);
  else
    return bad_request("Not a WebSocket URL (ws:// or wss://)");
  const auto slash = rest.find_first_of("/?");
  target.authority = rest.substr(0, slash);
  target.path = slash == std::string_view::npos ? "/" : rest.substr(slash);
  if (target.path.front() == '?') target.path.insert(0, "/");
  target.path.resize(std::min(target.path.size(), target.path.find('#')));
  std::string_view authority = target.authority;
  const auto end_of_host = authority.starts_with('[') ? authority.find(']') : authority.find(':');
  if (authority.starts_with('[')) {
    if (end_of_host == std::string_view::npos) return bad_request("Malformed host in WebSocket URL");
    target.host = authority.substr(1, end_of_host - 1);
    authority.remove_prefix(end_of_host + 1);
  } else {
    target.host = authority.substr(0, end_of_host);
    authority.remove_prefix(target.host.size());
  }
  target.port = authority.starts_with(':') ? std::string(authority.substr(1)) : target.secure ? "443" : "80";
  const auto is_clean = [](std::string_view text) {
    return text.find_first_of(" \t\r\n@\\") == std::string_view::npos && text.find('\0') == std::string_view::npos;
  };
  if (target.host.empty() || !is_clean(target.authority) || !is_clean(target.path))
    return bad_request("Malformed WebSocket URL");
  return target;
}

// Runs one asynchronous step at a time on its own loop; that is how every call can have a deadline.
class Loop {
 public:
  asio::io_context& context() { return context_; }
  // Runs until `done` or the deadline; false for the latter.
  template <class Done>
  bool run_until(Done done, Deadline deadline) {
    while (!done()) {
      if (context_.stopped()) context_.restart();
      // A step of at most a day: steady_clock's last moment is more than the timer can count with.
      if (context_.run_one_for(deadline.left()) == 0 && !done() && deadline.passed()) return false;
    }
    return true;
  }

 private:
  asio::io_context context_{1};
};

tcp::socket& lowest(tcp::socket& stream) { return stream; }
tcp::socket& lowest(asio::ssl::stream<tcp::socket>& stream) { return stream.next_layer(); }

template <class Next>
class Client final : public WebSocketClient {
 public:
  template <class... Arguments>
  Client(const Target& target, Arguments&... arguments) : target_(target), stream_(loop_.context(), arguments...) {}
  ~Client() override {
    error_code ignored;
    lowest(stream_.next_layer()).close(ignored);
    loop_.context().restart();
    loop_.context().poll();  // lets what was pending see its end while everything is still there
  }

  Result<> open(const Headers& headers, Deadline deadline, std::size_t max_message_bytes) {
    tcp::resolver resolver(loop_.context());
    tcp::resolver::results_type found;
    TRY(step("resolve the name of", deadline, [&](auto done) {
      resolver.async_resolve(target_.host, target_.port,
                             [&found, done](error_code failed, tcp::resolver::results_type results) {
                               found = std::move(results);
                               done(failed);
                             });
    }));
    TRY(step("connect to", deadline, [&](auto done) {
      asio::async_connect(lowest(stream_.next_layer()), found,
                          [done](error_code failed, const tcp::endpoint&) { done(failed); });
    }));
    error_code ignored;
    lowest(stream_.next_layer()).set_option(tcp::no_delay(true), ignored);
    if constexpr (!std::is_same_v<Next, tcp::socket>) {
      SSL_set_tlsext_host_name(stream_.next_layer().native_handle(), target_.host.c_str());
      stream_.next_layer().set_verify_mode(asio::ssl::verify_peer);
      stream_.next_layer().set_verify_callback(asio::ssl::host_name_verification(target_.host));
      TRY(step("agree on TLS with", deadline,
               [&](auto done) { stream_.next_layer().async_handshake(asio::ssl::stream_base::client, done); }));
    }
    stream_.set_option(websocket::stream_base::timeout{handshake_time, silence, true});
    stream_.set_option(websocket::stream_base::decorator([&](websocket::request_type& request) {
      request.erase(beast::http::field::user_agent);
      for (const auto& [name, value] : headers)
        request.set(beast::string_view(name.data(), name.size()), beast::string_view(value.data(), value.size()));
      if (!headers.contains("user-agent")) request.set(beast::http::field::user_agent, "paperclip");
    }));
    stream_.read_message_max(max_message_bytes);
    stream_.text(true);
    websocket::response_type response;
    auto greeted = step("open a WebSocket at", deadline,
                        [&](auto done) { stream_.async_handshake(response, target_.authority, target_.path, done); });
    if (!greeted && response.result_int() >= 200 && response.result_int() != 101) {
      greeted.error().message =
          target_.authority + " answered " + std::to_string(response.result_int()) + " instead of opening a WebSocket";
      greeted.error().details = json::object{{"status", response.result_int()}};
    }
    return greeted;
  }

  Result<std::optional<std::string>> read(Deadline deadline) override {
    if (!reading_ && !read_done_) {
      reading_ = true;
      stream_.async_read(buffer_, [this](error_code failed, std::size_t) {
        reading_ = false;
        read_done_ = failed;
      });
    }
    const bool in_time = loop_.run_until([&] { return read_done_ || interrupted_; }, deadline);
    if (interrupted_) return Error(ErrorKind::unavailable, "Interrupted");
    if (!in_time) return Error(ErrorKind::timeout, "No message from " + target_.authority + " in time");
    // A peer that said goodbye has closed, even if it was gone before it heard ours.
    if (*read_done_ == websocket::error::closed || (*read_done_ && close_code() != 0)) return std::optional<std::string>();
    if (*read_done_)
      return Error(ErrorKind::bad_gateway,
                   "The WebSocket to " + target_.authority + " broke: " + read_done_->message());
    read_done_.reset();
    std::string message(static_cast<const char*>(buffer_.data().data()), buffer_.size());
    buffer_.consume(buffer_.size());
    return std::optional<std::string>(std::move(message));
  }

  Result<> send_text(std::string_view text, Deadline deadline) override {
    return step("send to", deadline, [&](auto done) {
      stream_.async_write(asio::buffer(text.data(), text.size()),
                          [done](error_code failed, std::size_t) { done(failed); });
    });
  }

  void close(Deadline deadline) override {
    [[maybe_unused]] const auto closed =
        step("close", deadline, [&](auto done) { stream_.async_close(websocket::close_code::normal, done); });
  }

  std::uint16_t close_code() const override { return stream_.reason().code; }

  void interrupt() override {
    interrupted_ = true;
    asio::post(loop_.context(), [] {});
  }

 private:
  // Starts an operation with a completion function, and waits for it. One that outlives its deadline is cut off by
  // closing the socket, and still waited for: it refers to our frame.
  template <class Start>
  Result<> step(const char* what, Deadline deadline, Start start) {
    std::optional<error_code> outcome;
    start([&outcome](error_code failed) { outcome = failed; });
    const bool in_time = loop_.run_until([&] { return outcome.has_value(); }, deadline);
    if (!in_time) {
      error_code ignored;
      lowest(stream_.next_layer()).close(ignored);
      loop_.run_until([&] { return outcome.has_value(); }, Deadline::never());
      return Error(ErrorKind::timeout, std::string("Cannot ") + what + " " + target_.authority + ": no answer in time");
    }
    if (*outcome)
      return Error(ErrorKind::bad_gateway,
                   std::string("Cannot ") + what + " " + target_.authority + ": " + outcome->message());
    return {};
  }

  const Target target_;
  Loop loop_;
  websocket::stream<Next> stream_;
  beast::flat_buffer buffer_;
  bool reading_ = false;
  std::optional<error_code> read_done_;
  std::atomic<bool> interrupted_{false};
};

template <class Made>
Result<std::unique_ptr<WebSocketClient>> opened(std::unique_ptr<Made> client, const Headers& headers, Deadline deadline,
                                                std::size_t max_message_bytes) {
  TRY(client->open(headers, deadline, max_message_bytes));
  return std::unique_ptr<WebSocketClient>(std::move(client));
}

}  // namespace

Result<std::unique_ptr<WebSocketClient>> WebSocketClient::connect(std::string_view url, const Headers& headers,
                                                                  Deadline deadline, std::size_t max_message_bytes) {
  const auto target = TRY(parse_target(url));
  if (!are_clean(headers)) return bad_request("A header holds a control character");
  if (!target.secure)
    return opened(std::make_unique<Client<tcp::socket>>(target), headers, deadline, max_message_bytes);
  asio::ssl::context tls(asio::ssl::context::tls_client);
  error_code failed;
  tls.set_default_verify_paths(failed);
  return opened(std::make_unique<Client<asio::ssl::stream<tcp::socket>>>(target, tls), headers, deadline,
                max_message_bytes);
}

}  // namespace paperclip::net
