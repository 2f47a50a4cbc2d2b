#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace paperclip::environments::sandbox {

/// Threads that wait for a provider's worker; whoever ends waits for them.
class Gate {
 public:
  void run(std::function<void()> work) {
    {
      const std::lock_guard lock(mutex_);
      ++running_;
    }
    std::thread([this, work = std::move(work)]() mutable {
      work();
      work = nullptr;
      const std::lock_guard lock(mutex_);
      --running_;
      changed_.notify_all();
    }).detach();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return running_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int running_ = 0;
};

}  // namespace paperclip::environments::sandbox
