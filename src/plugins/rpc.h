#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

/// The envelope between host and worker: JSON-RPC 2.0, one object a line (spec/plugins.md 6.3, 7).
namespace paperclip::plugins {

namespace rpc_code {
inline constexpr int method_not_found = -32601;
inline constexpr int internal_error = -32603;
inline constexpr int worker_unavailable = -32000;
inline constexpr int capability_denied = -32001;
inline constexpr int worker_error = -32002;
inline constexpr int timeout = -32003;
inline constexpr int not_implemented = -32004;
}  // namespace rpc_code

struct RpcFailure {
  int code = rpc_code::internal_error;
  std::string message;
  json::value data = nullptr;
};

/// What a call came to: a result or a failure.
struct RpcAnswer {
  json::value result = nullptr;
  std::optional<RpcFailure> failure;

  bool ok() const { return !failure; }
  static RpcAnswer of(json::value result) { return {std::move(result), std::nullopt}; }
  static RpcAnswer failed(int code, std::string message) { return {nullptr, RpcFailure{code, std::move(message), nullptr}}; }
};

/// Frames with their line end; U+2028 and U+2029 escaped.
std::string request_frame(std::int64_t id, std::string_view method, const json::value& params);
std::string notification_frame(std::string_view method, const json::value& params);
/// `id` as the other side sent it.
std::string answer_frame(const json::value& id, const RpcAnswer& answer);

/// One line from the other side, told apart (spec/plugins.md 7).
struct RpcMessage {
  enum class Kind { response, request, notification, unknown } kind = Kind::unknown;
  json::value id = nullptr;
  std::string method;
  json::value params = nullptr;
  RpcAnswer answer;  // of a response
};
/// nullopt for what is no JSON-RPC 2.0 object: noise, to be logged and dropped.
std::optional<RpcMessage> parse_message(std::string_view line);

/// Cuts a byte stream at line feeds. A line beyond the limit is dropped as a whole, and counted.
class LineCutter {
 public:
  explicit LineCutter(std::size_t max_line) : max_line_(max_line) {}
  /// `on_line` gets each whole line without its end.
  void append(std::string_view bytes, const std::function<void(std::string_view)>& on_line);
  /// What came after the last line feed, at the end of the stream.
  std::string rest() { return std::move(buffer_); }
  std::size_t dropped() const { return dropped_; }

 private:
  std::size_t max_line_;
  std::string buffer_;
  bool dropping_ = false;
  std::size_t dropped_ = 0;
};

}  // namespace paperclip::plugins
