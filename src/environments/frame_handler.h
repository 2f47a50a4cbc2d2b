#pragma once

#include <memory>
#include <string>

#include "runner/frames.h"

/// Frames between a run's runner and a part of the server that is neither start, stop nor output: callbacks of the agent,
/// egress, workspace transfers (runner/README.md, "Protocol").
namespace paperclip::environments {

/// One connection to the runner of one run. From any thread; never blocks.
class FrameLink {
 public:
  virtual ~FrameLink() = default;
  /// Queues whole frames (runner::append_frame), all of one class: control goes out before callbacks, those before bulk.
  /// Dropped without a word once the connection is gone: `on_disconnected` says so, and the next link is another one.
  virtual void send(runner::FrameClass frame_class, std::string frames) = 0;
};

/// Gets the frames of classes `callbacks` and `bulk` of one run. Called on the thread that follows all runs, one call at a
/// time: hand long work on. A paused run gives no frames.
class FrameHandler {
 public:
  virtual ~FrameHandler() = default;
  /// Before the first frame, and again with each connection that replaces a lost one: what was under way on the former
  /// is to be said again if it shall not be lost.
  virtual void on_connected(std::shared_ptr<FrameLink> link) = 0;
  /// The payload is gone when this returns.
  virtual void on_frame(const runner::Frame& frame) = 0;
  /// Also at the end of the run.
  virtual void on_disconnected() = 0;
};

}  // namespace paperclip::environments
