#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "store/session.h"

namespace paperclip::store {

/// At most `limit` sessions, each opened when it is first needed; the one used last is given first, its statements are
/// warm.
class SessionPool {
 public:
  using Open = std::function<std::unique_ptr<Session>()>;
  SessionPool(Open open, int limit, std::chrono::milliseconds patience);
  ~SessionPool();

  /// Throws StoreError (unavailable) when none comes free in time, and what `open` throws.
  std::unique_ptr<Session> take();
  /// Takes it back, ending a transaction that is still open; a session that lost its connection is dropped.
  void give(std::unique_ptr<Session> session);

 private:
  Open open_;
  const int limit_;
  const std::chrono::milliseconds patience_;
  std::mutex mutex_;
  std::condition_variable came_free_;
  std::vector<std::unique_ptr<Session>> free_;
  int taken_ = 0;
};

}  // namespace paperclip::store
