#include "runner/output_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

namespace paperclip::runner {

bool OutputLog::create(int directory) {
  // The empty file of an earlier run costs less than a new one; another run's log is never touched.
  const std::string spare = std::string(file::output) + file::fresh_suffix;
  const bool reused = renameat2(directory, spare.c_str(), directory, file::output, RENAME_NOREPLACE) == 0;
  if (!reused && errno == EEXIST) return false;
  file_.reset(openat(directory, file::output, O_RDWR | (reused ? O_TRUNC : O_CREAT | O_EXCL) | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  return static_cast<bool>(file_);
}

bool OutputLog::open_ended(int directory) {
  file_.reset(openat(directory, file::output, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  const off_t end = file_ ? lseek(file_.get(), 0, SEEK_END) : 0;
  size_ = end > 0 ? static_cast<std::uint64_t>(end) : 0;
  // Whole records are what can be sent: find where they end.
  std::uint64_t whole = 0;
  for (std::string records; const std::size_t size = read(whole, 256 * 1024, records); records.clear()) whole += size;
  size_ = whole;
  return static_cast<bool>(file_);
}

bool OutputLog::append(RecordStream stream, std::size_t size) {
  write_record_header(Record{stream, wall_ms(), {room(), size}}, buffer_);
  pending_bytes_ = record_header_bytes + size;
  return append_again();
}

bool OutputLog::append_again() {
  if (!file_) return false;
  std::size_t written = 0;
  while (written < pending_bytes_) {
    const ssize_t step = write(file_.get(), buffer_ + written, pending_bytes_ - written);
    if (step < 0 && errno == EINTR) continue;
    if (step <= 0) {
      // Only whole records stay, so that what comes later still follows a record.
      if (written > 0 && ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) _exit(74);
      return false;
    }
    written += static_cast<std::size_t>(step);
  }
  size_ += pending_bytes_;
  pending_bytes_ = 0;
  return true;
}

std::size_t OutputLog::drop_pending() {
  const std::size_t bytes = pending_bytes_ > record_header_bytes ? pending_bytes_ - record_header_bytes : 0;
  pending_bytes_ = 0;
  return bytes;
}

std::size_t OutputLog::read(std::uint64_t offset, std::size_t limit, std::string& out) const {
  if (offset >= size_) return 0;
  const std::size_t before = out.size();
  out.resize(before + std::min<std::uint64_t>(limit, size_ - offset));
  ssize_t got;
  do got = pread(file_.get(), out.data() + before, out.size() - before, static_cast<off_t>(offset));
  while (got < 0 && errno == EINTR);
  const std::string_view bytes(out.data() + before, got > 0 ? static_cast<std::size_t>(got) : 0);
  std::size_t whole = 0;
  while (const auto size = record_size(bytes.substr(whole))) whole += *size;
  out.resize(before + whole);
  return whole;
}

void OutputLog::sync() {
  if (file_) (void)fdatasync(file_.get());
}

}  // namespace paperclip::runner
