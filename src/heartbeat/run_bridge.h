#pragma once

#include <memory>
#include <optional>

#include "adapters/run.h"
#include "domain/runs/run_setup.h"
#include "environments/bridge.h"
#include "environments/runner.h"
#include "heartbeat/engine.h"

namespace paperclip::heartbeat {

/// The callback bridge of one process of a run (spec/callback-bridge.md).
class RunBridge {
 public:
  /// None where the agent reaches the API itself: on this machine, unless its environment wants one.
  static std::optional<RunBridge> open(const EngineOptions& options, const domain::RunSetup& setup);

  const std::string& token() const { return token_.expose(); }
  std::shared_ptr<environments::FrameHandler> frame_handler() const { return session_; }

  /// What the adapter is told: the bridge's token is the run's.
  void describe(adapters::RunContext& run) const;
  /// Lays the bridge's variables over whatever the command's environment says, and asks the runner to listen.
  void lay_over(environments::RunCommand& command) const;
  /// The run is over.
  void close() const { session_->close(); }

 private:
  RunBridge(std::shared_ptr<environments::BridgeSession> session, SecretText token)
      : session_(std::move(session)), token_(std::move(token)) {}
  std::shared_ptr<environments::BridgeSession> session_;
  SecretText token_;
};

}  // namespace paperclip::heartbeat
