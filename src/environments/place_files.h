#pragma once

#include <filesystem>
#include <string>

#include "base/deadline.h"
#include "base/result.h"
#include "environments/place.h"

namespace paperclip::environments {

enum class UploadMode {
  replace,  // what stood there goes first
  merge,    // laid over what stands there
};

/// Brings a directory of this machine to `remote_path` in the place, links followed (spec/remote-runtimes.md 4.5, 5.1).
/// Fails with the first line of what went wrong, never with content.
Result<void> upload_directory(Place& place, const std::filesystem::path& directory, const std::string& remote_path, UploadMode mode,
                              const os::Environment& host, Deadline deadline);

/// In single quotes for `sh`, whatever it holds.
std::string shell_word(std::string_view text);

}  // namespace paperclip::environments
