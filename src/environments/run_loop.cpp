#include "environments/run_loop.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

namespace paperclip::environments {
namespace {

constexpr std::size_t read_bytes = 64 * 1024;
constexpr int events_at_once = 64;
constexpr int reap_pause_ms = 20;

/// The signals of the process are for its other threads.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

void RunLoop::Inbox::post(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex);
    if (ending) return;
    posted.push_back(std::move(work));
  }
  ring();
}

void RunLoop::Inbox::ring() {
  const std::uint64_t one = 1;
  (void)!::write(bell.get(), &one, sizeof one);
}

class RunLoop::Link : public FrameLink {
 public:
  Link(RunLoop& loop, RunId run, unsigned connection)
      : inbox_(loop.inbox_), loop_(&loop), run_(run), connection_(connection) {}
  void send(runner::FrameClass frame_class, std::string frames) override {
    // What is posted is only done while the loop is there.
    inbox_->post([loop = loop_, run = run_, connection = connection_, frame_class, frames = std::move(frames)] {
      Followed* followed = loop->find(run);
      if (!followed) return;
      followed->run->send(connection, frame_class, frames);
      loop->settle(*followed);
    });
  }

 private:
  std::shared_ptr<Inbox> inbox_;
  RunLoop* loop_;
  RunId run_;
  unsigned connection_;
};

Result<std::unique_ptr<RunLoop>> RunLoop::create() {
  os::Descriptor poller(::epoll_create1(EPOLL_CLOEXEC));
  auto inbox = std::make_shared<Inbox>();
  inbox->bell.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  epoll_event event{};
  event.events = EPOLLIN;
  if (!poller || !inbox->bell || ::epoll_ctl(poller.get(), EPOLL_CTL_ADD, inbox->bell.get(), &event) != 0)
    return internal_error(std::string("Cannot watch runs: ") + ::strerror(errno));
  return std::unique_ptr<RunLoop>(new RunLoop(std::move(poller), std::move(inbox)));
}

RunLoop::RunLoop(os::Descriptor poller, std::shared_ptr<Inbox> inbox) : poller_(std::move(poller)), inbox_(std::move(inbox)) {
  const SignalsBlocked blocked;
  thread_ = std::thread([this] { loop(); });
}

RunLoop::~RunLoop() { end(); }

void RunLoop::end() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(inbox_->mutex);
    inbox_->ending = true;
  }
  inbox_->ring();
  thread_.join();
  // Their observers may hold the place, and that us. They go without a lock in hand.
  std::vector<std::function<void()>> undone;
  std::unordered_map<RunId, std::unique_ptr<Followed>> left;
  {
    const std::scoped_lock lock(inbox_->mutex, mutex_);
    undone.swap(inbox_->posted);
    left.swap(runs_);
  }
}

bool RunLoop::follow(std::shared_ptr<LiveRun> run, pid_t guardian) {
  const RunId id = run->id();
  {
    const std::lock_guard lock(mutex_);
    auto followed = std::make_unique<Followed>(Followed{std::move(run), guardian});
    if (!runs_.try_emplace(id, std::move(followed)).second) return false;
  }
  inbox_->post([this, id] {
    Followed* followed = find(id);
    if (!followed) return;
    followed->run->begin([this, id](unsigned connection) { return std::make_shared<Link>(*this, id, connection); });
    settle(*followed);
  });
  return true;
}

bool RunLoop::follows(RunId run) const { return find(run) != nullptr; }

void RunLoop::stop(RunId run, std::chrono::milliseconds grace, runner::StopReason reason) {
  inbox_->post([this, run, grace, reason] {
    Followed* followed = find(run);
    if (!followed) return;
    followed->run->stop(grace, reason);
    settle(*followed);
  });
}

void RunLoop::pause(RunId run) {
  const std::lock_guard lock(mutex_);
  if (const auto found = runs_.find(run); found != runs_.end()) found->second->run->paused = true;
}

void RunLoop::resume(RunId run) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = runs_.find(run);
    if (found == runs_.end()) return;
    found->second->run->paused = false;
  }
  inbox_->post([this, run] {
    Followed* followed = find(run);
    if (!followed) return;
    followed->run->work();
    settle(*followed);
  });
}

