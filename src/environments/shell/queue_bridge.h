#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "environments/frame_handler.h"
#include "environments/shell/access.h"
#include "runner/callbacks.h"

namespace paperclip::environments::shell {

/// The callbacks of one run where they are files (spec/callback-bridge.md 3, 4, 11.2): takes them with a command that waits
/// in the place, says them to the run's frame handler as a runner would, and brings the answers. Files are as hostile as
/// requests: what they ask for is checked by whoever gets the frames; here only their form is.
class QueueBridge : public std::enable_shared_from_this<QueueBridge> {
 public:
  enum class Beginning { fresh, taken_over };
  /// `directory` is the run's. Of an earlier server's requests, taken but not answered, writes are not done again.
  static std::shared_ptr<QueueBridge> start(std::shared_ptr<ShellAccess> access, std::string directory, std::shared_ptr<FrameHandler> handler,
                                            std::size_t max_body_bytes, Beginning beginning);
  /// The run is over, or nobody follows it any more.
  void end();

 private:
  class Link;
  struct Answer {
    std::uint64_t id;
    std::string name, record;
  };
  QueueBridge(std::shared_ptr<ShellAccess> access, std::string directory, std::shared_ptr<FrameHandler> handler, std::size_t max_body_bytes);

  /// Something for `talk` to do. Harmless with either mutex's order: it takes the last.
  void ring();
  void take(Beginning beginning);
  void talk();
  bool talk_once();
  void receive(const std::string& name, std::string_view kind, std::string_view record, std::int64_t now_s, bool doubtful);
  void answer(const runner::CallbackAnswer& answer);
  void exchange_frames();
  void give(std::string_view frames);
  Result<void> put(const std::vector<Answer>& batch);
  bool pause(std::chrono::milliseconds time);

  const std::shared_ptr<ShellAccess> access_;
  const std::string directory_;
  const std::shared_ptr<FrameHandler> handler_;
  const std::size_t max_body_bytes_;
  const std::string taker_;

  std::mutex inbox_mutex_;  // taken last: the handler sends with its own lock in hand
  std::condition_variable mail_;
  std::string inbox_;
  bool has_mail_ = false;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
  runner::CallbackStreams streams_;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, std::string> names_;  // of requests that are not answered yet
  std::vector<Answer> answers_;                 // not brought yet
  std::set<std::string> seen_;                  // file names; one is done once
};

}  // namespace paperclip::environments::shell
