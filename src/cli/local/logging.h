#pragma once

#include <filesystem>

#include "base/result.h"

/// Where the server's own log lines go (spec/platform.md 1.6).
namespace paperclip::cli {

/// Only into this file; its directory is made.
Result<> log_to_file(const std::filesystem::path& file);
/// Into this file and onto the terminal: stdout, or stderr when stdout belongs to somebody else.
Result<> log_to_file_and_terminal(const std::filesystem::path& file, bool use_stderr);
void log_nowhere();

}  // namespace paperclip::cli
