#pragma once

#include <optional>

#include "base/result.h"
#include "cli/command_line.h"
#include "cli/local/instance.h"

namespace paperclip::cli {

struct ServeOptions : InstanceOptions {
  std::optional<std::int64_t> port;
  std::string host;
  bool as_json = false;
};
void declare_serve_options(OptionSet& command, ServeOptions& options);

/// The server in the foreground until SIGINT or SIGTERM; the exit code of the command.
Result<int> serve(const Surroundings& around, const ServeOptions& options);

}  // namespace paperclip::cli
