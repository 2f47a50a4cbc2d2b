#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "runner/frame_queue.h"
#include "runner/frames.h"
#include "runner/output_log.h"
#include "runner/system.h"

namespace paperclip::runner {

/// One server attached to the runner. Needs a few KiB however far it lags behind: output is read again from the log.
class Client {
 public:
  explicit Client(Descriptor socket) : socket_(std::move(socket)) { append_hello(outbox()); }

  int socket() const { return socket_.get(); }
  bool gone() const { return !socket_; }
  void close() { socket_.reset(); }

  /// Reads what has come and calls `on_frame` for each frame but those about output, which it handles itself.
  void receive(const std::function<void(const Frame&)>& on_frame);

  /// Frames to be sent: control before callbacks, those before output, bulk last.
  std::string& outbox(FrameClass frame_class = FrameClass::control) { return queue_.of(frame_class); }
  /// Bytes of the class that the socket has not taken yet; bulk keeps this small (bulk_in_flight_limit).
  std::size_t waiting(FrameClass frame_class) const { return queue_.bytes(frame_class); }
  bool all_sent() const { return out_.empty() && queue_.empty(); }

  /// Sends what the socket and the window take.
  void send(const OutputLog& log);
  /// More could be sent, were the socket ready.
  bool wants_to_send(const OutputLog& log) const { return !gone() && !deaf_ && (!all_sent() || may_send_output(log)); }
  /// It has asked for the output and everything in the log was sent. One that has not asked yet may be about to: were it
  /// told of the exit, it would take the output for complete.
  bool caught_up(const OutputLog& log) const { return attached_ && (deaf_ || sent_ >= log.size()); }

  bool attached() const { return attached_; }
  std::uint64_t acknowledged() const { return acknowledged_; }

  /// Whether `exited` has been put into the outbox.
  bool told_exit = false;
  /// Whether the runner's parts know that it is gone.
  bool told_gone = false;

 private:
  bool may_send_output(const OutputLog& log) const {
    return attached_ && !deaf_ && sent_ < log.size() && sent_ < acknowledged_ + window_;
  }
  bool handle_output_frame(const Frame& frame);
  void flush();
  void take_output(const OutputLog& log);

  Descriptor socket_;
  std::string in_;
  FrameQueue queue_;
  std::string out_;  // the frame that is on its way
  bool deaf_ = false;  // the peer takes no more
  bool attached_ = false;
  std::uint64_t sent_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t window_ = 0;
};

}  // namespace paperclip::runner
