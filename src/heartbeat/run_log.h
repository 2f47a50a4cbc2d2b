#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/crypto.h"
#include "base/id.h"
#include "base/result.h"
#include "base/time.h"
#include "domain/runs/heartbeat_run.h"
#include "os/descriptor.h"

/// The log files of runs (spec/execution.md 11):
///
///   <base>/<company>/<agent>/<run>.ndjson    one line a chunk: {"ts","offset","stream","chunk"}
///
/// `offset` (OURS) counts the bytes of that stream which the log holds with this line. A server that takes a run over
/// cuts a torn last line and goes on behind the counts: every byte once.
namespace paperclip::heartbeat {

/// The file's name below the base.
std::string run_log_ref(CompanyId company, AgentId agent, RunId run);

/// A run's log while the run lives. One thread at a time.
class RunLog {
 public:
  struct Positions {
    std::uint64_t out = 0, err = 0;
  };

  /// Creates the file, or takes over one that is there.
  static Result<RunLog> open(const std::filesystem::path& base, const std::string& ref);

  /// Appends one line. The server's own words have the offset of what was logged before.
  Result<> append(Timestamp time, domain::OutputStream stream, std::string_view chunk, std::uint64_t offset);

  /// Bytes of each stream that the file holds, of the process that ran last.
  Positions positions() const { return positions_; }
  std::uint64_t bytes() const { return bytes_; }
  int lines() const { return lines_; }
  /// The last 32 KiB of what was logged of a stream.
  std::string tail(domain::OutputStream stream) const;
  /// Of the whole file. Call once, at the end.
  std::string finish_sha256() { return digest_.finish_hex(); }

 private:
  RunLog() = default;
  Result<> take_over();
  void note(domain::OutputStream stream, std::string_view chunk, std::uint64_t offset, std::string_view line);

  os::Descriptor file_;
  std::filesystem::path path_;
  Sha256 digest_;
  Positions positions_;
  std::uint64_t bytes_ = 0;
  int lines_ = 0;
  std::string out_tail_, err_tail_;
};

/// A piece of a log file, by bytes; characters are not cut.
struct LogPiece {
  std::string content;
  std::optional<std::uint64_t> next_offset;  // when there is more
};
/// Reads of the logs below a base. 404 `Run log not found` when the file is gone.
Result<LogPiece> read_run_log(const std::filesystem::path& base, const std::string& ref, std::uint64_t offset, std::uint64_t limit);

}  // namespace paperclip::heartbeat
