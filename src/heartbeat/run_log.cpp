#include "heartbeat/run_log.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "adapters/output.h"
#include "base/text.h"
#include "base/write_json.h"
#include "os/crash_point.h"
#include "os/files.h"

namespace paperclip::heartbeat {

namespace fs = std::filesystem;
using domain::OutputStream;

namespace {

constexpr std::size_t kept_tail = 32 * 1024;

std::string safe_segment(std::string_view text) {
  std::string out;
  for (char c : text) out += std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-' ? c : '_';
  return out;
}

void keep_tail(std::string& tail, std::string_view chunk) {
  tail += chunk;
  // Cut now and then, not at every chunk.
  if (tail.size() > 2 * kept_tail) tail.erase(0, tail.size() - kept_tail);
}

Result<> write_all(int fd, const fs::path& path, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(fd, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return os::file_error("Cannot write", path, errno);
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
  return {};
}

}  // namespace

std::string run_log_ref(CompanyId company, AgentId agent, RunId run) {
  return safe_segment(company.view()) + "/" + safe_segment(agent.view()) + "/" + safe_segment(run.view()) + ".ndjson";
}

Result<RunLog> RunLog::open(const fs::path& base, const std::string& ref) {
  RunLog log;
  log.path_ = base / ref;
  TRY(os::make_directories(log.path_.parent_path()));
  log.file_.reset(::open(log.path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!log.file_) return os::file_error("Cannot open", log.path_, errno);
  struct stat found {};
  if (::fstat(log.file_.get(), &found) != 0) return os::file_error("Cannot look at", log.path_, errno);
  if (found.st_size > 0) TRY(log.take_over());
  return log;
}

// Reads what an earlier server wrote; a last line without its end is cut off.
Result<> RunLog::take_over() {
  std::string buffer, piece(256 * 1024, '\0');
  off_t at = 0;
  while (true) {
    const ssize_t got = ::pread(file_.get(), piece.data(), piece.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return os::file_error("Cannot read", path_, errno);
    if (got == 0) break;
    at += got;
    buffer.append(piece, 0, static_cast<std::size_t>(got));
    std::size_t from = 0;
    for (auto end = buffer.find('\n'); end != std::string::npos; end = buffer.find('\n', from)) {
      const std::string_view line(buffer.data() + from, end + 1 - from);
      from = end + 1;
      const auto parsed = parse_json(line);
      if (!parsed) {
        note(OutputStream::system, {}, 0, line);
        continue;
      }
      const auto stream = text_at(*parsed, "stream") == "stderr" ? OutputStream::stderr_ : OutputStream::stdout_;
      std::uint64_t offset = 0;
      if (const auto text = text_at(*parsed, "offset")) std::from_chars(text->data(), text->data() + text->size(), offset);
      const auto* chunk = member(*parsed, "chunk");
      note(stream, chunk != nullptr && chunk->is_string() ? std::string_view(chunk->get_string()) : std::string_view(), offset, line);
    }
    buffer.erase(0, from);
  }
  if (!buffer.empty() && ::ftruncate(file_.get(), static_cast<off_t>(bytes_)) != 0) return os::file_error("Cannot cut", path_, errno);
  return {};
}

void RunLog::note(OutputStream stream, std::string_view chunk, std::uint64_t offset, std::string_view line) {
  digest_.update(line);
  bytes_ += line.size();
  ++lines_;
  if (stream == OutputStream::stdout_) {
    positions_.out = offset;
    keep_tail(out_tail_, chunk);
  } else if (stream == OutputStream::stderr_) {
    positions_.err = offset;
    keep_tail(err_tail_, chunk);
  }
}

Result<> RunLog::append(Timestamp time, OutputStream stream, std::string_view chunk, std::uint64_t offset) {
  std::string line;
  line.reserve(chunk.size() + 96);
  JsonObjectWriter(line).field("ts", time).field("offset", std::to_string(offset)).field("stream", stream).field("chunk", chunk).end();
  line += '\n';
  // Half of it, or all but its end: what a killed server leaves.
  for (const auto& [point, left_out] : {std::pair("log.line.half", line.size() / 2), std::pair("log.line.open", std::size_t{1})})
    if (crash_is_due(point)) {
      (void)write_all(file_.get(), path_, std::string_view(line).substr(0, line.size() - left_out));
      crash_now();
    }
  if (auto written = write_all(file_.get(), path_, line); !written) {
    // Half a line would spoil the next one.
    if (::ftruncate(file_.get(), static_cast<off_t>(bytes_)) != 0) return written;
    return written;
  }
  note(stream, chunk, offset, line);
  return {};
}

std::string RunLog::tail(OutputStream stream) const {
  return std::string(utf8_tail(stream == OutputStream::stderr_ ? err_tail_ : out_tail_, kept_tail));
}

Result<LogPiece> read_run_log(const fs::path& base, const std::string& ref, std::uint64_t offset, std::uint64_t limit) {
  const fs::path path = base / ref;
  os::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat found {};
  if (!file || ::fstat(file.get(), &found) != 0 || !S_ISREG(found.st_mode)) return not_found("Run log not found");
  const auto size = static_cast<std::uint64_t>(found.st_size);
  LogPiece piece;
  if (offset >= size) return piece;
  std::string bytes(std::min<std::uint64_t>(limit, size - offset), '\0');
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = ::pread(file.get(), bytes.data() + filled, bytes.size() - filled, static_cast<off_t>(offset + filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return os::file_error("Cannot read", path, errno);
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  bytes.resize(filled);
  if (offset + filled < size) {
    // Not in the middle of a character, as long as something is left.
    std::size_t end = filled;
    while (end > 0 && end > filled - std::min<std::size_t>(filled, 4) && !valid_utf8(std::string_view(bytes).substr(0, end))) --end;
    if (end > 0 && valid_utf8(std::string_view(bytes).substr(0, end))) bytes.resize(end);
    piece.next_offset = offset + bytes.size();
  }
  piece.content = valid_utf8(bytes) ? std::move(bytes) : adapters::storable_text(bytes);
  return piece;
}

}  // namespace paperclip::heartbeat
