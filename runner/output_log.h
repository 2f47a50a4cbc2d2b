#pragma once

#include <cstdint>
#include <string>

#include "runner/run_directory.h"
#include "runner/system.h"

namespace paperclip::runner {

/// output.log as its only writer sees it.
class OutputLog {
 public:
  /// Creates it. False, with errno, if that fails or it is there already: a run directory serves one run.
  bool create(int directory);

  /// Opens the log of a run that has ended, for reading alone; a cut or damaged end is left out.
  bool open_ended(int directory);

  /// Where a reader puts bytes that shall become the next record: no copy is made.
  char* room() { return buffer_ + record_header_bytes; }
  static constexpr std::size_t room_bytes = record_bytes_limit;

  /// Appends the first `size` bytes of the room. False if the disk does not take them; then nothing of them is in the
  /// log, they stay in the room, and `append_again` may be tried later.
  bool append(RecordStream stream, std::size_t size);
  bool append_again();
  bool pending() const { return pending_bytes_ > 0; }
  /// Gives up the record that the disk did not take; returns its bytes.
  std::size_t drop_pending();

  /// Whole records from `offset` on, as many as fit into `limit` bytes, appended to `out`. Zero if `offset` is no
  /// record's beginning.
  std::size_t read(std::uint64_t offset, std::size_t limit, std::string& out) const;

  std::uint64_t size() const { return size_; }
  /// Brings the log to the disk.
  void sync();

 private:
  Descriptor file_;
  std::uint64_t size_ = 0;
  std::size_t pending_bytes_ = 0;  // of the record in buffer_, header included
  char buffer_[record_header_bytes + record_bytes_limit];
};

}  // namespace paperclip::runner
