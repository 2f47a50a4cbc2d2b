#include "environments/egress.h"

#include <netdb.h>

#include <algorithm>
#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "runner/egress.h"

namespace paperclip::environments {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using runner::Frame;

constexpr std::chrono::seconds connect_patience{20};
constexpr std::size_t remembered_refusals = 200;

}  // namespace

/// The thread, and the threads that look names up. Sessions keep it; `stop` leaves it without work.
class EgressGateway::Loop {
 public:
  Loop() : thread_([this] {
    ::pthread_setname_np(::pthread_self(), "egress");
    context_.run();
  }) {}

  asio::io_context& context() { return context_; }
  /// Dropped once it was stopped.
  template <class Work>
  void post(Work work) {
    const std::lock_guard lock(mutex_);
    if (!stopped_) asio::post(context_, std::move(work));
  }
  template <class Work>
  void look_up(Work work) {
    const std::lock_guard lock(mutex_);
    if (!stopped_) asio::post(lookups_, std::move(work));
  }
  void remember(const std::shared_ptr<EgressSession>& session) {
    const std::lock_guard lock(mutex_);
    std::erase_if(sessions_, [](const auto& each) { return each.expired(); });
    sessions_.push_back(session);
  }
  void stop() {
    std::vector<std::weak_ptr<EgressSession>> sessions;
    {
      const std::lock_guard lock(mutex_);
      sessions.swap(sessions_);
    }
    for (const auto& each : sessions)
      if (const auto session = each.lock()) session->close();
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    lookups_.stop();
    lookups_.join();
    work_.reset();  // with its sockets closed, nothing is left to wait for
    thread_.join();
  }

 private:
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  asio::thread_pool lookups_{4};
  std::mutex mutex_;
  bool stopped_ = false;
  std::vector<std::weak_ptr<EgressSession>> sessions_;
  std::thread thread_;
};

namespace {

class Session;

/// One connection to a host. Lives on the gateway's thread; the session holds it until both sides ended.
class Tunnel : public std::enable_shared_from_this<Tunnel> {
 public:
  Tunnel(asio::io_context& context, std::weak_ptr<Session> session, std::uint16_t stream, runner::EgressTarget target)
      : socket_(context), timer_(context), session_(std::move(session)), stream_(stream), target_(std::move(target)) {}

  void connect(std::vector<tcp::endpoint> endpoints);
  void take(std::string_view bytes);
  void take_credit(std::uint32_t bytes) {
    credit_ = std::min(credit_ + bytes, runner::egress_window);
    read();
  }
  void take_end() {
    ended_ = true;
    write();
  }
  void abort() {
    gone_ = true;
    error_code ignored;
    timer_.cancel();
    socket_.close(ignored);
  }
  const runner::EgressTarget& target() const { return target_; }

 private:
  void read();
  void write();
  void finish_if_done();
  void fail();

