#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/result.h"
#include "os/process.h"

namespace paperclip::environments::shell {

/// A place in which nothing is certain but a POSIX shell. From any thread.
class ShellAccess {
 public:
  virtual ~ShellAccess() = default;
  enum class Shell { plain, login };
  /// Runs a script of the place's shell to its end.
  virtual Result<os::CommandOutput> script(const std::string& text, std::string_view stdin_text, Shell shell, Deadline deadline) = 0;
  /// Writes a file, whole or not at all, making its parents.
  virtual Result<void> write_file(const std::string& path, std::string_view bytes, unsigned mode, Deadline deadline) = 0;
  /// Does work that waits for the place; whoever ends the place's driver waits for it.
  virtual void run(std::function<void()> work) = 0;
  /// How long a run may be out of reach before it is given up.
  virtual std::chrono::milliseconds patience() const = 0;
};

}  // namespace paperclip::environments::shell
