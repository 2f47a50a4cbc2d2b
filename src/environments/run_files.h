#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "environments/runner.h"
#include "os/descriptor.h"
#include "runner/frames.h"
#include "runner/run_directory.h"

/// The server's view of a run directory on this machine (runner/run_directory.h draws it).
namespace paperclip::environments {

/// Reads the text of exit.json; nullopt if it is none.
std::optional<ExitStatus> parse_exit(std::string_view json);

/// exit.json, if the run has ended.
std::optional<ExitStatus> read_exit(const std::filesystem::path& directory);

/// Whether guardian or runner live: they hold a lock on the directory.
bool runner_is_alive(const std::filesystem::path& directory);

/// Connects to control.sock; none if nobody listens. Works for paths of any length.
os::Descriptor connect_to_runner(const std::filesystem::path& directory);

/// Why a run without runner and without exit.json is lost. Kills what its agent's process group still holds, if the
/// pids are still those that were written down.
ExitStatus lost_run(const std::filesystem::path& directory);

/// Reads output.log of a run that has ended.
class EndedLog {
 public:
  EndedLog(const std::filesystem::path& directory, std::uint64_t offset);
  /// The next piece; nullopt at the end, which may be a cut or damaged record. Valid until the next call.
  std::optional<OutputChunk> next();

 private:
  os::Descriptor file_;
  std::string buffer_;
  std::size_t used_ = 0;
  std::uint64_t offset_;
};

/// A record of output.log at an offset, as observers see it.
OutputChunk to_chunk(const runner::Record& record, std::uint64_t offset);

}  // namespace paperclip::environments
