#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace paperclip::environments {

/// A `paperclip-runner` for one kind of machine, as it is uploaded: named by what is in it.
struct RunnerBinary {
  std::string machine;  // as `uname -sm` says it: `Linux x86_64`
  std::string bytes;
  std::string sha256;
};

/// The runners we have: `path` for machines like this one, and those of other kinds beside it
/// (`paperclip-runner-aarch64`). Read once. Fails if the first is not there.
Result<std::vector<RunnerBinary>> read_runner_binaries(const std::filesystem::path& path);

}  // namespace paperclip::environments
