#pragma once

#include <poll.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runner/client.h"
#include "runner/start_message.h"

namespace paperclip::runner {

/// A part of the runner with frames, descriptors and deadlines of its own: the callback bridge, egress, transfers. All
/// calls come from the supervisor's one thread; none may block. Add one in `make_parts` (parts.cpp).
class Part {
 public:
  virtual ~Part() = default;

  /// Before the agent starts. What is appended to `environment` (NAME=value) is laid over the command's. Returns why the
  /// run cannot start; empty: it can.
  virtual std::string prepare(const StartMessage& /*message*/, std::vector<std::string>& /*environment*/) { return {}; }
  /// A frame of class callbacks or bulk, or of a control type that the supervisor does not know. True: it was ours.
  virtual bool handle(Client& /*client*/, const Frame& /*frame*/) { return false; }
  /// A server attached: what waits for one may be said into `client.outbox(…)`, now or later.
  virtual void client_attached(Client& /*client*/) {}
  /// Its address means nothing afterwards.
  virtual void client_gone(Client& /*client*/) {}

  /// Appends what `poll` shall watch. The same entries, in the same order, come back in `on_ready`.
  virtual void watch(std::vector<pollfd>& /*polls*/) {}
  virtual void on_ready(const pollfd* /*polls*/, std::size_t /*count*/) {}
  /// When `advance` has to be called at the latest, in monotonic_ms; INT64_MAX: not before something is ready.
  virtual std::int64_t deadline() const { return INT64_MAX; }
  /// Once each turn of the loop, before clients are sent to.
  virtual void advance() {}
  /// The agent has ended by itself. False: something of it is still under way; asked again each turn, so `deadline` must
  /// see to it that there is one, and an end. Not asked when the agent was stopped.
  virtual bool ready_to_end() { return true; }
  /// The agent's tree is gone; exit.json follows.
  virtual void agent_ended() {}
};

/// All parts there are.
std::vector<std::unique_ptr<Part>> make_parts();

}  // namespace paperclip::runner
