#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "plugins/worker.h"

namespace paperclip::plugins {

/// One process of a worker and its three pipes. Used by the worker's thread only.
class Worker::Process {
 public:
  using OnLine = std::function<void(std::string_view)>;

  static Result<std::unique_ptr<Process>> start(const WorkerLaunch& launch, std::size_t max_frame);
  ~Process();

  pid_t pid() const { return pid_; }
  struct Seen {
    bool exited = false;
  };
  /// Waits for something to read, room to write (if `writing`), the end of the process, or `wake`, which it resets.
  Seen wait(int wake, bool writing, Deadline until);
  /// Takes what is there now, at most a megabyte of each stream.
  void read(const OnLine& on_line, const OnLine& on_stderr);
  /// Writes and removes what fits; true if the whole frame went. When nobody reads any more it counts as written.
  bool write(std::string& frame);
  /// After the exit: the rest of the streams, not longer than a moment for what a child of the worker holds open.
  void drain(const OnLine& on_line, const OnLine& on_stderr);
  /// Kills what is left of the process group, and reaps.
  std::pair<int, int> reap();

  std::string start_failure;  // why the handshake did not succeed

 private:
  explicit Process(std::size_t max_frame) : stdout_lines_(max_frame), stderr_lines_(64 * 1024) {}
  bool read_from(os::Descriptor& stream, LineCutter& lines, const OnLine& on_line);

  pid_t pid_ = -1;
  bool reaped_ = false;
  os::Descriptor pidfd_, stdin_, stdout_, stderr_;
  LineCutter stdout_lines_, stderr_lines_;
  std::size_t written_ = 0;  // of the frame at the front
};

}  // namespace paperclip::plugins
