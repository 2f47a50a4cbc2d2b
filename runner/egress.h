#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "runner/frames.h"

/// The ways out of a sandbox that has no network of its own. The runner serves an HTTP proxy on loopback; each connection
/// to it becomes a tunnel, `stream` in the frame's header, whose far end the server opens if the run's allow-list names it.
///
///     agent ──CONNECT host:443──> runner ──egress_open──> server ──connect──> host
///                                  egress_data, egress_credit in both directions
///
/// Each side may have `egress_window` bytes of a tunnel under way that the other has not given credit for. A tunnel ends
/// when both sides said `egress_end`, or either `egress_reset`. All are lost with the connection. The names are decided
/// on by the server alone: what a runner says comes from a place that may be hostile.
namespace paperclip::runner {

namespace egress_frame {
inline constexpr FrameType serve{0x30};   // → runner: this connection opens tunnels from now on
inline constexpr FrameType open{0x31};    // → server: u16 port, text host
inline constexpr FrameType answer{0x32};  // → runner: u16 HTTP status, 200 if the tunnel is open; text for people
inline constexpr FrameType data{0x33};    // both: bytes
inline constexpr FrameType credit{0x34};  // both: u32 bytes that were passed on
inline constexpr FrameType end{0x35};     // both: nothing more comes from this side
inline constexpr FrameType reset{0x36};   // both: the tunnel is gone
}  // namespace egress_frame

inline constexpr bool is_egress(FrameType type) {
  return static_cast<std::uint8_t>(type) >= 0x30 && static_cast<std::uint8_t>(type) <= 0x3f;
}

inline constexpr std::uint32_t egress_window = 128 * 1024;
inline constexpr std::size_t egress_tunnels_limit = 128;

/// A command whose environment has this variable with this value finds HTTPS_PROXY and HTTP_PROXY set to the runner's
/// proxy. In the environment, so that the agent can see what its network is, and no message changes.
inline constexpr std::string_view egress_variable = "PAPERCLIP_EGRESS";
inline constexpr std::string_view egress_by_proxy = "allow-list";

struct EgressTarget {
  std::string host;  // as it was asked for, without brackets
  std::uint16_t port = 0;
};

inline void append_egress_open(std::string& out, std::uint16_t stream, const EgressTarget& target) {
  std::string payload;
  ByteWriter(payload).number(target.port).text(target.host);
  append_frame(out, egress_frame::open, payload, 0, stream);
}
inline void append_egress_answer(std::string& out, std::uint16_t stream, std::uint16_t status, std::string_view text) {
  std::string payload;
  ByteWriter(payload).number(status).text(text);
  append_frame(out, egress_frame::answer, payload, 0, stream);
}
inline void append_egress_credit(std::string& out, std::uint16_t stream, std::uint32_t bytes) {
  std::string payload;
  ByteWriter(payload).number(bytes);
  append_frame(out, egress_frame::credit, payload, 0, stream);
}
/// At most frame_payload_limit bytes.
inline void append_egress_data(std::string& out, std::uint16_t stream, std::string_view bytes) {
  append_frame(out, egress_frame::data, bytes, 0, stream);
}
inline void append_egress_mark(std::string& out, FrameType type, std::uint16_t stream) { append_frame(out, type, {}, 0, stream); }

}  // namespace paperclip::runner
