#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "environments/egress.h"
#include "environments/place.h"
#include "environments/runner.h"

namespace paperclip::heartbeat {

/// The network of one run whose place has none of its own: the hosts that its lease names, through its runner.
class RunEgress {
 public:
  /// None where the place does not ask for it. `unprocessable` when its list makes no sense, or nobody is there to open
  /// connections: a run that would find no network is not started.
  static Result<std::optional<RunEgress>> open(environments::EgressGateway* gateway, const environments::PlaceDescription& place);

  /// Asks the runner for its proxy.
  void lay_over(environments::RunCommand& command) const;
  std::shared_ptr<environments::FrameHandler> frame_handler() const { return session_; }
  /// Lines for the run's log since the last call: what was refused or could not be reached.
  std::vector<std::string> take_refusals() const;
  /// The run is over.
  void close() const { session_->close(); }

 private:
  struct Refusals {
    std::mutex mutex;
    std::vector<std::string> lines;
  };
  std::shared_ptr<Refusals> refusals_;
  std::shared_ptr<environments::EgressSession> session_;
};

}  // namespace paperclip::heartbeat
