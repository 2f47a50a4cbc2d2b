#include "net/websocket_session.h"

#include <spdlog/spdlog.h>

#include <array>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <deque>

namespace paperclip::net {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;

namespace {

class Session;

// What waits to be sent; shared by the session and the handle that other threads hold.
struct Outbox {
  std::mutex mutex;
  std::deque<std::shared_ptr<const std::string>> messages;
  std::size_t bytes = 0;
  bool closing = false;   // nothing more is taken
  bool notified = false;  // the session knows that there is something
  CloseCode code = CloseCode::normal;
  std::string reason;
};

// The public end. It keeps the loop alive but not the session, which therefore ends on its own thread only.
class Handle final : public WebSocket {
 public:
  Handle(std::shared_ptr<IoLoop> loop, std::shared_ptr<Outbox> outbox, std::weak_ptr<Session> session)
      : loop_(std::move(loop)), outbox_(std::move(outbox)), session_(std::move(session)) {}

  bool send_text(std::shared_ptr<const std::string> text) override;
  void close(CloseCode code, std::string reason) override;

 private:
  void notify();

  std::shared_ptr<IoLoop> loop_;
  std::shared_ptr<Outbox> outbox_;
  std::weak_ptr<Session> session_;
};

class Session final : public LoopMember, public std::enable_shared_from_this<Session> {
 public:
  Session(IoLoop& loop, TcpSocket socket, WebSocketHandlers handlers)
      : loop_(loop),
        limits_(loop.shared().options.websocket_limits),
        handlers_(std::move(handlers)),
        stream_(std::move(socket)) {}

  void start(const Request& request) {
    place_ = loop_.add(shared_from_this(), false);
    loop_.shared().counters.websockets.fetch_add(1, std::memory_order_relaxed);
    stream_.set_option(websocket::stream_base::timeout{limits_.handshake, 2 * limits_.ping_interval, true});
    // Beast would name itself and its version.
    stream_.set_option(websocket::stream_base::decorator(
        [](websocket::response_type& response) { response.set(beast::http::field::server, "paperclip"); }));
    stream_.read_message_max(limits_.incoming_message_bytes);
    stream_.auto_fragment(false);
    stream_.text(true);
    // Only what the handshake needs is passed on: the request was read once, by our parser.
    handshake_.version(11);
    handshake_.method(beast::http::verb::get);
    handshake_.target("/");
    handshake_.set(beast::http::field::host, "paperclip");
    handshake_.set(beast::http::field::connection, "upgrade");
    handshake_.set(beast::http::field::upgrade, "websocket");
    handshake_.set(beast::http::field::sec_websocket_version, "13");
    const auto key = *request.headers.find("sec-websocket-key");
    handshake_.set(beast::http::field::sec_websocket_key, beast::string_view(key.data(), key.size()));
    stream_.async_accept(handshake_,
                         [self = shared_from_this()](beast::error_code failed) { self->on_accepted(failed); });
  }

  // Sends what waits, one message at a time; then, if that is wanted, the close frame.
  void flush() {
    if (!open_ || writing_) return;
    std::unique_lock lock(outbox_->mutex);
    outbox_->notified = false;
    if (!outbox_->messages.empty()) {
      sending_ = std::move(outbox_->messages.front());
      outbox_->messages.pop_front();
      outbox_->bytes -= sending_->size();
      lock.unlock();
      writing_ = true;
      stream_.async_write(asio::buffer(*sending_), [self = shared_from_this()](beast::error_code failed, std::size_t) {
        self->writing_ = false;
        self->sending_.reset();
        if (failed)
          self->end();
        else
          self->flush();
      });
    } else if (outbox_->closing && !saying_goodbye_) {
      saying_goodbye_ = true;
      websocket::close_reason reason(static_cast<websocket::close_code>(outbox_->code));
      reason.reason = beast::string_view(outbox_->reason.data(),
                                         std::min<std::size_t>(outbox_->reason.size(), reason.reason.max_size()));
      lock.unlock();
      stream_.async_close(reason, [self = shared_from_this()](beast::error_code) { self->end(); });
    }
  }

  // From now on there is only so much time.
  void hurry() {
    if (deadline_ == SteadyTime::max()) deadline_ = std::chrono::steady_clock::now() + limits_.handshake;
  }

