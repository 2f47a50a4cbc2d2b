#pragma once

#include <memory>
#include <string>
#include <vector>

#include "environments/place.h"
#include "environments/sandbox/gate.h"
#include "plugins/provider.h"

namespace paperclip::environments::sandbox {

/// One sandbox as we talk to it: its provider, its lease, and the config that lease was made with. From any thread.
struct Sandbox {
  std::shared_ptr<plugins::SandboxProvider> provider;
  plugins::ProviderContext context;
  plugins::ProviderLease lease;
  std::string shell = "sh";
  std::string cwd;
  std::string label;
  Gate* gate = nullptr;  // outlives us

  bool can_stream() const {
    const auto capabilities = provider->capabilities();
    return capabilities.stream && capabilities.input;
  }
  /// One command to its end. `environment` is all we give it.
  Result<os::CommandOutput> execute(std::vector<std::string> argv, const os::Environment& environment, std::string_view stdin_text,
                                    const std::string& directory, Deadline deadline) const;
  /// A script of its shell.
  Result<os::CommandOutput> script(const std::string& text, std::string_view stdin_text, Deadline deadline) const;
  /// Writes a file, whole or not at all: by the provider's own way, else piece by piece in base64.
  Result<void> write_file(const std::string& path, std::string_view bytes, unsigned mode, Deadline deadline) const;
};

}  // namespace paperclip::environments::sandbox
