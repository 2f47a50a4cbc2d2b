#pragma once

#include <sys/socket.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/deadline.h"

namespace paperclip::environments {

/// Ends a blocking transfer that outlasts its deadline, by shutting its socket down.
class StreamWatch {
 public:
  StreamWatch(int socket, Deadline deadline) : thread_([this, socket, deadline] {
    std::unique_lock lock(mutex_);
    while (!done_ && !deadline.passed()) changed_.wait_for(lock, deadline.left());
    if (done_) return;
    expired_ = true;
    ::shutdown(socket, SHUT_RDWR);
  }) {}
  ~StreamWatch() { stop(); }
  StreamWatch(const StreamWatch&) = delete;
  /// True if the deadline came first. The socket may be closed afterwards.
  bool stop() {
    if (!thread_.joinable()) return expired_;
    {
      std::lock_guard lock(mutex_);
      done_ = true;
    }
    changed_.notify_all();
    thread_.join();
    return expired_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false, expired_ = false;
  std::thread thread_;
};

}  // namespace paperclip::environments
