#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "environments/runner.h"

namespace paperclip::environments {

/// What would silently be cut or misread by exec: NUL in a text, an impossible variable name. `unprocessable`.
Result<void> check_texts(const RunCommand& command);

/// The frames that a fresh runner reads first: hello, the command, attach. They hold secrets; wipe what was sent.
std::string opening_frames(const RunId& run, const RunCommand& command, std::uint64_t backlog_bytes);

/// A start message alone, as `paperclip-runner execute` reads it. Holds secrets.
std::string encoded_start(const std::string& name, const RunCommand& command, std::uint64_t backlog_bytes);

/// Output that nobody has handled yet, per run, before its agent has to wait. Never less than two windows, because output
/// is acknowledged in portions of the window.
inline constexpr std::uint64_t default_backlog_bytes = 256 * 1024 * 1024;

}  // namespace paperclip::environments
