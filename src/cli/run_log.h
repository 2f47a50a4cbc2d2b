#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/client.h"

/// Following what a run says (spec/execution.md 11, 26.2).
namespace paperclip::cli {

struct LogChunk {
  std::string time;    // ISO
  std::string stream;  // stdout or stderr
  std::string text;    // as the agent wrote it, not necessarily whole lines
};

/// Reads a run's log from where it stopped last time.
class RunLogTail {
 public:
  explicit RunLogTail(std::string run_id) : run_id_(std::move(run_id)) {}
  /// What is there now and was not read before; nothing while there is no log.
  Result<std::vector<LogChunk>> read(Client& client);
  const std::string& run_id() const { return run_id_; }

 private:
  std::string run_id_;
  std::uint64_t offset_ = 0;  // of a line's beginning
};

/// Joins chunks to whole lines, each stream for itself.
class LineJoiner {
 public:
  /// The lines that are complete now.
  std::vector<std::string> feed(const std::string& stream, std::string_view text);
  /// What was never ended by a newline.
  std::vector<std::string> rest();

 private:
  std::string out_, err_;
};

/// succeeded, failed, cancelled or timed_out.
bool is_final_run_status(std::string_view status);

/// A line of an agent's output for people: the text of a coding tool's JSON lines, anything else as it is. Empty for
/// what is not worth showing.
std::string readable_line(std::string_view adapter_type, const std::string& line);

}  // namespace paperclip::cli
