#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace paperclip::net {

/// A fixed number of threads that run jobs in order of arrival: where handlers that take time run.
class WorkerPool {
 public:
  /// At most `max_waiting` jobs wait at once.
  explicit WorkerPool(std::size_t threads, std::size_t max_waiting = 10'000);
  ~WorkerPool() { stop(); }
  WorkerPool(const WorkerPool&) = delete;

  /// False, and the job is dropped, when the queue is full or the pool is stopping. An exception that leaves a job is
  /// logged and goes no further.
  [[nodiscard]] bool post(std::function<void()> job);
  /// Takes nothing new, runs what is queued, and returns when the last job has ended. Not from a job.
  void stop();
  std::size_t waiting() const;

 private:
  void work();

  const std::size_t max_waiting_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace paperclip::net