  void sweep(SteadyTime now) override {
    if (now >= deadline_) end();
  }
  void wind_down() override {}
  void say_goodbye() override {
    {
      std::lock_guard lock(outbox_->mutex);
      if (!outbox_->closing) outbox_->code = CloseCode::going_away;
      outbox_->closing = true;
    }
    if (!open_) return end();
    hurry();
    flush();
  }
  void abort() override { end(); }

 private:
  void on_accepted(beast::error_code failed) {
    if (failed || ended_) return end();
    open_ = true;
    if (handlers_.on_open)
      handlers_.on_open(std::make_shared<Handle>(loop_.shared_from_this(), outbox_, weak_from_this()));
    told_ = true;
    flush();
    read();
  }

  // What clients say is of no interest, but reading is what answers their pings and hears their pongs and their close.
  void read() {
    stream_.async_read_some(asio::buffer(ignored_), [self = shared_from_this()](beast::error_code failed, std::size_t) {
      if (failed)
        self->end();
      else
        self->read();
    });
  }

  void end() {
    if (ended_) return;
    ended_ = true;
    const auto self = shared_from_this();
    open_ = false;
    {
      std::lock_guard lock(outbox_->mutex);
      outbox_->closing = true;
      outbox_->messages.clear();
      outbox_->bytes = 0;
    }
    beast::error_code failed;
    stream_.next_layer().close(failed);
    auto& counters = loop_.shared().counters;
    counters.websockets.fetch_sub(1, std::memory_order_relaxed);
    counters.connections.fetch_sub(1, std::memory_order_relaxed);
    loop_.remove(place_, false);
    const auto handlers = std::move(handlers_);
    if (told_ && handlers.on_close) handlers.on_close();
  }

  IoLoop& loop_;
  const WebSocketLimits& limits_;
  WebSocketHandlers handlers_;
  websocket::stream<TcpSocket> stream_;
  beast::http::request<beast::http::empty_body> handshake_;
  IoLoop::Members::iterator place_;
  std::shared_ptr<Outbox> outbox_ = std::make_shared<Outbox>();
  std::shared_ptr<const std::string> sending_;
  std::array<char, 256> ignored_;
  SteadyTime deadline_ = SteadyTime::max();
  bool open_ = false, told_ = false, writing_ = false, saying_goodbye_ = false, ended_ = false;
};

bool Handle::send_text(std::shared_ptr<const std::string> text) {
  const WebSocketLimits& limits = loop_->shared().options.websocket_limits;
  bool too_slow = false;
  {
    std::lock_guard lock(outbox_->mutex);
    if (outbox_->closing) return false;
    too_slow =
        outbox_->messages.size() >= limits.outbox_messages || outbox_->bytes + text->size() > limits.outbox_bytes;
    if (too_slow) {
      // A reader that far behind is better served by a fresh start than by old news.
      outbox_->closing = true;
      outbox_->code = CloseCode::try_again_later;
      outbox_->reason = "too slow";
      outbox_->messages.clear();
      outbox_->bytes = 0;
    } else {
      outbox_->bytes += text->size();
      outbox_->messages.push_back(std::move(text));
      if (std::exchange(outbox_->notified, true)) return true;
    }
  }
  if (too_slow) loop_->shared().counters.slow_readers_dropped.fetch_add(1, std::memory_order_relaxed);
  notify();
  return !too_slow;
}

void Handle::close(CloseCode code, std::string reason) {
  {
    std::lock_guard lock(outbox_->mutex);
    if (outbox_->closing) return;
    outbox_->closing = true;
    outbox_->code = code;
    outbox_->reason = std::move(reason);
  }
  notify();
}

void Handle::notify() {
  loop_->post([weak = session_, outbox = outbox_] {
    const auto session = weak.lock();
    if (!session) return;
    {
      std::lock_guard lock(outbox->mutex);
      if (outbox->closing) session->hurry();
    }
    session->flush();
  });
}

}  // namespace

void start_websocket(IoLoop& loop, TcpSocket socket, const Request& request, WebSocketHandlers handlers) {
  std::make_shared<Session>(loop, std::move(socket), std::move(handlers))->start(request);
}

}  // namespace paperclip::net
