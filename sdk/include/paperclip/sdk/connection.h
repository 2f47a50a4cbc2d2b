#pragma once

#include <errno.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "paperclip/sdk/json.h"

namespace paperclip::sdk {

/// The stream to the host: one JSON object per line in both directions (spec/plugins.md 6.3, 7). `read_line` is for one
/// thread, everything else for any.
class Connection {
 public:
  Connection(int in, int out) : in_(in), out_(out) {}
  Connection(const Connection&) = delete;

  /// The next line without its end; nullopt once the host has gone or a line is longer than 256 MiB.
  std::optional<std::string> read_line() {
    constexpr std::size_t longest = 256 * 1024 * 1024;
    for (;;) {
      if (const auto end = buffer_.find('\n', searched_); end != std::string::npos) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        searched_ = 0;
        return line;
      }
      searched_ = buffer_.size();
      if (searched_ > longest) return std::nullopt;
      char piece[64 * 1024];
      const ssize_t got = ::read(in_, piece, sizeof piece);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return std::nullopt;
      buffer_.append(piece, static_cast<std::size_t>(got));
    }
  }

  /// Writes one frame. A host that has gone shows itself to the reader.
  void send(const json::object& message) {
    std::string line = json::serialize(message);
    line += '\n';
    const std::lock_guard lock(writing_);
    for (std::size_t done = 0; done < line.size();) {
      const ssize_t put = ::write(out_, line.data() + done, line.size() - done);
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) return;
      done += static_cast<std::size_t>(put);
    }
  }
  void notify(std::string_view method, json::object params) {
    send({{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(params)}});
  }
  void respond(const json::value& id, json::value result) {
    send({{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}});
  }
  void respond_error(const json::value& id, ErrorCode code, std::string_view message) {
    send({{"jsonrpc", "2.0"}, {"id", id}, {"error", {{"code", static_cast<int>(code)}, {"message", message}}}});
  }

  /// Asks the host and waits for its answer. Throws the host's error, or a timeout.
  json::value call(std::string_view method, json::object params, std::chrono::milliseconds timeout = std::chrono::seconds(30)) {
    const auto answer = std::make_shared<Answer>();
    std::int64_t id = 0;
    {
      const std::lock_guard lock(answers_mutex_);
      if (closed_) throw Error("The host has gone", ErrorCode::worker_unavailable);
      id = ++last_id_;
      answers_.emplace(id, answer);
    }
    send({{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", std::move(params)}});
    std::unique_lock lock(answers_mutex_);
    const bool came = answered_.wait_for(lock, timeout, [&] { return answer->message || closed_; });
    answers_.erase(id);
    if (!came)
      throw Error("Worker→host call \"" + std::string(method) + "\" timed out after " + std::to_string(timeout.count()) + "ms",
                  ErrorCode::timeout);
    if (!answer->message) throw Error("The host has gone", ErrorCode::worker_unavailable);
    if (const json::value* error = member(*answer->message, "error"); error && error->is_object())
      throw Error(text_at(error->get_object(), "message").value_or("The host answered with an error"),
                  static_cast<ErrorCode>(integer_at(error->get_object(), "code").value_or(-32603)));
    const json::value* result = member(*answer->message, "result");
    return result ? *result : json::value();
  }

  /// Hands an answer to the call that waits for it; false if none does.
  bool take_answer(const json::object& message) {
    const auto id = integer_at(message, "id");
    const std::lock_guard lock(answers_mutex_);
    const auto found = id ? answers_.find(*id) : answers_.end();
    if (found == answers_.end()) return false;
    found->second->message = message;
    answered_.notify_all();
    return true;
  }
  /// Ends all calls that wait.
  void close() {
    const std::lock_guard lock(answers_mutex_);
    closed_ = true;
    answered_.notify_all();
  }

 private:
  struct Answer {
    std::optional<json::object> message;
  };

  const int in_, out_;
  std::string buffer_;
  std::size_t searched_ = 0;
  std::mutex writing_;
  std::mutex answers_mutex_;
  std::condition_variable answered_;
  std::map<std::int64_t, std::shared_ptr<Answer>> answers_;
  std::int64_t last_id_ = 0;
  bool closed_ = false;
};

}  // namespace paperclip::sdk
