#include "cli/demo/private_server.h"

#include <fmt/format.h>

#include "cli/local/logging.h"
#include "server/server.h"

namespace paperclip::cli::demo {

PrivateServer::PrivateServer() = default;
PrivateServer::PrivateServer(PrivateServer&&) noexcept = default;
PrivateServer::~PrivateServer() {
  if (!server_) return;
  server_->stop(std::chrono::seconds(5));
  server_.reset();
  log_nowhere();  // the file is about to go
}

Result<PrivateServer> PrivateServer::start(const Surroundings& around, const std::string& home) {
  PrivateServer out;
  std::filesystem::path directory;
  if (home.empty()) {
    out.temporary_.emplace(TRY(os::TemporaryDirectory::create("paperclip-demo-")));
    directory = out.temporary_->path();
  } else {
    directory = expand_path(around, home);
    TRY(os::make_directories(directory));
  }
  const auto environment =
      overlay([](const std::string&) { return std::nullopt; },
              {{"PAPERCLIP_HOME", directory.string()}, {"PORT", "0"}, {"HOME", directory.string()}});
  auto config = TRY(server::load_config(environment, directory));
  TRY(log_to_file(config.log_directory / "server.log"));
  out.server_ = TRY(server::Server::start(std::move(config)));
  out.url_ = fmt::format("http://127.0.0.1:{}", out.server_->port());
  return out;
}

}  // namespace paperclip::cli::demo