  tcp::socket socket_;
  asio::steady_timer timer_;
  std::weak_ptr<Session> session_;
  const std::uint16_t stream_;
  const runner::EgressTarget target_;
  bool open_ = false, gone_ = false, reading_ = false, writing_ = false;
  bool ended_ = false, shut_ = false;   // the sandbox sends no more; the host knows
  bool host_ended_ = false;
  std::uint32_t credit_ = runner::egress_window;  // what the runner still takes
  std::string waiting_, under_way_;               // for the host
  std::array<char, runner::frame_payload_limit> buffer_;
};

/// Frames come on the thread that follows runs; everything else is on the gateway's.
class Session : public EgressSession, public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<EgressGateway::Loop> loop, EgressPolicy policy, OnEgressRefused refused)
      : loop_(std::move(loop)), policy_(std::move(policy)), refused_(std::move(refused)) {}
  ~Session() override {
    if (tunnels_.empty()) return;
    loop_->post([tunnels = std::move(tunnels_)] {
      for (const auto& [stream, tunnel] : tunnels) tunnel->abort();
    });
  }

  void on_connected(std::shared_ptr<FrameLink> link) override {
    on_loop([link](Session& self) {
      self.drop_all();
      self.link_ = link;
      std::string frames;
      runner::append_egress_mark(frames, runner::egress_frame::serve, 0);
      self.send(std::move(frames));
    });
  }
  void on_frame(const Frame& frame) override {
    on_loop([type = frame.type, stream = frame.stream, payload = std::string(frame.payload)](Session& self) { self.take(type, stream, payload); });
  }
  void on_disconnected() override {
    on_loop([](Session& self) {
      self.drop_all();
      self.link_.reset();
    });
  }
  void close() override {
    on_loop([](Session& self) {
      self.closed_ = true;
      self.drop_all();
    });
  }
  EgressCounts counts() const override {
    const std::lock_guard lock(counts_mutex_);
    return counts_;
  }

  // For tunnels, on the gateway's thread.
  void send(std::string frames) {
    if (link_) link_->send(runner::FrameClass::callbacks, std::move(frames));
  }
  void answer(std::uint16_t stream, std::uint16_t status, const std::string& text) {
    std::string frames;
    runner::append_egress_answer(frames, stream, status, text);
    send(std::move(frames));
  }
  void count(std::uint64_t EgressCounts::*what, std::uint64_t by = 1) {
    const std::lock_guard lock(counts_mutex_);
    counts_.*what += by;
  }
  void cannot_reach(std::uint16_t stream, const runner::EgressTarget& target, std::uint16_t status, const std::string& why) {
    count(&EgressCounts::failed);
    note(target, "could not be reached: " + why);
    answer(stream, status, "Cannot reach " + target.host + ":" + std::to_string(target.port) + ": " + why);
    tunnels_.erase(stream);
  }
  void forget(std::uint16_t stream) { tunnels_.erase(stream); }

 private:
  template <class Work>
  void on_loop(Work work) {
    loop_->post([self = shared_from_this(), work = std::move(work)] { work(*self); });
  }

  void take(runner::FrameType type, std::uint16_t stream, const std::string& payload) {
    if (closed_) return;
    if (type == runner::egress_frame::open) {
      runner::ByteReader reader(payload);
      runner::EgressTarget target;
      target.port = reader.number<std::uint16_t>();
      target.host = reader.text();
      if (reader.ok()) begin(stream, std::move(target));
      return;
    }
    const auto found = tunnels_.find(stream);
    if (found == tunnels_.end()) return;
    const std::shared_ptr<Tunnel> tunnel = found->second;
    if (type == runner::egress_frame::data) {
      count(&EgressCounts::bytes_out, payload.size());
      tunnel->take(payload);
    } else if (type == runner::egress_frame::credit) {
      tunnel->take_credit(runner::ByteReader(payload).number<std::uint32_t>());
    } else if (type == runner::egress_frame::end) {
      tunnel->take_end();
    } else if (type == runner::egress_frame::reset) {
      tunnel->abort();
      tunnels_.erase(stream);
    }
  }

  void begin(std::uint16_t stream, runner::EgressTarget target) {
    if (tunnels_.contains(stream)) return;  // it does not keep to the protocol
    if (tunnels_.size() >= runner::egress_tunnels_limit) return answer(stream, 502, "Too many connections at once");
    if (const auto why = policy_.refusal(target.host, target.port)) return refuse(stream, target, *why);
    tunnels_.emplace(stream, std::make_shared<Tunnel>(loop_->context(), weak_from_this(), stream, target));
    loop_->look_up([weak = weak_from_this(), stream, target] {
      auto [endpoints, error] = resolve(target);
      const auto self = weak.lock();
      if (!self) return;
      self->on_loop([stream, target, endpoints = std::move(endpoints), error = std::move(error)](Session& session) {
        session.resolved(stream, target, endpoints, error);
      });
    });
  }

  static std::pair<std::vector<tcp::endpoint>, std::string> resolve(const runner::EgressTarget& target) {
    addrinfo wanted{};
    wanted.ai_family = AF_UNSPEC;
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
    addrinfo* list = nullptr;
    const int failure = ::getaddrinfo(target.host.c_str(), std::to_string(target.port).c_str(), &wanted, &list);
    if (failure != 0) return {{}, failure == EAI_SYSTEM ? "the name could not be looked up" : ::gai_strerror(failure)};
    std::vector<tcp::endpoint> endpoints;
    for (const addrinfo* each = list; each; each = each->ai_next) {
      tcp::endpoint endpoint;
      if (each->ai_addrlen > endpoint.capacity()) continue;
      endpoint.resize(each->ai_addrlen);
      std::memcpy(endpoint.data(), each->ai_addr, each->ai_addrlen);
      endpoints.push_back(endpoint);
    }
    ::freeaddrinfo(list);
    return {std::move(endpoints), {}};
  }

  void resolved(std::uint16_t stream, const runner::EgressTarget& target, const std::vector<tcp::endpoint>& endpoints, const std::string& error) {
    const auto found = tunnels_.find(stream);
    if (found == tunnels_.end()) return;
    if (!error.empty()) return cannot_reach(stream, target, 502, error);
    // Decided on here and connected to at once: no second look-up can lead elsewhere.
    std::vector<tcp::endpoint> allowed;
    std::optional<std::string> why;
    for (const tcp::endpoint& endpoint : endpoints) {
      auto refusal = policy_.refusal(target.host, *reinterpret_cast<const sockaddr*>(endpoint.data()), target.port);
      if (refusal) {
        why = std::move(refusal);
      } else {
        allowed.push_back(endpoint);
      }
    }
    if (!allowed.empty()) return found->second->connect(std::move(allowed));
    if (!why) return cannot_reach(stream, target, 502, "it has no address");
    tunnels_.erase(found);
    refuse(stream, target, *why);
  }

  void refuse(std::uint16_t stream, const runner::EgressTarget& target, const std::string& why) {
    count(&EgressCounts::refused);
    note(target, "refused: " + why);
    answer(stream, 403, "The sandbox may not reach " + why);
  }
  /// Once for each target: an agent that tries again and again shall not fill the log.
  void note(const runner::EgressTarget& target, const std::string& what) {
    if (!refused_ || noted_.size() >= remembered_refusals) return;
    const std::string place = target.host + ":" + std::to_string(target.port);
    if (noted_.insert(place + what).second) refused_("Network: " + place + " " + what);
  }
  void drop_all() {
    for (const auto& [stream, tunnel] : tunnels_) tunnel->abort();
    tunnels_.clear();
  }

  const std::shared_ptr<EgressGateway::Loop> loop_;
  const EgressPolicy policy_;
  const OnEgressRefused refused_;
  std::shared_ptr<FrameLink> link_;
  std::map<std::uint16_t, std::shared_ptr<Tunnel>> tunnels_;
  std::set<std::string> noted_;
  bool closed_ = false;
  mutable std::mutex counts_mutex_;
  EgressCounts counts_;
};

