#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/frames.h"

/// The agent's calls to the control plane, on their way between the listener in the place and the server
/// (spec/callback-bridge.md 11).
///
///     agent ──HTTP──> runner ── callback_request ──> server
///                       <── callback_answer ─────────┘   then callback_release: the server may forget the answer
///
/// A request has an id, counted from 1 within the run and never used twice. Whoever lost the connection asks before it
/// says anything again: after the next `callback_open` of the same incarnation the runner sends `callback_ask` for what
/// may have arrived, and gets the answer or `callback_unknown`. Another incarnation knows nothing of it: reads are sent
/// again, a write is not, because it may have been done.
///
/// Where only one-shot commands exist, whoever carries the frames marks the open as a courier's: each of its connections
/// that attaches takes what there is to say, may lose the end of it, and anything may be said to any of them.
namespace paperclip::runner {

/// What of an unfinished message may be on its way, per stream and direction: any message with the usual limits, which a
/// courier can carry at once.
inline constexpr std::size_t callback_window_bytes = 384 * 1024;
/// What a message needs besides its body.
inline constexpr std::size_t callback_head_limit = 64 * 1024;

struct HeaderField {
  std::string name;  // lower case
  std::string value;
  bool operator==(const HeaderField&) const = default;
};

struct CallbackRequest {
  std::uint64_t id = 0;
  std::uint32_t remaining_ms = 0;  // how much longer the agent's client is kept waiting
  std::string method;
  std::string path;   // as it stood in the request line
  std::string query;  // without its question mark
  std::vector<HeaderField> headers;
  std::string body;
};

struct CallbackAnswer {
  std::uint64_t id = 0;
  std::uint16_t status = 0;
  std::vector<HeaderField> headers;
  std::string body;
};

/// What the listener in the place is to be: part of the start message.
struct CallbackSetup {
  std::string_view token;  // the agent's bearer token
  std::uint16_t port = 0;  // 0: any that is free
  std::uint16_t concurrency = 8;      // requests at the server at once
  std::uint16_t queue_depth = 64;     // requests without answer, before further ones get 503
  std::uint32_t max_body_bytes = 256 * 1024;
  std::uint32_t response_timeout_ms = 30'000;
  std::uint32_t drain_ms = 2'000;     // for requests without answer when the agent has ended
};

namespace detail {
inline void write_fields(ByteWriter& writer, const std::vector<HeaderField>& fields) {
  writer.number(static_cast<std::uint16_t>(fields.size()));
  for (const auto& field : fields) writer.text(field.name).text(field.value);
}
inline std::vector<HeaderField> read_fields(ByteReader& reader) {
  std::vector<HeaderField> fields;
  for (auto count = reader.number<std::uint16_t>(); reader.ok() && count > 0; --count) {
    HeaderField field;
    field.name = reader.text();
    field.value = reader.text();
    fields.push_back(std::move(field));
  }
  return fields;
}
}  // namespace detail

inline std::string encode(const CallbackRequest& request) {
  std::string out;
  ByteWriter writer(out);
  writer.number(request.id).number(request.remaining_ms).text(request.method).text(request.path).text(request.query);
  detail::write_fields(writer, request.headers);
  writer.text(request.body);
  return out;
}

inline std::optional<CallbackRequest> decode_callback_request(std::string_view bytes) {
  ByteReader reader(bytes);
  CallbackRequest request;
  request.id = reader.number<std::uint64_t>();
  request.remaining_ms = reader.number<std::uint32_t>();
  request.method = reader.text();
  request.path = reader.text();
  request.query = reader.text();
  request.headers = detail::read_fields(reader);
  request.body = reader.text();
  if (!reader.ok() || !reader.rest().empty()) return std::nullopt;
  return request;
}

inline std::string encode(const CallbackAnswer& answer) {
  std::string out;
  ByteWriter writer(out);
  writer.number(answer.id).number(answer.status);
  detail::write_fields(writer, answer.headers);
  writer.text(answer.body);
  return out;
}

inline std::optional<CallbackAnswer> decode_callback_answer(std::string_view bytes) {
  ByteReader reader(bytes);
  CallbackAnswer answer;
  answer.id = reader.number<std::uint64_t>();
  answer.status = reader.number<std::uint16_t>();
  answer.headers = detail::read_fields(reader);
  answer.body = reader.text();
  if (!reader.ok() || !reader.rest().empty()) return std::nullopt;
  return answer;
}

inline std::string encode(const CallbackSetup& setup) {
  std::string out;
  ByteWriter(out)
      .text(setup.token)
      .number(setup.port)
      .number(setup.concurrency)
      .number(setup.queue_depth)
      .number(setup.max_body_bytes)
      .number(setup.response_timeout_ms)
      .number(setup.drain_ms);
  return out;
}

/// Points into `bytes`.
inline std::optional<CallbackSetup> decode_callback_setup(std::string_view bytes) {
  ByteReader reader(bytes);
  CallbackSetup setup;
  setup.token = reader.text();
  setup.port = reader.number<std::uint16_t>();
  setup.concurrency = reader.number<std::uint16_t>();
  setup.queue_depth = reader.number<std::uint16_t>();
  setup.max_body_bytes = reader.number<std::uint32_t>();
  setup.response_timeout_ms = reader.number<std::uint32_t>();
  setup.drain_ms = reader.number<std::uint32_t>();
  if (!reader.ok() || setup.token.empty() || setup.concurrency == 0) return std::nullopt;
  return setup;
}

inline std::uint16_t callback_stream(std::uint64_t id) { return static_cast<std::uint16_t>(id % 0xffff + 1); }

enum class CallbackCarrier : std::uint8_t { stream = 0, courier = 1 };

inline void append_callback_open(std::string& out, std::uint64_t incarnation, CallbackCarrier carrier = CallbackCarrier::stream) {
  std::string payload;
  ByteWriter(payload).number(incarnation).number(static_cast<std::uint8_t>(carrier));
  append_frame(out, FrameType::callback_open, payload);
}

inline void append_callback_number(std::string& out, FrameType type, std::uint64_t number) {
  std::string payload;
  ByteWriter(payload).number(number);
  append_frame(out, type, payload);
}

/// The messages of many streams over one connection, for either side: those that go out share it frame by frame, each
/// within its own credit; those that come in are put together.
class CallbackStreams {
 public:
  /// A message that comes in may be so long.
  explicit CallbackStreams(std::size_t message_limit) : limit_(message_limit) {}

