#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runner/bytes.h"

/// What the provider's worker and the first process of a sandbox say to each other. The control connection is a
/// SOCK_SEQPACKET socket pair; its end is the sandbox's end. A start carries five descriptors: the request (a memfd, so
/// that environment values touch neither argv nor disk), stdin, stdout, stderr and a pipe for the status.
namespace paperclip::sandbox {

inline constexpr int control_descriptor = 3;
inline constexpr std::size_t descriptors_per_start = 5;

enum class ControlKind : std::uint8_t {
  ready = 1,      // → worker, once: nothing else
  start = 2,      // → sandbox: u64 number, with descriptors
  terminate = 3,  // → sandbox: u64 number: SIGTERM to the command's group
  kill = 4,       // → sandbox: u64 number: everything below the command ends
};

inline std::string encode_control(ControlKind kind, std::uint64_t number = 0) {
  std::string out;
  runner::ByteWriter(out).number(static_cast<std::uint8_t>(kind)).number(number);
  return out;
}

enum class RequestKind : std::uint8_t { command = 1, put_file = 2, get_file = 3 };

/// Zero: as it is outside.
struct CommandLimits {
  std::uint64_t processes = 0;
  std::uint64_t open_files = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t cpu_seconds = 0;
  std::uint64_t data_bytes = 0;
};

struct Request {
  RequestKind kind = RequestKind::command;
  // command
  std::string cwd;
  std::vector<std::string> argv;
  std::vector<std::string> environment;  // NAME=value
  CommandLimits limits;
  // put_file: bytes come on stdin; get_file: they go to stdout
  std::string path;
  std::uint32_t mode = 0644;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  bool end = false;
};

inline void append_texts(runner::ByteWriter& writer, const std::vector<std::string>& texts) {
  writer.number(static_cast<std::uint32_t>(texts.size()));
  for (const std::string& text : texts) writer.text(text);
}
inline std::vector<std::string> read_texts(runner::ByteReader& reader) {
  std::vector<std::string> texts;
  for (auto count = reader.number<std::uint32_t>(); reader.ok() && count > 0; --count) texts.emplace_back(reader.text());
  return texts;
}

inline std::string encode(const Request& request) {
  std::string out;
  runner::ByteWriter writer(out);
  writer.number(static_cast<std::uint8_t>(request.kind)).text(request.cwd);
  append_texts(writer, request.argv);
  append_texts(writer, request.environment);
  const CommandLimits& limits = request.limits;
  writer.number(limits.processes).number(limits.open_files).number(limits.file_bytes).number(limits.cpu_seconds).number(limits.data_bytes);
  writer.text(request.path).number(request.mode).number(request.offset).number(request.length);
  writer.number(static_cast<std::uint8_t>(request.end));
  return out;
}

/// False if the bytes are no request.
inline bool decode(std::string_view bytes, Request& request) {
  runner::ByteReader reader(bytes);
  request.kind = static_cast<RequestKind>(reader.number<std::uint8_t>());
  request.cwd = reader.text();
  request.argv = read_texts(reader);
  request.environment = read_texts(reader);
  CommandLimits& limits = request.limits;
  for (std::uint64_t* value : {&limits.processes, &limits.open_files, &limits.file_bytes, &limits.cpu_seconds, &limits.data_bytes})
    *value = reader.number<std::uint64_t>();
  request.path = reader.text();
  request.mode = reader.number<std::uint32_t>();
  request.offset = reader.number<std::uint64_t>();
  request.length = reader.number<std::uint64_t>();
  request.end = reader.number<std::uint8_t>() != 0;
  return reader.ok() && (request.kind != RequestKind::command || !request.argv.empty());
}

enum class StatusKind : std::uint8_t {
  exited = 1,     // value: exit code
  signalled = 2,  // value: signal
  failed = 3,     // could not be started, or the file could not be moved; text says why
  done = 4,       // of a file; value 1: its end was reached
};

struct Status {
  StatusKind kind{};
  std::uint32_t value = 0;
  std::string text;
};

inline std::string encode(const Status& status) {
  std::string out;
  runner::ByteWriter(out).number(static_cast<std::uint8_t>(status.kind)).number(status.value).text(status.text);
  return out;
}
inline bool decode(std::string_view bytes, Status& status) {
  runner::ByteReader reader(bytes);
  status.kind = static_cast<StatusKind>(reader.number<std::uint8_t>());
  status.value = reader.number<std::uint32_t>();
  status.text = reader.text();
  return reader.ok();
}

}  // namespace paperclip::sandbox
