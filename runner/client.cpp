#include "runner/client.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace paperclip::runner {

void Client::receive(const std::function<void(const Frame&)>& on_frame) {
  char buffer[frame_payload_limit];
  const ssize_t got = read(socket_.get(), buffer, sizeof buffer);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return close();
  in_.append(buffer, static_cast<std::size_t>(got));
  explicit_bzero(buffer, static_cast<std::size_t>(got));
  std::size_t done = 0;
  while (!gone()) {
    Frame frame;
    const FrameRead read = read_frame(std::string_view(in_).substr(done), frame);
    if (read == FrameRead::cut) break;
    if (read == FrameRead::broken) return close();
    if (!handle_output_frame(frame)) on_frame(frame);
    done += frame.size();
  }
  explicit_bzero(in_.data(), done);
  in_.erase(0, done);
  if (in_.empty()) in_ = std::string();
}

bool Client::handle_output_frame(const Frame& frame) {
  ByteReader reader(frame.payload);
  if (frame.type == FrameType::attach) {
    sent_ = acknowledged_ = reader.number<std::uint64_t>();
    window_ = reader.number<std::uint32_t>();
    attached_ = reader.ok();
    // `attach` is still shown to the runner, which answers with `started`.
    return false;
  }
  if (frame.type == FrameType::acknowledge) {
    acknowledged_ = std::max(acknowledged_, std::min(reader.number<std::uint64_t>(), sent_));
    return true;
  }
  return false;
}

void Client::flush() {
  std::size_t done = 0;
  while (done < out_.size()) {
    const ssize_t sent = ::send(socket_.get(), out_.data() + done, out_.size() - done, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) {
      // Nobody listens, but what was said before is still to be read; its end closes us.
      deaf_ = true;
      done = out_.size();
    }
    if (sent <= 0) break;
    done += static_cast<std::size_t>(sent);
  }
  out_.erase(0, done);
  if (out_.empty() && out_.capacity() > 4096) out_ = std::string();
}

void Client::send(const OutputLog& log) {
  for (;;) {
    flush();
    if (!out_.empty() || gone()) return;
    if (deaf_) return queue_.clear();
    if (queue_.take(FrameClass::control, out_) || queue_.take(FrameClass::callbacks, out_)) continue;
    if (may_send_output(log)) {
      take_output(log);
    } else if (!queue_.take(FrameClass::bulk, out_)) {
      return;
    }
  }
}

void Client::take_output(const OutputLog& log) {
  constexpr std::size_t offset_bytes = sizeof(std::uint64_t);
  out_.resize(frame_header_bytes);
  ByteWriter(out_).number(sent_);
  const std::size_t records = log.read(sent_, frame_payload_limit - offset_bytes, out_);
  if (records == 0) {
    out_.clear();
    append_frame(out_, FrameType::error, "no record of output.log begins at the offset that was asked for");
    attached_ = false;
    return;
  }
  std::string header;
  append_frame_header(header, FrameType::output, offset_bytes + records);
  out_.replace(0, frame_header_bytes, header);
  sent_ += records;
}

}  // namespace paperclip::runner
