#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/surroundings.h"
#include "os/files.h"

namespace paperclip::server {
class Server;
}

namespace paperclip::cli::demo {

/// A server of our own in this process, on a free loopback port, that nothing of this machine's configuration reaches.
/// It ends with this object; a home that was not named goes with it.
class PrivateServer {
 public:
  static Result<PrivateServer> start(const Surroundings& around, const std::string& home);
  PrivateServer(PrivateServer&&) noexcept;
  ~PrivateServer();
  const std::string& url() const { return url_; }

 private:
  PrivateServer();
  std::optional<os::TemporaryDirectory> temporary_;
  std::unique_ptr<server::Server> server_;  // ends before its directory
  std::string url_;
};

}  // namespace paperclip::cli::demo
