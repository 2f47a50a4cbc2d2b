#include "store/event_delivery.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>

#include <algorithm>

#include "store/reader.h"

namespace paperclip::store {

void EventDelivery::subscribe(Receive receive) {
  const std::lock_guard lock(mutex_);
  auto next = std::make_shared<std::vector<Receive>>(*subscribers_);
  next->push_back(std::move(receive));
  subscribers_ = std::move(next);
}

void EventDelivery::deliver(const Event& event) {
  std::shared_ptr<const std::vector<Receive>> subscribers;
  {
    const std::lock_guard lock(mutex_);
    subscribers = subscribers_;
  }
  for (const Receive& receive : *subscribers) {
    try {
      receive(event);
    } catch (const std::exception& error) {
      spdlog::error("store.subscriber_failed event={} type={} error={}", event.sequence, event.type, error.what());
    } catch (...) { spdlog::error("store.subscriber_failed event={} type={}", event.sequence, event.type); }
  }
  ++delivered_;
}

QueuedDelivery::QueuedDelivery() : thread_([this] { loop(); }) {}

QueuedDelivery::~QueuedDelivery() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void QueuedDelivery::push(std::vector<Event> events) {
  if (events.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    std::ranges::move(events, std::back_inserter(queue_));
  }
  changed_.notify_all();
}

bool QueuedDelivery::wait_delivered(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [&] { return queue_.empty() && !busy_; });
}

void QueuedDelivery::loop() {
  std::vector<Event> batch;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    batch.swap(queue_);
    busy_ = true;
    lock.unlock();
    for (const Event& event : batch) deliver(event);
    batch.clear();
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

FollowedDelivery::FollowedDelivery(Open open) : open_(std::move(open)) {
  auto session = listen();
  Reader reader(*session, {});
  last_ = last_event(reader);
  wake_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_) throw StoreError(ErrorKind::unavailable, "no file descriptor left for the event follower");
  thread_ = std::thread([this, held = std::move(session)]() mutable { loop(std::move(held)); });
}

FollowedDelivery::~FollowedDelivery() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  eventfd_write(wake_.get(), 1);
  thread_.join();
}

bool FollowedDelivery::wait_delivered(std::chrono::milliseconds limit) {
  std::int64_t target = 0;
  try {
    const auto session = open_();
    Reader reader(*session, {});
    target = last_event(reader);
  } catch (const StoreError&) { return false; }
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [&] { return last_ >= target; });
}

std::unique_ptr<Session> FollowedDelivery::listen() {
  auto session = open_();
  session->script(std::string("LISTEN ") + channel);
  return session;
}

void FollowedDelivery::loop(std::unique_ptr<Session> session) {
  auto backoff = std::chrono::milliseconds(50);
  for (;;) {
    try {
      if (!session) session = listen();
      catch_up(*session);
      backoff = std::chrono::milliseconds(50);
      if (!follow(*session)) return;
    } catch (const StoreError& error) {
      spdlog::warn("store.events_interrupted error={} retry_ms={}", error.what(), backoff.count());
      session.reset();
      if (!pause(backoff)) return;
      backoff = std::min(backoff * 2, std::chrono::milliseconds(5000));
    }
  }
}

/// Waits for a notification; false when it is time to stop.
bool FollowedDelivery::follow(Session& session) {
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return false;
    }
    if (session.take_notifications()) return true;
    pollfd waits[] = {{session.socket(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
    poll(waits, 2, -1);
  }
}

void FollowedDelivery::catch_up(Session& session) {
  constexpr int page = 500;
  for (;;) {
    Reader reader(session, {});
    const auto events = events_after(reader, last_, page);
    for (const Event& event : events) {
      deliver(event);
      {
        const std::lock_guard lock(mutex_);
        last_ = event.sequence;
        if (stopping_) return;
      }
      changed_.notify_all();
    }
    if (events.size() < page) return;
  }
}

bool FollowedDelivery::pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, time, [&] { return stopping_; });
}

}  // namespace paperclip::store
