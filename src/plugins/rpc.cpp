#include "plugins/rpc.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>

#include "base/text.h"

namespace paperclip::plugins {

namespace {

std::string frame(const json::object& message) {
  std::string text = json::serialize(message);
  // Some line readers take these for line ends.
  if (text.find("\xE2\x80\xA8") != std::string::npos) text = replace_all(std::move(text), "\xE2\x80\xA8", "\\u2028");
  if (text.find("\xE2\x80\xA9") != std::string::npos) text = replace_all(std::move(text), "\xE2\x80\xA9", "\\u2029");
  text += '\n';
  return text;
}

RpcFailure failure_of(const json::value& error) {
  RpcFailure failure{-32099, "Unknown error", nullptr};
  if (const auto* code = member(error, "code")) {
    if (code->is_int64()) failure.code = static_cast<int>(code->get_int64());
    else if (code->is_double() && std::isfinite(code->get_double())) failure.code = static_cast<int>(code->get_double());
  }
  if (auto message = string_at(error, "message")) failure.message = *std::move(message);
  else if (error.is_string()) failure.message = std::string(error.get_string());
  if (const auto* data = member(error, "data")) failure.data = *data;
  return failure;
}

}  // namespace

std::string request_frame(std::int64_t id, std::string_view method, const json::value& params) {
  return frame({{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}});
}

std::string notification_frame(std::string_view method, const json::value& params) {
  return frame({{"jsonrpc", "2.0"}, {"method", method}, {"params", params}});
}

std::string answer_frame(const json::value& id, const RpcAnswer& answer) {
  json::object message{{"jsonrpc", "2.0"}, {"id", id}};
  if (answer.ok()) {
    message["result"] = answer.result;
  } else {
    json::object error{{"code", answer.failure->code}, {"message", answer.failure->message}};
    if (!answer.failure->data.is_null()) error["data"] = answer.failure->data;
    message["error"] = std::move(error);
  }
  return frame(message);
}

std::optional<RpcMessage> parse_message(std::string_view line) {
  json::parse_options options;
  options.max_depth = 512;
  json::error_code error;
  json::value value = json::parse(line, error, {}, options);
  if (error || !value.is_object() || string_at(value, "jsonrpc") != "2.0") return std::nullopt;
  auto& object = value.get_object();
  RpcMessage message;
  const json::value* id = object.if_contains("id");
  if (id != nullptr) message.id = *id;
  json::value* result = object.if_contains("result");
  json::value* failure = object.if_contains("error");
  if (id != nullptr && (result != nullptr || failure != nullptr)) {
    message.kind = RpcMessage::Kind::response;
    if (failure != nullptr && !failure->is_null()) message.answer.failure = failure_of(*failure);
    else if (result != nullptr) message.answer.result = std::move(*result);
    return message;
  }
  if (auto method = string_at(value, "method")) {
    message.method = *std::move(method);
    if (json::value* params = object.if_contains("params")) message.params = std::move(*params);
    if (message.params.is_null()) message.params = json::object();
    if (id == nullptr) message.kind = RpcMessage::Kind::notification;
    else if (!id->is_null()) message.kind = RpcMessage::Kind::request;
  }
  return message;
}

void LineCutter::append(std::string_view bytes, const std::function<void(std::string_view)>& on_line) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (!dropping_ && buffer_.size() + piece.size() > max_line_) {
      dropping_ = true;
      buffer_ = std::string();
      ++dropped_;
    }
    if (end == std::string_view::npos) {
      if (!dropping_) buffer_.append(piece);
      return;
    }
    if (dropping_) {
      dropping_ = false;
    } else if (buffer_.empty()) {
      on_line(piece);
    } else {
      buffer_.append(piece);
      // Taken out first: what one big line needed is not kept for ever.
      const std::string line = std::move(buffer_);
      buffer_ = std::string();
      on_line(line);
    }
    bytes.remove_prefix(end + 1);
  }
}

}  // namespace paperclip::plugins
