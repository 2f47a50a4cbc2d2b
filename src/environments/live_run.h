#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "environments/channel.h"
#include "environments/frame_handler.h"
#include "environments/runner.h"
#include "os/descriptor.h"
#include "runner/frame_queue.h"
#include "runner/frames.h"

namespace paperclip::environments {

/// How much output may be on its way from a runner to us.
inline constexpr std::uint32_t run_window_bytes = 256 * 1024;

/// One run as the background thread follows it. Used by that thread alone, but for `paused`.
///
///     connected ── connection ends ──> seeking ── exit.json, or nobody alive ──> ended ── all output given ──> done
///         ^                               │                                       ^
///         └──────── runner answers ───────┘        connected ── `exited` ─────────┘
class LiveRun {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  /// With the first connection of a fresh run, `unsent` of whose command has not gone out yet.
  LiveRun(RunId id, std::unique_ptr<Channel> channel, std::shared_ptr<RunObserver> observer, os::Descriptor socket,
          std::string unsent);
  /// Looks for a run that should be there.
  LiveRun(RunId id, std::unique_ptr<Channel> channel, std::shared_ptr<RunObserver> observer, std::uint64_t offset);
  ~LiveRun();

  const RunId& id() const { return id_; }
  int socket() const { return socket_.get(); }
  /// Tells one connection from the next, which may have the same descriptor number.
  unsigned connection() const { return connection_; }
  bool wants_to_send() const { return !out_.empty() || !queue_.empty(); }
  bool done() const { return state_ == State::done; }
  /// When `work` should be called even if the connection is silent; nullopt: not before it is ready.
  std::optional<Instant> wake_at() const;

  /// Makes a link to the connection of that number.
  using MakeLink = std::function<std::shared_ptr<FrameLink>(unsigned connection)>;
  /// The first call on the following thread.
  void begin(MakeLink make_link);
  /// Queues frames for the connection of that number; a later one does not get them.
  void send(unsigned connection, runner::FrameClass frame_class, std::string_view frames);

  /// The connection is ready: sends, reads and handles what came. `buffer` is scratch space.
  void on_ready(bool readable, std::string& buffer);
  /// Goes on with whatever is due: output after a pause, the search for a runner, the rest of an ended run's output.
  void work();
  void stop(std::chrono::milliseconds grace, runner::StopReason reason);

  /// How it ended; once `done`.
  const ExitStatus& exit_status() const { return exit_; }
  RunObserver& observer() { return *observer_; }

  std::atomic<bool> paused{false};

 private:
  enum class State { connected, seeking, ended, done };

  void use(os::Descriptor socket);
  void flush();
  void handle_frames();
  /// False if the peer makes no sense.
  bool handle(const runner::Frame& frame);
  /// Gives out what is left of the output frame; false if a pause came first.
  bool give_output();
  void acknowledge();
  void disconnect();
  void seek();
  void give_ended_output();
  void end_with(ExitStatus status);
  void end_unreachable(std::string detail);
  void tell_connected();
  void tell_disconnected();

  RunId id_;
  std::unique_ptr<Channel> channel_;
  std::shared_ptr<RunObserver> observer_;
  std::shared_ptr<FrameHandler> frame_handler_;
  MakeLink make_link_;
  bool told_connected_ = false;
  State state_ = State::connected;
  os::Descriptor socket_;
  unsigned connection_ = 1;
  std::string in_;
  runner::FrameQueue queue_;
  std::string out_;  // what is on its way; the command of a fresh run
  std::string output_;  // records of the frame at hand that are not given out yet
  std::size_t output_used_ = 0;
  std::uint64_t offset_ = 0;        // up to here everything was given out
  std::uint64_t acknowledged_ = 0;
  std::string exit_text_;
  std::unique_ptr<EndedLog> ended_log_;
  ExitStatus exit_;
  std::string stop_frame_;  // the last one; said again when the connection had to be renewed
  Instant seek_at_{};
  std::optional<Instant> give_up_at_;  // counted from when the connection was lost
  std::string trouble_;                // why the last look found nothing
  std::chrono::milliseconds seek_pause_{1};
};

}  // namespace paperclip::environments
