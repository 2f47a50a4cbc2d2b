#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "environments/run_files.h"
#include "environments/runner.h"
#include "os/descriptor.h"

namespace paperclip::environments {

/// How the server gets at the runner of one run, again and again until the run has ended. Used by the thread that
/// follows all runs: nothing here blocks.
class Channel {
 public:
  virtual ~Channel() = default;

  /// What a look for the runner found: a connection to it, or that the run has ended. Neither: look again later.
  struct Look {
    os::Descriptor socket;  // a non-blocking stream that speaks frames
    std::optional<ExitStatus> ended;
    std::string trouble;  // why neither, for people
  };
  virtual Look look() = 0;
  /// The output of a run that has ended, where it can be read without its runner; else null.
  virtual std::unique_ptr<EndedLog> rest(std::uint64_t offset) = 0;

  /// How long a run may be out of reach before it is given up, and the longest pause between two looks.
  virtual std::chrono::milliseconds patience() const = 0;
  virtual std::chrono::milliseconds longest_pause() const = 0;
};

/// A run of this machine: its directory.
class LocalChannel : public Channel {
 public:
  explicit LocalChannel(std::filesystem::path directory) : directory_(std::move(directory)) {}
  Look look() override;
  std::unique_ptr<EndedLog> rest(std::uint64_t offset) override;
  /// A runner that lives but does not answer is given up after this; a guardian's sweep takes less.
  std::chrono::milliseconds patience() const override { return std::chrono::seconds(60); }
  std::chrono::milliseconds longest_pause() const override { return std::chrono::milliseconds(50); }

 private:
  std::filesystem::path directory_;
};

}  // namespace paperclip::environments
