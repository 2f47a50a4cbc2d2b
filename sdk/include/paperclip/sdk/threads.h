#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace paperclip::sdk {

/// Threads for requests: as many as there are requests at once, up to a limit; later ones wait. A thread stays until the
/// end, so that a child process which shall die with the thread that made it (PR_SET_PDEATHSIG) dies with the worker.
class Threads {
 public:
  explicit Threads(std::size_t limit = 512) : limit_(limit) {}
  Threads(const Threads&) = delete;
  /// Waits for what runs; what has not begun is dropped.
  ~Threads() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
      waiting_.clear();
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  /// The work must not throw.
  void run(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(work));
    if (idle_ < waiting_.size() && threads_.size() < limit_) threads_.emplace_back([this] { serve(); });
    changed_.notify_one();
  }

 private:
  void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      ++idle_;
      changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
      --idle_;
      if (waiting_.empty()) return;
      const std::function<void()> work = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      work();
      lock.lock();
    }
  }

  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  bool ending_ = false;
};

}  // namespace paperclip::sdk
