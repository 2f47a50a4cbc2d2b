#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "os/descriptor.h"
#include "store/event.h"
#include "store/session.h"

namespace paperclip::store {

/// Gives committed events to the subscribers, one after the other, on a thread of its own.
class EventDelivery {
 public:
  using Receive = std::function<void(const Event&)>;
  virtual ~EventDelivery() = default;

  void subscribe(Receive receive);
  virtual bool wait_delivered(std::chrono::milliseconds limit) = 0;
  std::uint64_t delivered() const { return delivered_; }

 protected:
  void deliver(const Event& event);

 private:
  std::mutex mutex_;
  std::shared_ptr<const std::vector<Receive>> subscribers_ = std::make_shared<std::vector<Receive>>();
  std::atomic<std::uint64_t> delivered_ = 0;
};

/// SQLite: the one writer hands its events over in memory.
class QueuedDelivery : public EventDelivery {
 public:
  QueuedDelivery();
  /// Delivers what is queued, then ends.
  ~QueuedDelivery() override;
  /// In commit order, after the commit.
  void push(std::vector<Event> events);
  bool wait_delivered(std::chrono::milliseconds limit) override;

 private:
  void loop();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Event> queue_;
  bool busy_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

/// PostgreSQL: follows the `events` table, woken by LISTEN/NOTIFY, so that every server sees every server's events in
/// the one commit order. After a lost connection it continues behind the last event it delivered.
class FollowedDelivery : public EventDelivery {
 public:
  using Open = std::function<std::unique_ptr<Session>()>;
  /// Throws StoreError when the first connection fails.
  explicit FollowedDelivery(Open open);
  ~FollowedDelivery() override;
  bool wait_delivered(std::chrono::milliseconds limit) override;

  static constexpr const char* channel = "paperclip_events";

 private:
  std::unique_ptr<Session> listen();
  void loop(std::unique_ptr<Session> session);
  bool follow(Session& session);
  void catch_up(Session& session);
  bool pause(std::chrono::milliseconds time);

  Open open_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t last_ = 0;
  bool stopping_ = false;
  os::Descriptor wake_;  // eventfd: stop
  std::thread thread_;
};

}  // namespace paperclip::store
