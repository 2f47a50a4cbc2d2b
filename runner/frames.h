#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runner/bytes.h"

/// What a server and a runner say to each other, over any reliable byte stream: a socket pair inherited at the start,
/// control.sock later, an SSH channel or a sandbox's stream elsewhere. Nothing here assumes who dialled.
///
/// A frame, all numbers little-endian:
///
///     0  u32 length    of the payload, at most frame_payload_limit
///     4  u8  type      FrameType; its upper three bits are its FrameClass, lower goes first
///     5  u8  flags     frame_continues
///     6  u16 stream    0 for this run; which callback or transfer in the later classes
///     8  payload
///
/// A frame of an unknown type is skipped, so that a newer peer may say more than an older one understands.
namespace paperclip::runner {

/// What this code speaks. Both sides open with `hello`; the lower version counts, and each side understands the one before
/// its own, so that a server takes over runs that were started by the release before it, or after it.
///
///     1  start, attach, output, stop, exit
///     2  frames of the classes callbacks and bulk reach the parts (part.h, src/environments/frame_handler.h); a start may ask for callbacks
///
/// Tests build runners that claim other versions (runner/CMakeLists.txt).
#ifndef PAPERCLIP_RUNNER_PROTOCOL
#define PAPERCLIP_RUNNER_PROTOCOL 2
#endif
inline constexpr std::uint16_t protocol_version = PAPERCLIP_RUNNER_PROTOCOL;
inline constexpr std::uint16_t oldest_protocol_version = protocol_version > 1 ? protocol_version - 1 : 1;

inline constexpr std::size_t frame_header_bytes = 8;
inline constexpr std::size_t frame_payload_limit = 16 * 1024;
/// What bulk streams together may have under way beyond what was acknowledged to them.
inline constexpr std::size_t bulk_in_flight_limit = 256 * 1024;
/// The message goes on in the next frame of the same type and stream.
inline constexpr std::uint8_t frame_continues = 1;
/// Callbacks only: a message begins here, whatever of an earlier one on that stream has come.
inline constexpr std::uint8_t frame_begins = 2;

enum class FrameType : std::uint8_t {
  // 0x00–0x1f control
  hello = 0x01,        // both: u16 version, u16 oldest version
  start = 0x02,        // → runner: a StartMessage, usually in several frames
  attach = 0x03,       // → runner: u64 offset in output.log, u32 window: output from there, then live
  acknowledge = 0x04,  // → runner: u64 offset; output up to offset + window may be sent
  stop = 0x05,         // → runner: u32 grace in ms, u8 StopReason: SIGTERM to the group, after the grace the sweep
  signal = 0x06,       // → runner: u32 signal number, to the agent's group
  status = 0x07,       // → runner: nothing; answered by `started` or, before the start, by `error`
  started = 0x08,      // → server: Started; also right after `attach`, when the agent already runs
  exited = 0x09,       // → server: the text of exit.json, after the last output frame
  error = 0x0a,        // → server: text
  // 0x20–0x3f callbacks of the agent: callbacks.h says how they go together; `stream` is the callback's
  callback_open = 0x20,     // → runner: u64 incarnation of the server, u8 CallbackCarrier: it answers callbacks from now on
  callback_request = 0x21,  // → server: a CallbackRequest, in several frames as credit allows
  callback_answer = 0x22,   // → runner: a CallbackAnswer, likewise
  callback_credit = 0x23,   // both: u32 bytes that the receiver of an unfinished message took off
  callback_release = 0x24,  // → server: u64 id: its answer is here, or nobody waits for it any more
  callback_ask = 0x25,      // → server: u64 id, sent over a connection that was lost: what became of it?
  callback_unknown = 0x26,  // → runner: u64 id: it never arrived whole in this incarnation
  // 0x40–0x5f output
  output = 0x40,  // → server: u64 offset in output.log, then whole records as they stand there
  // 0x60–0x7f bulk (workspace sync)
};

/// Lower goes first.
enum class FrameClass : std::uint8_t { control = 0, callbacks = 1, output = 2, bulk = 3 };
inline constexpr std::size_t frame_classes = 4;
inline constexpr FrameClass class_of(FrameType type) { return static_cast<FrameClass>((static_cast<std::uint8_t>(type) >> 5) & 3); }

enum class StopReason : std::uint8_t {
  cancelled = 0,  // exit.json says cancelled
  finished = 1,   // the agent has said its last word and only lingers: not a cancellation
};

/// Who runs, in pids of the machine (not of a namespace).
struct Started {
  std::int32_t agent_pid = 0;
  std::int32_t agent_group = 0;
  std::int32_t runner_pid = 0;
  std::int32_t guardian_pid = 0;
  std::int64_t started_ms = 0;  // since 1970
};

inline void append_frame_header(std::string& out, FrameType type, std::size_t length, std::uint8_t flags = 0,
                                std::uint16_t stream = 0) {
  ByteWriter(out).number(static_cast<std::uint32_t>(length)).number(static_cast<std::uint8_t>(type)).number(flags).number(stream);
}

inline void append_frame(std::string& out, FrameType type, std::string_view payload, std::uint8_t flags = 0,
                         std::uint16_t stream = 0) {
  append_frame_header(out, type, payload.size(), flags, stream);
  out.append(payload);
}

/// A message of any length, in as many frames as it takes.
inline void append_message(std::string& out, FrameType type, std::string_view payload, std::uint16_t stream = 0) {
  while (payload.size() > frame_payload_limit) {
    append_frame(out, type, payload.substr(0, frame_payload_limit), frame_continues, stream);
    payload.remove_prefix(frame_payload_limit);
  }
  append_frame(out, type, payload, 0, stream);
}

inline void append_hello(std::string& out) {
  std::string payload;
  ByteWriter(payload).number(protocol_version).number(oldest_protocol_version);
  append_frame(out, FrameType::hello, payload);
}

/// False if the peer's oldest version is newer than ours, or its newest older than we understand.
inline bool hello_fits(std::string_view payload) {
  ByteReader reader(payload);
  const auto newest = reader.number<std::uint16_t>();
  const auto oldest = reader.number<std::uint16_t>();
  return reader.ok() && oldest <= protocol_version && newest >= oldest_protocol_version;
}

inline void append_attach(std::string& out, std::uint64_t offset, std::uint32_t window) {
  std::string payload;
  ByteWriter(payload).number(offset).number(window);
  append_frame(out, FrameType::attach, payload);
}

inline void append_acknowledge(std::string& out, std::uint64_t offset) {
  std::string payload;
  ByteWriter(payload).number(offset);
  append_frame(out, FrameType::acknowledge, payload);
}

inline void append_stop(std::string& out, std::uint32_t grace_ms, StopReason reason) {
  std::string payload;
  ByteWriter(payload).number(grace_ms).number(static_cast<std::uint8_t>(reason));
  append_frame(out, FrameType::stop, payload);
}

inline void append_signal(std::string& out, std::uint32_t number) {
  std::string payload;
  ByteWriter(payload).number(number);
  append_frame(out, FrameType::signal, payload);
}

inline void append_started(std::string& out, const Started& started) {
  std::string payload;
  ByteWriter(payload)
      .number(started.agent_pid)
      .number(started.agent_group)
      .number(started.runner_pid)
      .number(started.guardian_pid)
      .number(started.started_ms);
  append_frame(out, FrameType::started, payload);
}

inline std::optional<Started> read_started(std::string_view payload) {
  ByteReader reader(payload);
  Started started;
  started.agent_pid = reader.number<std::int32_t>();
  started.agent_group = reader.number<std::int32_t>();
  started.runner_pid = reader.number<std::int32_t>();
  started.guardian_pid = reader.number<std::int32_t>();
  started.started_ms = reader.number<std::int64_t>();
  if (!reader.ok()) return std::nullopt;
  return started;
}

struct Frame {
  FrameType type{};
  std::uint8_t flags = 0;
  std::uint16_t stream = 0;
  std::string_view payload;
  std::size_t size() const { return frame_header_bytes + payload.size(); }
};

enum class FrameRead { complete, cut, broken };

/// The frame at the start of `bytes`. `cut`: read more first. `broken`: the peer does not speak this protocol.
inline FrameRead read_frame(std::string_view bytes, Frame& frame) {
  if (bytes.size() < frame_header_bytes) return FrameRead::cut;
  ByteReader reader(bytes);
  const auto length = reader.number<std::uint32_t>();
  if (length > frame_payload_limit) return FrameRead::broken;
  if (bytes.size() < frame_header_bytes + length) return FrameRead::cut;
  frame.type = static_cast<FrameType>(reader.number<std::uint8_t>());
  frame.flags = reader.number<std::uint8_t>();
  frame.stream = reader.number<std::uint16_t>();
  frame.payload = bytes.substr(frame_header_bytes, length);
  return FrameRead::complete;
}

}  // namespace paperclip::runner