void Tunnel::connect(std::vector<tcp::endpoint> endpoints) {
  timer_.expires_after(connect_patience);
  timer_.async_wait([self = shared_from_this()](error_code stopped) {
    if (stopped || self->open_ || self->gone_) return;
    self->abort();
    if (const auto session = self->session_.lock()) session->cannot_reach(self->stream_, self->target_, 504, "it did not answer in time");
  });
  const auto list = std::make_shared<std::vector<tcp::endpoint>>(std::move(endpoints));
  asio::async_connect(socket_, *list, [self = shared_from_this(), list](error_code failure, const tcp::endpoint&) {
    if (self->gone_) return;
    self->timer_.cancel();
    const auto session = self->session_.lock();
    if (!session) return self->abort();
    if (failure) return session->cannot_reach(self->stream_, self->target_, 502, failure.message());
    self->open_ = true;
    error_code ignored;
    self->socket_.set_option(tcp::no_delay(true), ignored);
    session->count(&EgressCounts::opened);
    session->answer(self->stream_, 200, "");
    self->read();
    self->write();
  });
}

void Tunnel::take(std::string_view bytes) {
  if (waiting_.size() + under_way_.size() + bytes.size() > 2 * runner::egress_window) return fail();  // it does not keep to its credit
  waiting_ += bytes;
  write();
}

