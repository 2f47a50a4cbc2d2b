#include <algorithm>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/bytes.h"
#include "runner/sync_stream.h"

namespace paperclip::sync {

namespace {

constexpr std::size_t chunk_bytes = 64 * 1024;

class Sender {
 public:
  Sender(int in, int out, std::size_t window) : in_(in), out_(out), window_(window) {}

  std::uint64_t sent() const { return sent_; }
  const std::string& error() const { return error_; }
  bool fail(std::string error) {
    if (error_.empty()) error_ = std::move(error);
    return false;
  }

  std::string& buffer() { return buffer_; }
  /// Writes what is gathered once it is worth it.
  bool flush_if_full() { return buffer_.size() < chunk_bytes || flush(); }

  bool flush() {
    std::string_view left = buffer_;
    while (!left.empty()) {
      while (sent_ - acknowledged_ >= window_)
        if (!read_answers(true)) return false;
      const auto piece = left.substr(0, std::min<std::uint64_t>(left.size(), window_ - (sent_ - acknowledged_)));
      if (!write_all(out_, piece)) {
        const std::string why = strerror(errno);
        // The other side may have said why it hung up.
        while (read_answers(true)) {
        }
        return fail("The connection broke while sending: " + why);
      }
      sent_ += piece.size();
      left.remove_prefix(piece.size());
      if (!read_answers(false)) return false;
    }
    buffer_.clear();
    return true;
  }

  bool wait_done() {
    while (!done_)
      if (!read_answers(true)) return false;
    return true;
  }

 private:
  // Whatever the receiver said; waits for the first word if asked to.
  bool read_answers(bool wait) {
    if (done_) return !wait;
    pollfd ready{in_, POLLIN, 0};
    for (;;) {
      const int count = poll(&ready, 1, wait ? -1 : 0);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return true;
      break;
    }
    char bytes[4096];
    const ssize_t got = read(in_, bytes, sizeof bytes);
    if (got < 0 && errno == EINTR) return true;
    if (got <= 0) return fail(got == 0 ? "The other side ended before everything was in place" : std::string("The connection broke: ") + strerror(errno));
    answers_.append(bytes, static_cast<std::size_t>(got));
    while (!answers_.empty()) {
      runner::ByteReader reader(std::string_view(answers_).substr(1));
      if (answers_[0] == 'A') {
        const auto total = reader.number<std::uint64_t>();
        if (!reader.ok()) return true;
        if (total > sent_ || total < acknowledged_) return fail("The other side acknowledged what was not sent");
        acknowledged_ = total;
      } else if (answers_[0] == 'K') {
        done_ = true;
      } else if (answers_[0] == 'X') {
        const auto text = reader.text();
        if (!reader.ok()) {
          if (answers_.size() > 70'000) return fail("The other side answered nonsense");
          return true;
        }
        return fail(std::string(text));
      } else {
        return fail("The other side answered nonsense");
      }
      answers_.erase(0, answers_.size() - reader.rest().size());
    }
    return true;
  }

  const int in_, out_;
  const std::uint64_t window_;
  std::uint64_t sent_ = 0, acknowledged_ = 0;
  std::string buffer_, answers_, error_;
  bool done_ = false;
};

bool send_file(Sender& sender, int root, const std::string& path, Entry& entry) {
  const auto file = open_below(root, path, O_RDONLY);
  if (!file) return errno == ENOENT ? true : sender.fail("Cannot read \"" + path + "\": " + strerror(errno));
  runner::ByteWriter(sender.buffer()).number(std::uint8_t{'F'}).text(path).number(entry.mode).number(entry.modified_ns);
  Hasher hasher;
  std::uint64_t size = 0;
  for (;;) {
    auto& buffer = sender.buffer();
    const std::size_t head = buffer.size();
    const std::size_t wanted = std::clamp<std::uint64_t>(entry.size > size ? entry.size - size : 1, 1, chunk_bytes);
    buffer.resize(head + 4 + wanted);
    ssize_t got = 0;
    do got = read(file.get(), buffer.data() + head + 4, wanted);
    while (got < 0 && errno == EINTR);
    if (got < 0) return sender.fail("Cannot read \"" + path + "\": " + strerror(errno));
    std::string count;
    runner::ByteWriter(count).number(static_cast<std::uint32_t>(got));
    buffer.replace(head, count.size(), count);
    buffer.resize(head + 4 + static_cast<std::size_t>(got));
    if (got == 0) break;
    hasher.add(std::string_view(buffer).substr(head + 4));
    size += static_cast<std::uint64_t>(got);
    if (!sender.flush_if_full()) return false;
    // What was appended meanwhile comes the next time.
    if (size >= entry.size) {
      runner::ByteWriter(sender.buffer()).number(std::uint32_t{0});
      break;
    }
  }
  entry.hash = hasher.finish();
  entry.size = size;
  entry.hashed = true;
  sender.buffer().append(reinterpret_cast<const char*>(entry.hash.data()), entry.hash.size());
  return sender.flush_if_full();
}

}  // namespace

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    // A socket whose reader is gone is an error and no signal; a pipe is written to with the signal ignored.
    ssize_t written = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (written < 0 && errno == ENOTSOCK) written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

SendResult send_parcel(int root, Tree& tree, const Parcel& parcel, int in, int out, std::size_t window) {
  Sender sender(in, out, window);
  const auto send = [&]() -> bool {
    runner::ByteWriter(sender.buffer()).number(std::uint8_t{'P'}).number(std::uint8_t{1});
    for (const auto& path : parcel.removed) {
      runner::ByteWriter(sender.buffer()).number(std::uint8_t{'R'}).text(path);
      if (!sender.flush_if_full()) return false;
    }
    for (const auto& path : parcel.rights) {
      const auto found = tree.find(path);
      if (found == tree.end()) continue;
      runner::ByteWriter(sender.buffer()).number(std::uint8_t{'M'}).text(path).number(found->second.mode);
      if (!sender.flush_if_full()) return false;
    }
    for (const auto& path : parcel.changed) {
      const auto found = tree.find(path);
      if (found == tree.end()) continue;
      Entry& entry = found->second;
      if (entry.kind == Kind::file) {
        if (!send_file(sender, root, path, entry)) return false;
        continue;
      }
      if (entry.kind == Kind::link) runner::ByteWriter(sender.buffer()).number(std::uint8_t{'L'}).text(path).text(entry.target);
      else runner::ByteWriter(sender.buffer()).number(std::uint8_t{'D'}).text(path).number(entry.mode);
      if (!sender.flush_if_full()) return false;
    }
    runner::ByteWriter(sender.buffer()).number(std::uint8_t{'E'});
    return sender.flush() && sender.wait_done();
  };
  SendResult result;
  if (!send() || !sender.error().empty()) result.error = sender.error().empty() ? "Sending failed" : sender.error();
  result.bytes = sender.sent();
  return result;
}

}  // namespace paperclip::sync
