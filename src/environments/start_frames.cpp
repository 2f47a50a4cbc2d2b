#include "environments/start_frames.h"

#include <algorithm>

#include "base/secret.h"
#include "environments/live_run.h"
#include "runner/start_message.h"

namespace paperclip::environments {

Result<void> check_texts(const RunCommand& command) {
  const auto cut = [](const std::string& text) { return text.find('\0') != std::string::npos; };
  if (command.argv.empty() || command.argv.front().empty()) return unprocessable("A run needs a command");
  if (std::any_of(command.argv.begin(), command.argv.end(), cut) || cut(command.cwd))
    return unprocessable("A command's arguments and working directory cannot contain NUL");
  for (const auto& [name, value] : command.env)
    if (name.empty() || name.find('=') != std::string::npos || cut(name) || cut(value))
      return unprocessable("An environment variable has an impossible name or a NUL in its value: \"" + name + "\"");
  return success();
}

std::string encoded_start(const std::string& name, const RunCommand& command, std::uint64_t backlog_bytes) {
  std::vector<std::string> entries;
  entries.reserve(command.env.size());
  for (const auto& [name, value] : command.env) {
    std::string entry;
    entry.reserve(name.size() + value.size() + 1);
    entries.push_back(std::move(entry.append(name).append("=").append(value)));
  }
  runner::StartMessage message;
  message.run_id = name;
  message.argv.assign(command.argv.begin(), command.argv.end());
  message.cwd = command.cwd;
  message.environment.assign(entries.begin(), entries.end());
  message.timeout_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(command.timeout.count(), 0));
  message.grace_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(command.grace.count(), 0));
  message.drain_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(command.drain.count(), 0));
  message.backlog_bytes = backlog_bytes;
  message.limits = command.limits;
  message.stdin_text = command.stdin_text;
  message.callbacks = command.callbacks;
  std::string encoded = runner::encode(message);
  for (std::string& entry : entries) wipe(entry.data(), entry.size());
  return encoded;
}

std::string opening_frames(const RunId& run, const RunCommand& command, std::uint64_t backlog_bytes) {
  std::string encoded = encoded_start(run.str(), command, backlog_bytes);
  std::string frames;
  frames.reserve(encoded.size() + encoded.size() / 1024 + 64);
  runner::append_hello(frames);
  runner::append_message(frames, runner::FrameType::start, encoded);
  runner::append_attach(frames, 0, run_window_bytes);
  wipe(encoded.data(), encoded.size());
  return frames;
}

}  // namespace paperclip::environments
