#pragma once

#include <array>
#include <string>

#include "runner/frames.h"

namespace paperclip::runner {

/// Frames that wait for a connection to take them, sorted by class. Whoever sends takes one frame at a time, so that a
/// cancellation never stands behind a callback, nor a callback behind a workspace.
class FrameQueue {
 public:
  /// Where frames of the class are appended (append_frame and its relatives).
  std::string& of(FrameClass frame_class) { return queue(frame_class).bytes; }
  bool empty(FrameClass frame_class) const { return queue(frame_class).bytes.empty(); }
  bool empty() const {
    for (const auto& queue : queues_)
      if (!queue.bytes.empty()) return false;
    return true;
  }
  std::size_t bytes(FrameClass frame_class) const { return queue(frame_class).bytes.size() - queue(frame_class).taken; }

  /// Moves the next frame of the class to the end of `out`; false if there is none.
  bool take(FrameClass frame_class, std::string& out) {
    Queue& from = queue(frame_class);
    if (from.bytes.empty()) return false;
    Frame frame;
    const std::string_view left = std::string_view(from.bytes).substr(from.taken);
    const bool whole = read_frame(left, frame) == FrameRead::complete;
    const std::size_t size = whole ? frame.size() : left.size();
    out.append(left.substr(0, size));
    from.taken += size;
    if (from.taken == from.bytes.size()) {
      from = Queue();
    } else if (from.taken > compact_at && from.taken > from.bytes.size() / 2) {
      from.bytes.erase(0, from.taken);
      from.taken = 0;
    }
    return true;
  }
  void clear() { queues_ = {}; }

 private:
  static constexpr std::size_t compact_at = 64 * 1024;
  struct Queue {
    std::string bytes;
    std::size_t taken = 0;
  };
  Queue& queue(FrameClass frame_class) { return queues_[static_cast<std::size_t>(frame_class)]; }
  const Queue& queue(FrameClass frame_class) const { return queues_[static_cast<std::size_t>(frame_class)]; }

  std::array<Queue, frame_classes> queues_;
};

}  // namespace paperclip::runner