RunLoop::Followed* RunLoop::find(RunId run) const {
  const std::lock_guard lock(mutex_);
  const auto found = runs_.find(run);
  return found == runs_.end() ? nullptr : found->second.get();
}

void RunLoop::loop() {
  ::pthread_setname_np(::pthread_self(), "runs");
  std::string buffer(read_bytes, '\0');
  epoll_event events[events_at_once];
  while (do_posted()) {
    work_on_due_runs();
    reap_guardians();
    const int count = ::epoll_wait(poller_.get(), events, events_at_once, wait_ms());
    for (int i = 0; i < count; ++i) {
      const std::uint64_t number = events[i].data.u64;  // a copy: the kernel packs its struct
      if (number == 0) {
        std::uint64_t rung;
        (void)!::read(inbox_->bell.get(), &rung, sizeof rung);
        continue;
      }
      const auto ticket = tickets_.find(number);
      Followed* followed = ticket == tickets_.end() ? nullptr : find(ticket->second);
      if (!followed) continue;
      followed->run->on_ready((events[i].events & ~EPOLLOUT) != 0, buffer);
      settle(*followed);
    }
  }
}

bool RunLoop::do_posted() {
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(inbox_->mutex);
    if (inbox_->ending) return false;
    work.swap(inbox_->posted);
  }
  for (const auto& each : work) each();
  return true;
}

int RunLoop::wait_ms() const {
  std::int64_t wait = guardians_.empty() ? -1 : reap_pause_ms;
  const auto now = std::chrono::steady_clock::now();
  for (const RunId& id : timed_) {
    const Followed* followed = find(id);
    const auto at = followed ? followed->run->wake_at() : std::nullopt;
    if (!at) continue;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*at - now).count();
    wait = std::clamp<std::int64_t>(left, 0, wait < 0 ? 60'000 : wait);
  }
  return static_cast<int>(wait);
}

void RunLoop::work_on_due_runs() {
  const std::vector<RunId> timed(timed_.begin(), timed_.end());
  for (const RunId& id : timed) {
    Followed* followed = find(id);
    const auto at = followed ? followed->run->wake_at() : std::nullopt;
    if (!at || *at > std::chrono::steady_clock::now()) continue;
    followed->run->work();
    settle(*followed);
  }
}

void RunLoop::settle(Followed& followed) {
  const std::shared_ptr<LiveRun> run = followed.run;
  if (!run->done()) {
    if (run->wake_at()) {
      timed_.insert(run->id());
    } else {
      timed_.erase(run->id());
    }
    return watch(followed);
  }
  return_ticket(followed);
  if (followed.guardian > 0) guardians_.push_back(followed.guardian);
  timed_.erase(run->id());
  {
    const std::lock_guard lock(mutex_);
    runs_.erase(run->id());
  }
  run->observer().on_exit(run->exit_status());
}

void RunLoop::return_ticket(Followed& followed) {
  tickets_.erase(followed.ticket);
  followed.ticket = 0;
}

void RunLoop::watch(Followed& followed) {
  const LiveRun& run = *followed.run;
  if (followed.connection != run.connection() || run.socket() < 0) {
    return_ticket(followed);  // closing took the old one off epoll's list
    followed.connection = run.connection();
  }
  epoll_event event{};
  event.events = (run.paused ? 0u : EPOLLIN) | (run.wants_to_send() ? EPOLLOUT : 0u);
  const bool wanted = run.socket() >= 0 && event.events != 0;
  if (!wanted && followed.ticket != 0) {
    ::epoll_ctl(poller_.get(), EPOLL_CTL_DEL, run.socket(), nullptr);
    return_ticket(followed);
  } else if (wanted && followed.ticket == 0) {
    event.data.u64 = followed.ticket = ++last_ticket_;
    tickets_.emplace(followed.ticket, run.id());
    ::epoll_ctl(poller_.get(), EPOLL_CTL_ADD, run.socket(), &event);
  } else if (wanted && followed.events != event.events) {
    event.data.u64 = followed.ticket;
    ::epoll_ctl(poller_.get(), EPOLL_CTL_MOD, run.socket(), &event);
  }
  followed.events = event.events;
}

void RunLoop::reap_guardians() {
  std::erase_if(guardians_, [](pid_t guardian) { return ::waitpid(guardian, nullptr, WNOHANG) != 0; });
}

}  // namespace paperclip::environments
