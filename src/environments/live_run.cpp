#include "environments/live_run.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "base/secret.h"
#include "runner/run_directory.h"

namespace paperclip::environments {
namespace {

using runner::Frame;
using runner::FrameType;

/// How much of an ended run is given out before other runs get their turn.
constexpr std::size_t turn_bytes = 64 * 1024;

}  // namespace

LiveRun::LiveRun(RunId id, std::unique_ptr<Channel> channel, std::shared_ptr<RunObserver> observer, os::Descriptor socket,
                 std::string unsent)
    : id_(id), channel_(std::move(channel)), observer_(std::move(observer)), socket_(std::move(socket)),
      out_(std::move(unsent)) {}

LiveRun::LiveRun(RunId id, std::unique_ptr<Channel> channel, std::shared_ptr<RunObserver> observer, std::uint64_t offset)
    : id_(id), channel_(std::move(channel)), observer_(std::move(observer)), state_(State::seeking), offset_(offset),
      acknowledged_(offset) {}

LiveRun::~LiveRun() { wipe(out_.data(), out_.size()); }

std::optional<LiveRun::Instant> LiveRun::wake_at() const {
  if (state_ == State::seeking && !paused) return seek_at_;
  if (state_ == State::ended && !paused) return Instant{};
  return std::nullopt;
}

void LiveRun::begin(MakeLink make_link) {
  make_link_ = std::move(make_link);
  frame_handler_ = observer_->frame_handler();
  if (state_ == State::connected) tell_connected();
}

void LiveRun::tell_connected() {
  if (!frame_handler_ || told_connected_) return;
  told_connected_ = true;
  frame_handler_->on_connected(make_link_(connection_));
}

void LiveRun::tell_disconnected() {
  queue_.clear();
  if (!told_connected_) return;
  told_connected_ = false;
  frame_handler_->on_disconnected();
}

void LiveRun::send(unsigned connection, runner::FrameClass frame_class, std::string_view frames) {
  if (state_ != State::connected || connection != connection_) return;
  queue_.of(frame_class).append(frames);
  flush();
}

void LiveRun::on_ready(bool readable, std::string& buffer) {
  if (wants_to_send()) flush();
  if (!readable || state_ != State::connected) return;
  const ssize_t got = ::read(socket_.get(), buffer.data(), buffer.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return disconnect();
  in_.append(buffer.data(), static_cast<std::size_t>(got));
  handle_frames();
}

void LiveRun::work() {
  switch (state_) {
    case State::connected: return handle_frames();
    case State::seeking: return seek();
    case State::ended: return give_ended_output();
    case State::done: return;
  }
}

void LiveRun::flush() {
  using runner::FrameClass;
  for (;;) {
    std::size_t done = 0;
    while (done < out_.size()) {
      const ssize_t sent = ::send(socket_.get(), out_.data() + done, out_.size() - done, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno == EINTR) continue;
      // A broken connection shows itself when it is read from; what the runner said before is still to come.
      if (sent < 0 && errno != EAGAIN) {
        done = out_.size();
        queue_.clear();
      }
      if (sent <= 0) break;
      done += static_cast<std::size_t>(sent);
    }
    wipe(out_.data(), done);
    out_.erase(0, done);
    if (!out_.empty()) return;
    if (!queue_.take(FrameClass::control, out_) && !queue_.take(FrameClass::callbacks, out_) && !queue_.take(FrameClass::bulk, out_)) break;
  }
  out_ = std::string();
}

void LiveRun::handle_frames() {
  std::size_t used = 0;
  bool sensible = true;
  while (sensible && state_ == State::connected && give_output()) {
    Frame frame;
    const auto read = runner::read_frame(std::string_view(in_).substr(used), frame);
    if (read == runner::FrameRead::cut) break;
    sensible = read == runner::FrameRead::complete && handle(frame);
    used += frame.size();
  }
  if (state_ != State::connected) return;
  if (!sensible) return disconnect();
  in_.erase(0, used);
  if (in_.empty()) in_ = std::string();
  acknowledge();
}

bool LiveRun::handle(const Frame& frame) {
  runner::ByteReader reader(frame.payload);
  // Asking again would not help, and a run that nobody can follow must not go on.
  const auto refuse = [this](std::string why) {
    runner::append_stop(queue_.of(runner::FrameClass::control), 0, runner::StopReason::finished);
    flush();
    end_unreachable(std::move(why));
    return true;
  };
  switch (frame.type) {
    case FrameType::hello: return runner::hello_fits(frame.payload) || refuse("the runner speaks another version of the protocol");
    case FrameType::started: {
      const auto started = runner::read_started(frame.payload);
      if (!started) return false;
      seek_pause_ = std::chrono::milliseconds(1);
      give_up_at_.reset();
      observer_->on_started(started->agent_pid, started->agent_group, Timestamp{started->started_ms});
      return true;
    }
    case FrameType::output:
      if (reader.number<std::uint64_t>() != offset_ || !reader.ok()) return false;
      output_ = reader.rest();
      output_used_ = 0;
      return true;
    case FrameType::exited:
      exit_text_ += frame.payload;
      if (frame.flags & runner::frame_continues) return true;
      if (auto status = parse_exit(exit_text_)) {
        end_with(std::move(*status));
        return true;
      }
      return false;
    case FrameType::error:
      return refuse("the runner says: " + std::string(frame.payload));
    default: {
      const auto frame_class = runner::class_of(frame.type);
      const bool theirs = frame_class == runner::FrameClass::callbacks || frame_class == runner::FrameClass::bulk;
      if (theirs && frame_handler_) frame_handler_->on_frame(frame);
      return true;
    }
  }
}

bool LiveRun::give_output() {
  while (output_used_ < output_.size()) {
    if (paused) return false;
    const auto record = runner::read_record(std::string_view(output_).substr(output_used_), runner::RecordCheck::none);
    if (!record) {  // whole records were promised; reading again from the log finds out what is wrong
      output_ = {};
      disconnect();
      return false;
    }
    const OutputChunk chunk = to_chunk(*record, offset_);
    output_used_ += record->size();
    offset_ = chunk.next_offset;
    observer_->on_output(chunk);
  }
  output_ = std::string();
  output_used_ = 0;
  return !paused;
}

void LiveRun::acknowledge() {
  if (offset_ - acknowledged_ < run_window_bytes / 4) return;
  acknowledged_ = offset_;
  runner::append_acknowledge(queue_.of(runner::FrameClass::control), offset_);
  flush();
}

void LiveRun::stop(std::chrono::milliseconds grace, runner::StopReason reason) {
  if (state_ != State::connected && state_ != State::seeking) return;
  stop_frame_.clear();
  runner::append_stop(stop_frame_, static_cast<std::uint32_t>(std::clamp<std::int64_t>(grace.count(), 0, UINT32_MAX)), reason);
  if (state_ != State::connected) return;
  queue_.of(runner::FrameClass::control) += stop_frame_;
  flush();
}

void LiveRun::disconnect() {
  socket_.reset();
  in_ = {};
  exit_text_ = {};
  if (state_ != State::connected) return;
  state_ = State::seeking;
  tell_disconnected();
  wipe(out_.data(), out_.size());
  out_ = {};
  output_ = {};
  acknowledged_ = offset_;
  seek_at_ = std::chrono::steady_clock::now() + seek_pause_;
}

void LiveRun::use(os::Descriptor socket) {
  socket_ = std::move(socket);
  ++connection_;
  state_ = State::connected;
  std::string greeting;
  runner::append_hello(greeting);
  runner::append_attach(greeting, offset_, run_window_bytes);
  out_ = greeting + stop_frame_;
  flush();
  tell_connected();
}

/// Finds out what became of a run we are not connected to.
void LiveRun::seek() {
  Channel::Look found = channel_->look();
  if (found.ended) return end_with(std::move(*found.ended));
  const auto now = std::chrono::steady_clock::now();
  if (!give_up_at_) give_up_at_ = now + channel_->patience();
  if (!found.trouble.empty()) trouble_ = std::move(found.trouble);
  if (now >= *give_up_at_) return end_unreachable(trouble_.empty() ? "no runner could be reached any more" : trouble_);
  if (found.socket) return use(std::move(found.socket));
  seek_at_ = now + seek_pause_;
  seek_pause_ = std::min(seek_pause_ * 2, channel_->longest_pause());
}

void LiveRun::end_with(ExitStatus status) {
  socket_.reset();
  tell_disconnected();
  exit_ = std::move(status);
  state_ = State::ended;
  in_ = {};
  // Usually all output has been given before `exited` came. Otherwise, and when a lost run's length is not known, the
  // log has the rest.
  if (exit_.output_bytes != offset_ || !exit_.lost_reason.empty()) ended_log_ = channel_->rest(offset_);
}

void LiveRun::end_unreachable(std::string detail) {
  ExitStatus status;
  status.lost_reason = "unreachable";
  status.lost_detail = std::move(detail);
  status.ended = Clock::system().now();
  end_with(std::move(status));
}

void LiveRun::give_ended_output() {
  for (std::size_t given = 0; given < turn_bytes;) {
    if (paused) return;
    const auto chunk = ended_log_ ? ended_log_->next() : std::nullopt;
    if (!chunk) {
      ended_log_.reset();
      state_ = State::done;
      return;
    }
    offset_ = chunk->next_offset;
    given += chunk->bytes.size();
    observer_->on_output(*chunk);
  }
}

}  // namespace paperclip::environments
