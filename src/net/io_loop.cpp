#include "net/io_loop.h"

#include <spdlog/spdlog.h>

#include <csignal>
#include <ctime>

namespace paperclip::net {

namespace asio = boost::asio;

IoLoop::IoLoop(std::shared_ptr<ServerShared> shared) : shared_(std::move(shared)) {
  const auto& limits = shared_->options.limits;
  const auto& websocket = shared_->options.websocket_limits;
  const auto shortest = std::min({limits.idle, limits.header, limits.progress, websocket.handshake});
  sweep_interval_ =
      std::clamp<std::chrono::milliseconds>(shortest / 4, std::chrono::milliseconds(5), std::chrono::seconds(1));
}

IoLoop::~IoLoop() { finish(); }

void IoLoop::start() {
  thread_ = std::thread([this] {
    // sendfile has no MSG_NOSIGNAL; a reader that went away must be an error, not a signal.
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    pthread_setname_np(pthread_self(), "net-io");
    while (true) {
      try {
        context_.run();
        return;
      } catch (const std::exception& problem) {  // a callback of those above; the other connections go on
        spdlog::error("net.callback_threw error={}", problem.what());
      }
    }
  });
  thread_id_ = thread_.get_id();
}

void IoLoop::finish() {
  work_.reset();
  if (thread_.joinable()) thread_.join();
}

IoLoop::Members::iterator IoLoop::add(std::shared_ptr<LoopMember> member, bool is_http) {
  {
    std::lock_guard lock(shared_->mutex);
    ++shared_->members;
    if (is_http) ++shared_->http_connections;
  }
  members_.push_back(std::move(member));
  schedule_sweep();
  return std::prev(members_.end());
}

void IoLoop::remove(Members::iterator at, bool is_http) {
  members_.erase(at);
  if (members_.empty()) sweep_timer_.cancel();
  std::lock_guard lock(shared_->mutex);
  --shared_->members;
  if (is_http) --shared_->http_connections;
  if (shared_->http_connections == 0) shared_->changed.notify_all();
}

// One timer for all connections instead of one each; none at all while there is no connection.
void IoLoop::schedule_sweep() {
  if (sweep_scheduled_) return;
  sweep_scheduled_ = true;
  sweep_timer_.expires_after(sweep_interval_);
  sweep_timer_.async_wait([this](boost::system::error_code) {
    sweep_scheduled_ = false;
    const auto now = std::chrono::steady_clock::now();
    each([&](LoopMember& member) { member.sweep(now); });
    if (!members_.empty()) schedule_sweep();
  });
}

void IoLoop::wind_down() {
  winding_down_ = true;
  each([](LoopMember& member) { member.wind_down(); });
}

const std::string& IoLoop::date() {
  const std::int64_t second = std::time(nullptr);
  if (second != date_second_) {
    date_second_ = second;
    date_ = http_date(second);
  }
  return date_;
}

}  // namespace paperclip::net
