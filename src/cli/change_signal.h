#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "cli/client.h"

namespace paperclip::net {
class WebSocketClient;
}

namespace paperclip::cli {

/// Tells when something may have changed in a company, so that whoever shows it need not ask all the time. Listens to
/// the live event stream; without one (an older server, a key that may not) it is a pause of a moment.
class ChangeSignal {
 public:
  ChangeSignal(const Client& client, const std::string& company_id);
  ~ChangeSignal();

  /// Returns soon after the next event, or after `longest`; sooner without an event stream.
  void wait(std::chrono::milliseconds longest);
  bool live() const { return socket_ != nullptr; }

 private:
  std::unique_ptr<net::WebSocketClient> socket_;
};

}  // namespace paperclip::cli
