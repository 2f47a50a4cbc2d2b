#include "net/server.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/ip/v6_only.hpp>
#include <future>

#include "net/connection.h"

namespace paperclip::net {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr std::chrono::milliseconds accept_retry{50};

Result<tcp::endpoint> resolve(const std::string& host, std::uint16_t port) {
  boost::system::error_code failed;
  if (const auto address = asio::ip::make_address(host, failed); !failed) return tcp::endpoint(address, port);
  asio::io_context context;
  const auto found = tcp::resolver(context).resolve(host, std::to_string(port), tcp::resolver::passive, failed);
  if (failed || found.empty()) return bad_request("Cannot listen on " + host + ": " + failed.message());
  // `localhost` is 127.0.0.1 to most clients first.
  for (const auto& entry : found)
    if (entry.endpoint().address().is_v4()) return entry.endpoint();
  return found.begin()->endpoint();
}

std::string authority_of(const tcp::endpoint& endpoint) {
  const auto address = endpoint.address();
  const std::string host = address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
  return host + ":" + std::to_string(endpoint.port());
}

Result<tcp::acceptor> bind(asio::io_context& context, const tcp::endpoint& endpoint) {
  tcp::acceptor acceptor(context);
  boost::system::error_code failed;
  const auto wrong = [&](ErrorKind kind) {
    return Error(kind, "Cannot listen on " + authority_of(endpoint) + ": " + failed.message());
  };
  acceptor.open(endpoint.protocol(), failed);
  if (failed) return wrong(ErrorKind::bad_request);
  ::fcntl(acceptor.native_handle(), F_SETFD, FD_CLOEXEC);
  acceptor.set_option(asio::socket_base::reuse_address(true), failed);
  if (endpoint.address().is_v6() && endpoint.address().is_unspecified())
    acceptor.set_option(asio::ip::v6_only(false), failed);
  acceptor.bind(endpoint, failed);
  if (failed) return wrong(failed == asio::error::address_in_use ? ErrorKind::conflict : ErrorKind::bad_request);
  acceptor.listen(asio::socket_base::max_listen_connections, failed);
  if (failed) return wrong(failed == asio::error::address_in_use ? ErrorKind::conflict : ErrorKind::bad_request);
  return acceptor;
}

// One try, without waiting: a client that does not take it has bad luck.
void turn_away(TcpSocket socket, const std::string& date) {
  std::string text;
  Response response = Response::error(503, "Too many connections");
  append_head(text, response, {false, false, date});
  text += response.body;
  [[maybe_unused]] const auto sent =
      ::send(socket.native_handle(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

// Accepts on one loop and deals the connections out to all.
class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  Acceptor(tcp::acceptor acceptor, std::vector<std::shared_ptr<IoLoop>>& loops)
      : acceptor_(std::move(acceptor)), retry_(acceptor_.get_executor()), loops_(loops) {}

  void accept() {
    IoLoop& loop = *loops_[next_++ % loops_.size()];
    acceptor_.async_accept(loop.context(),
                           [self = shared_from_this(), &loop](boost::system::error_code failed, TcpSocket socket) {
                             if (!self->acceptor_.is_open()) return;
                             if (!failed) {
                               self->take(loop, std::move(socket));
                               return self->accept();
                             }
                             // Out of descriptors, most likely: the queue of waiting connections stays, so come back.
                             spdlog::warn("net.accept_failed error={}", failed.message());
                             self->retry_.expires_after(accept_retry);
                             self->retry_.async_wait([self](boost::system::error_code cancelled) {
                               if (!cancelled && self->acceptor_.is_open()) self->accept();
                             });
                           });
  }

  void close() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    retry_.cancel();
  }

 private:
  void take(IoLoop& loop, TcpSocket socket) {
    ::fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
    ServerShared& shared = loop.shared();
    shared.counters.accepted.fetch_add(1, std::memory_order_relaxed);
    if (shared.counters.connections.load() >= static_cast<std::int64_t>(shared.options.limits.connections)) {
      shared.counters.refused.fetch_add(1, std::memory_order_relaxed);
      return turn_away(std::move(socket), loops_[0]->date());
    }
    shared.counters.connections.fetch_add(1, std::memory_order_relaxed);
    auto begin = [connection = std::make_shared<Connection>(loop, std::move(socket))] { connection->start(); };
    if (loop.on_this_thread())
      begin();
    else
      loop.post(std::move(begin));
  }

  tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  std::vector<std::shared_ptr<IoLoop>>& loops_;
  std::size_t next_ = 0;
};

}  // namespace

struct Server::State {
  std::shared_ptr<ServerShared> shared = std::make_shared<ServerShared>();
  std::vector<std::shared_ptr<IoLoop>> loops;
  std::shared_ptr<Acceptor> acceptor;
  tcp::endpoint endpoint;
  bool stopped = false, answered_all = true;