  /// The connection is another one: what was under way is void.
  void reset() {
    going_.clear();
    coming_.clear();
  }

  void queue(FrameType type, std::uint16_t stream, std::string message) {
    going_.push_back({type, stream, std::move(message), 0, callback_window_bytes});
  }

  /// A message that goes out there is not to go on.
  void cancel(std::uint16_t stream) {
    std::erase_if(going_, [&](const Going& message) { return message.stream == stream; });
  }

  enum class Order { in_turn, one_after_another };
  /// Appends what credit allows, a frame of each stream in turn. `finished(stream)` after the last frame of a message.
  template <class Finished>
  void write(std::string& out, const Finished& finished, Order order = Order::in_turn) {
    for (bool progress = true; progress;) {
      progress = false;
      for (auto& message : going_) {
        const std::string_view left = std::string_view(message.bytes).substr(message.sent);
        const std::string_view piece = left.substr(0, frame_payload_limit);
        if (message.done || piece.size() > message.credit) continue;
        message.done = piece.size() == left.size();
        const auto flags = static_cast<std::uint8_t>((message.done ? 0 : frame_continues) | (message.sent == 0 ? frame_begins : 0));
        message.credit -= piece.size();
        message.sent += piece.size();
        append_frame_header(out, message.type, piece.size(), flags, message.stream);
        out.append(piece);
        progress = true;
        if (message.done) finished(message.stream);
        if (order == Order::one_after_another && !message.done) break;
      }
      std::erase_if(going_, [](const Going& message) { return message.done; });
    }
  }

  bool writing() const { return !going_.empty(); }

  /// A `callback_credit` frame.
  void take_credit(const Frame& frame) {
    const auto bytes = ByteReader(frame.payload).number<std::uint32_t>();
    for (auto& message : going_)
      if (message.stream == frame.stream)
        message.credit = std::min<std::size_t>(message.credit + bytes, callback_window_bytes);
  }

  enum class Taken { more, whole, broken };
  /// A frame of a message. `whole`: `message` holds all of it. While more is to come, credit is given back in `out`.
  Taken take(const Frame& frame, std::string& message, std::string& out) {
    if (frame.flags & frame_begins) coming_.erase(frame.stream);  // what was before it went lost on the way
    const auto found = coming_.find(frame.stream);
    if (found == coming_.end() && !(frame.flags & frame_begins)) return Taken::more;
    const std::size_t known = found == coming_.end() ? 0 : found->second.size();
    if (known + frame.payload.size() > limit_) return Taken::broken;
    if (found == coming_.end() && coming_.size() >= stream_limit) return Taken::broken;
    std::string& bytes = found == coming_.end() ? coming_[frame.stream] : found->second;
    bytes.append(frame.payload);
    if (frame.flags & frame_continues) {
      std::string payload;
      ByteWriter(payload).number(static_cast<std::uint32_t>(frame.payload.size()));
      append_frame_header(out, FrameType::callback_credit, payload.size(), 0, frame.stream);
      out.append(payload);
      return Taken::more;
    }
    message = std::move(bytes);
    coming_.erase(frame.stream);
    return Taken::whole;
  }

 private:
  static constexpr std::size_t stream_limit = 256;
  struct Going {
    FrameType type;
    std::uint16_t stream;
    std::string bytes;
    std::size_t sent;
    std::size_t credit;
    bool done = false;
  };

  std::size_t limit_;
  std::vector<Going> going_;
  std::map<std::uint16_t, std::string> coming_;
};

}  // namespace paperclip::runner
