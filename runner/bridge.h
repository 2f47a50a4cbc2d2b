#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runner/callback_listener.h"
#include "runner/part.h"

namespace paperclip::runner {

/// The callback bridge of one run: the listener, and its requests on their way to whichever server is attached. While none
/// is, requests wait until their time is over.
///
///     waiting ── sent, at most `concurrency` at once, oldest first ──> sent ── callback_answer ──> answered
///        ^                                                              │
///        └── unknown to the same server; or it was not sent whole, or is a read, and the server is another ──┘
class Bridge : public Part, public CallbackBackend {
 public:
  /// Listens if the command asks for callbacks, and says where in PAPERCLIP_API_URL.
  std::string prepare(const StartMessage& message, std::vector<std::string>& environment) override;
  bool handle(Client& client, const Frame& frame) override;
  void client_attached(Client& client) override;
  void client_gone(Client& client) override;
  void watch(std::vector<pollfd>& polls) override;
  void on_ready(const pollfd* polls, std::size_t count) override;
  std::int64_t deadline() const override;
  void advance() override;
  /// Nothing new is taken; what is pending has the drain's time.
  bool ready_to_end() override;
  /// Whatever is left is answered with 503.
  void agent_ended() override;

  void submit(CallbackRequest request) override;
  void abandon(std::uint64_t id) override;

 private:
  static constexpr std::int64_t never = INT64_MAX;
  enum class State { waiting, sending, sent };
  struct Pending {
    CallbackRequest request;
    State state = State::waiting;
    std::int64_t deadline = 0;
  };

  void open(Client& client, const Frame& frame);
  void resume(bool same_server);
  void send_waiting();
  void take_answer(Client& client, const Frame& frame);
  void take_unknown(std::uint64_t id);
  std::size_t under_way() const;

  std::string& outbox() { return server_ ? server_->outbox(FrameClass::callbacks) : unsaid_; }

  std::size_t concurrency_ = 0;
  std::int64_t response_timeout_ms_ = 0;
  std::int64_t drain_ms_ = 0;
  std::unique_ptr<CallbackListener> listener_;  // none: this run has no bridge
  CallbackStreams streams_{0};
  std::map<std::uint64_t, Pending> pending_;  // by id, so oldest first
  Client* server_ = nullptr;    // who takes requests
  Client* attached_ = nullptr;  // the last that attached
  bool courier_ = false;
  std::string unsaid_;  // until the courier comes again
  std::uint64_t incarnation_ = 0;
  std::int64_t drained_at_ = never;
};

}  // namespace paperclip::runner