  template <class Work>
  void on_every_loop(Work work) {
    for (const auto& loop : loops) loop->post([work, &loop = *loop] { work(loop); });
  }
};

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<Server>> Server::listen(ServerOptions options) {
  auto endpoint = TRY(resolve(options.host, options.port));
  auto state = std::make_unique<State>();
  state->shared->options = std::move(options);
  const int threads = std::max(1, state->shared->options.io_threads);
  for (int i = 0; i < threads; ++i) state->loops.push_back(std::make_shared<IoLoop>(state->shared));
  auto acceptor = TRY(bind(state->loops[0]->context(), endpoint));
  state->endpoint = acceptor.local_endpoint();
  state->acceptor = std::make_shared<Acceptor>(std::move(acceptor), state->loops);
  for (const auto& loop : state->loops) loop->start();
  state->loops[0]->post([acceptor = state->acceptor] { acceptor->accept(); });
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Server::~Server() { stop(Deadline::in(std::chrono::seconds(0))); }

std::uint16_t Server::port() const { return state_->endpoint.port(); }
std::string Server::url() const { return "http://" + authority_of(state_->endpoint); }
const ServerCounters& Server::counters() const { return state_->shared->counters; }

bool Server::stop(Deadline deadline) {
  State& state = *state_;
  if (state.stopped) return state.answered_all;
  state.stopped = true;
  ServerShared& shared = *state.shared;
  // Nobody may arrive after the loops were told to wind down, so the acceptor's end is awaited first.
  std::promise<void> closed;
  state.loops[0]->post([&] {
    state.acceptor->close();
    closed.set_value();
  });
  closed.get_future().wait();
  state.on_every_loop([](IoLoop& loop) { loop.wind_down(); });
  {
    std::unique_lock lock(shared.mutex);
    state.answered_all = shared.changed.wait_until(lock, deadline.at(), [&] { return shared.http_connections == 0; });
  }
  state.on_every_loop([](IoLoop& loop) { loop.each([](LoopMember& member) { member.say_goodbye(); }); });
  {
    std::unique_lock lock(shared.mutex);
    shared.changed.wait_until(lock, deadline.at(), [&] { return shared.members == 0; });
  }
  state.on_every_loop([](IoLoop& loop) { loop.each([](LoopMember& member) { member.abort(); }); });
  for (const auto& loop : state.loops) loop->finish();
  state.acceptor.reset();
  state.loops.clear();
  return state.answered_all;
}

Responder::Responder(std::shared_ptr<IoLoop> loop, std::weak_ptr<Connection> connection)
    : loop_(std::move(loop)), connection_(std::move(connection)) {}
Responder::Responder(Responder&&) noexcept = default;
Responder& Responder::operator=(Responder&& other) noexcept {
  if (this != &other) {
    if (loop_) (*this)(Response::error(500, "Internal server error"));
    loop_ = std::move(other.loop_);
    connection_ = std::move(other.connection_);
  }
  return *this;
}
Responder::~Responder() {
  if (loop_) (*this)(Response::error(500, "Internal server error"));
}

void Responder::operator()(Response response) {
  const auto loop = std::move(loop_);
  if (!loop) return;
  if (loop->on_this_thread())
    if (const auto connection = connection_.lock(); connection && connection->in_handler())
      return connection->answer(std::move(response));
  loop->post([weak = std::move(connection_), response = std::move(response)]() mutable {
    if (const auto connection = weak.lock()) connection->answer(std::move(response));
  });
}

Upgrade::Upgrade(std::shared_ptr<IoLoop> loop, std::weak_ptr<Connection> connection)
    : loop_(std::move(loop)), connection_(std::move(connection)) {}
Upgrade::Upgrade(Upgrade&&) noexcept = default;
Upgrade& Upgrade::operator=(Upgrade&& other) noexcept {
  if (this != &other) {
    if (loop_) refuse(Response::text(500, "upgrade failed", "text/plain"));
    loop_ = std::move(other.loop_);
    connection_ = std::move(other.connection_);
  }
  return *this;
}
Upgrade::~Upgrade() {
  if (loop_) refuse(Response::text(500, "upgrade failed", "text/plain"));
}

// Always later, never from within the handler: upgrades are rare, and the connection may go away in the deciding.
void Upgrade::refuse(Response response) {
  const auto loop = std::move(loop_);
  if (!loop) return;
  loop->post([weak = std::move(connection_), response = std::move(response)]() mutable {
    if (const auto connection = weak.lock()) connection->refuse_upgrade(std::move(response));
  });
}

void Upgrade::drop() {
  const auto loop = std::move(loop_);
  if (!loop) return;
  loop->post([weak = std::move(connection_)] {
    if (const auto connection = weak.lock()) connection->drop_upgrade();
  });
}

void Upgrade::accept(WebSocketHandlers handlers) {
  const auto loop = std::move(loop_);
  if (!loop) return;
  loop->post([weak = std::move(connection_), handlers = std::move(handlers)]() mutable {
    if (const auto connection = weak.lock()) connection->accept_upgrade(std::move(handlers));
  });
}

}  // namespace paperclip::net
