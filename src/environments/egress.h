#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "environments/egress_policy.h"
#include "environments/frame_handler.h"

/// The server's end of a sandbox's way out (runner/egress.h): opens connections to hosts that the run's list names, and to
/// no others.
namespace paperclip::environments {

/// Told once for each target that was refused or could not be reached; for the run's log. On the gateway's thread: hand
/// long work on.
using OnEgressRefused = std::function<void(const std::string& line)>;

struct EgressCounts {
  std::uint64_t opened = 0, refused = 0, failed = 0;
  std::uint64_t bytes_out = 0, bytes_in = 0;  // as seen from the sandbox
};

/// One run's tunnels.
class EgressSession : public FrameHandler {
 public:
  virtual EgressCounts counts() const = 0;
  /// Ends all of them; nothing is opened afterwards.
  virtual void close() = 0;
};

/// One background thread that serves the tunnels of all runs, and a few that look names up; none before the first session.
class EgressGateway {
 public:
  EgressGateway() = default;
  /// Ends everything. Sessions may outlive it and then do nothing.
  ~EgressGateway();
  EgressGateway(const EgressGateway&) = delete;

  /// For the `frame_handler` of a run whose command has PAPERCLIP_EGRESS=allow-list.
  std::shared_ptr<EgressSession> open(EgressPolicy policy, OnEgressRefused refused);

  class Loop;  // private to egress.cpp

 private:
  std::mutex mutex_;
  std::shared_ptr<Loop> loop_;
};

/// Several handlers for one run, each with the frames of its own: callbacks, egress, bulk.
class FrameSwitch : public FrameHandler {
 public:
  /// `belongs` says which frames go to the handler; the first that takes one has it.
  FrameSwitch& add(bool (*belongs)(runner::FrameType), std::shared_ptr<FrameHandler> handler);
  bool empty() const { return handlers_.empty(); }

  void on_connected(std::shared_ptr<FrameLink> link) override;
  void on_frame(const runner::Frame& frame) override;
  void on_disconnected() override;

 private:
  std::vector<std::pair<bool (*)(runner::FrameType), std::shared_ptr<FrameHandler>>> handlers_;
};

}  // namespace paperclip::environments
