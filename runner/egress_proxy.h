#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runner/egress.h"
#include "runner/egress_request.h"
#include "runner/part.h"

namespace paperclip::runner {

/// The proxy on 127.0.0.1 for a run whose place has no network of its own (egress.h). It decides nothing: what may be
/// reached is the server's business.
///
///     head ── read ──> opening ── 200 ──> open ── both ends ──> gone
///                         └── refused, or no server: an HTTP error ──> closing ──> gone
class EgressProxy : public Part {
 public:
  /// Listens if the command's environment asks for it, and lays the proxy variables over it.
  std::string prepare(const StartMessage& message, std::vector<std::string>& environment) override;
  bool handle(Client& client, const Frame& frame) override;
  void client_gone(Client& client) override;
  void watch(std::vector<pollfd>& polls) override;
  void on_ready(const pollfd* polls, std::size_t count) override;
  std::int64_t deadline() const override;
  void advance() override;
  void agent_ended() override;

 private:
  enum class State { head, opening, open, closing };
  struct Tunnel {
    Descriptor socket;
    State state = State::head;
    ProxyRequest request;
    std::string in;              // from the agent, not sent on yet
    std::string out;             // for the agent
    bool agent_ended = false;    // it sends no more
    bool told_end = false;       // and the server knows
    bool server_ended = false;   // the server sends no more
    bool shut = false;           // and the agent knows
    bool asked = false;          // egress_open was sent
    std::uint32_t credit = egress_window;  // what the server still takes
    std::uint32_t delivered = 0;           // to the agent, without credit given for it
    std::int64_t deadline = INT64_MAX;
  };

  void accept_one();
  void read_from(std::uint16_t stream, Tunnel& tunnel);
  void write_to(Tunnel& tunnel);
  void read_head(Tunnel& tunnel);
  void refuse(Tunnel& tunnel, int status, const char* reason, const std::string& text);
  void pass_on(std::uint16_t stream, Tunnel& tunnel);
  void take_answer(Tunnel& tunnel, const Frame& frame);
  /// Whether nothing is left to do for it.
  bool finished(const Tunnel& tunnel) const;
  void drop(std::uint16_t stream);

  Descriptor listener_;
  std::map<std::uint16_t, Tunnel> tunnels_;
  std::vector<std::uint16_t> watched_;  // in the order of `watch`
  std::uint16_t last_stream_ = 0;
  Client* server_ = nullptr;
};

}  // namespace paperclip::runner
