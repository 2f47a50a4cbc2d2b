#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runner/bytes.h"

namespace paperclip::runner {

/// What an agent may use. Zero means: as the machine has it. Each process of the agent's tree gets the same.
struct ProcessLimits {
  std::int32_t nice = 5;             // added to the server's
  std::int32_t oom_score = 500;      // oom_score_adj; the kernel kills agents before the server
  std::uint64_t open_files = 16384;  // RLIMIT_NOFILE, soft; never above what the machine allows
  std::uint64_t processes = 0;       // RLIMIT_NPROC; counts all processes of the same user, no limit for root
  std::uint64_t address_space_bytes = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t cpu_seconds = 0;
};

/// The command of a run. It travels in `start` frames and never touches argv or the disk: environment values and stdin
/// may be secret.
struct StartMessage {
  std::string_view run_id;
  std::vector<std::string_view> argv;
  std::string_view cwd;                      // absolute
  std::vector<std::string_view> environment;  // NAME=value, all there is
  std::uint64_t timeout_ms = 0;              // 0: none
  std::uint64_t grace_ms = 0;                // between SIGTERM and the sweep after a timeout
  std::uint64_t drain_ms = 1000;             // how long pipes may stay open after the agent's exit before the sweep
  std::uint64_t backlog_bytes = 0;           // output nobody has acknowledged, before the agent has to wait; 0: no bound
  ProcessLimits limits;
  std::string_view stdin_text;
  std::string_view callbacks;  // a CallbackSetup; empty: the agent finds no bridge
};

inline constexpr std::size_t start_message_limit = 64 * 1024 * 1024;

/// Encoded as one message. It begins with its own total length, so that a reader can make room once.
inline std::string encode(const StartMessage& message) {
  std::string out;
  std::size_t expected = message.stdin_text.size() + message.cwd.size() + 256;
  for (const auto& word : message.argv) expected += word.size() + 4;
  for (const auto& entry : message.environment) expected += entry.size() + 4;
  out.reserve(expected);
  ByteWriter writer(out);
  writer.number(std::uint64_t{0}).text(message.run_id);
  writer.number(static_cast<std::uint32_t>(message.argv.size()));
  for (const auto& word : message.argv) writer.text(word);
  writer.text(message.cwd);
  writer.number(static_cast<std::uint32_t>(message.environment.size()));
  for (const auto& entry : message.environment) writer.text(entry);
  writer.number(message.timeout_ms).number(message.grace_ms).number(message.drain_ms).number(message.backlog_bytes);
  const ProcessLimits& limits = message.limits;
  writer.number(limits.nice).number(limits.oom_score).number(limits.open_files).number(limits.processes);
  writer.number(limits.address_space_bytes).number(limits.file_bytes).number(limits.cpu_seconds);
  writer.text(message.stdin_text);
  if (!message.callbacks.empty()) writer.text(message.callbacks);  // since version 2
  std::string total;
  ByteWriter(total).number(static_cast<std::uint64_t>(out.size()));
  out.replace(0, total.size(), total);
  return out;
}

/// Points into `bytes`. Nullopt if they are no whole start message.
inline std::optional<StartMessage> decode_start(std::string_view bytes) {
  ByteReader reader(bytes);
  StartMessage message;
  if (reader.number<std::uint64_t>() != bytes.size()) return std::nullopt;
  message.run_id = reader.text();
  for (auto count = reader.number<std::uint32_t>(); reader.ok() && count > 0; --count) message.argv.push_back(reader.text());
  message.cwd = reader.text();
  for (auto count = reader.number<std::uint32_t>(); reader.ok() && count > 0; --count)
    message.environment.push_back(reader.text());
  message.timeout_ms = reader.number<std::uint64_t>();
  message.grace_ms = reader.number<std::uint64_t>();
  message.drain_ms = reader.number<std::uint64_t>();
  message.backlog_bytes = reader.number<std::uint64_t>();
  ProcessLimits& limits = message.limits;
  limits.nice = reader.number<std::int32_t>();
  limits.oom_score = reader.number<std::int32_t>();
  limits.open_files = reader.number<std::uint64_t>();
  limits.processes = reader.number<std::uint64_t>();
  limits.address_space_bytes = reader.number<std::uint64_t>();
  limits.file_bytes = reader.number<std::uint64_t>();
  limits.cpu_seconds = reader.number<std::uint64_t>();
  message.stdin_text = reader.text();
  if (!reader.rest().empty()) message.callbacks = reader.text();
  if (!reader.ok() || !reader.rest().empty() || message.argv.empty()) return std::nullopt;
  return message;
}

}  // namespace paperclip::runner