/// Host to sandbox, as far as credit goes.
void Tunnel::read() {
  if (!open_ || gone_ || reading_ || host_ended_ || credit_ == 0) return;
  reading_ = true;
  socket_.async_read_some(asio::buffer(buffer_.data(), std::min<std::size_t>(buffer_.size(), credit_)),
                          [self = shared_from_this()](error_code failure, std::size_t got) {
    self->reading_ = false;
    const auto session = self->session_.lock();
    if (self->gone_ || !session) return;
    if (failure && failure != asio::error::eof) return self->fail();
    std::string frames;
    if (failure) {
      self->host_ended_ = true;
      runner::append_egress_mark(frames, runner::egress_frame::end, self->stream_);
    } else {
      self->credit_ -= static_cast<std::uint32_t>(got);
      session->count(&EgressCounts::bytes_in, got);
      runner::append_egress_data(frames, self->stream_, {self->buffer_.data(), got});
    }
    session->send(std::move(frames));
    self->read();
    self->finish_if_done();
  });
}

/// Sandbox to host.
void Tunnel::write() {
  if (!open_ || gone_ || writing_) return;
  if (waiting_.empty()) {
    if (ended_ && !shut_) {
      error_code ignored;
      socket_.shutdown(tcp::socket::shutdown_send, ignored);
      shut_ = true;
      finish_if_done();
    }
    return;
  }
  writing_ = true;
  under_way_ = std::exchange(waiting_, {});
  asio::async_write(socket_, asio::buffer(under_way_), [self = shared_from_this()](error_code failure, std::size_t) {
    self->writing_ = false;
    const auto session = self->session_.lock();
    if (self->gone_ || !session) return;
    if (failure) return self->fail();
    std::string frames;
    runner::append_egress_credit(frames, self->stream_, static_cast<std::uint32_t>(self->under_way_.size()));
    session->send(std::move(frames));
    self->under_way_.clear();
    self->write();
  });
}

void Tunnel::finish_if_done() {
  if (!host_ended_ || !shut_) return;
  const auto self = shared_from_this();
  abort();
  if (const auto session = session_.lock()) session->forget(stream_);
}

void Tunnel::fail() {
  const auto self = shared_from_this();
  abort();
  const auto session = session_.lock();
  if (!session) return;
  std::string frames;
  runner::append_egress_mark(frames, runner::egress_frame::reset, stream_);
  session->send(std::move(frames));
  session->forget(stream_);
}

}  // namespace

EgressGateway::~EgressGateway() {
  if (loop_) loop_->stop();
}

std::shared_ptr<EgressSession> EgressGateway::open(EgressPolicy policy, OnEgressRefused refused) {
  const std::lock_guard lock(mutex_);
  if (!loop_) loop_ = std::make_shared<Loop>();
  auto session = std::make_shared<Session>(loop_, std::move(policy), std::move(refused));
  loop_->remember(session);
  return session;
}

FrameSwitch& FrameSwitch::add(bool (*belongs)(runner::FrameType), std::shared_ptr<FrameHandler> handler) {
  if (handler) handlers_.emplace_back(belongs, std::move(handler));
  return *this;
}
void FrameSwitch::on_connected(std::shared_ptr<FrameLink> link) {
  for (const auto& [belongs, handler] : handlers_) handler->on_connected(link);
}
void FrameSwitch::on_frame(const runner::Frame& frame) {
  for (const auto& [belongs, handler] : handlers_)
    if (belongs(frame.type)) return handler->on_frame(frame);
}
void FrameSwitch::on_disconnected() {
  for (const auto& [belongs, handler] : handlers_) handler->on_disconnected();
}

}  // namespace paperclip::environments
