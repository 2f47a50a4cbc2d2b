#pragma once

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "paperclip/sdk/base64.h"
#include "paperclip/sdk/connection.h"

namespace paperclip::sdk {

enum class OutputStream { stdout_stream, stderr_stream };

/// The host's side of one `environmentExecute`: where output goes while the command runs, and what the host has to say to
/// it meanwhile. For a one-shot execute it is silent, and output is kept for the result.
class Execution {
 public:
  /// `id` empty: one-shot.
  Execution(Connection& connection, std::string id, bool streams, bool opens_input)
      : connection_(connection), id_(std::move(id)), streams_(streams), opens_input_(opens_input),
        bell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  Execution(const Execution&) = delete;
  ~Execution() {
    if (bell_ >= 0) ::close(bell_);
  }

  /// The host goes on writing stdin while the command runs.
  bool opens_input() const { return opens_input_; }

  /// Passes output on, or keeps it for the result. In order per stream.
  void output(OutputStream stream, std::string_view bytes) {
    std::string& kept = stream == OutputStream::stdout_stream ? stdout_ : stderr_;
    if (!streams_) {
      kept.append(bytes);
      return;
    }
    constexpr std::size_t piece = 1024 * 1024;
    for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size())))
      connection_.notify("environment.output", {{"executionId", id_},
                                                {"stream", stream == OutputStream::stdout_stream ? "stdout" : "stderr"},
                                                {"data", to_base64(bytes.substr(0, piece))}});
  }
  /// What was kept.
  std::string take_stdout() { return std::exchange(stdout_, {}); }
  std::string take_stderr() { return std::exchange(stderr_, {}); }

  /// Readable when `take_input` or `take_signals` has something: for poll.
  int bell() const { return bell_; }
  /// The bytes of stdin that have come; answers the host, who sends more. Call it when the earlier ones were used up.
  std::string take_input() {
    const std::lock_guard lock(mutex_);
    std::string input = std::exchange(input_, {});
    silence();
    changed_.notify_all();
    return input;
  }
  /// The host has ended stdin, and all of it was taken.
  bool input_ended() const {
    const std::lock_guard lock(mutex_);
    return input_end_ && input_.empty();
  }
  /// Signals that the host wants sent to the command's tree, in order.
  std::vector<int> take_signals() {
    const std::lock_guard lock(mutex_);
    std::vector<int> signals = std::exchange(signals_, {});
    silence();
    return signals;
  }

  // What follows is called by the Worker.

  /// The number of a write, taken in the order of arrival.
  std::uint64_t next_turn() {
    const std::lock_guard lock(mutex_);
    return turns_given_++;
  }
  /// Waits for its turn and until the bytes were taken, or the command has ended.
  void write_input(std::uint64_t turn, std::string_view bytes, bool end) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_ || (turn_ == turn && input_.empty()); });
    if (ended_) return;
    input_ = bytes;
    input_end_ = input_end_ || end;
    ring();
    changed_.wait(lock, [&] { return ended_ || input_.empty(); });
    ++turn_;
    changed_.notify_all();
  }
  void send_signal(int number) {
    const std::lock_guard lock(mutex_);
    signals_.push_back(number);
    ring();
  }
  void end() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

 private:
  void ring() {
    const std::uint64_t one = 1;
    (void)!::write(bell_, &one, sizeof one);
  }
  void silence() {
    if (!signals_.empty() || !input_.empty()) return;  // the other one has still to be taken
    std::uint64_t rung = 0;
    (void)!::read(bell_, &rung, sizeof rung);
  }

  Connection& connection_;
  const std::string id_;
  const bool streams_, opens_input_;
  const int bell_;
  std::string stdout_, stderr_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string input_;
  bool input_end_ = false;
  std::vector<int> signals_;
  std::uint64_t turns_given_ = 0, turn_ = 0;
  bool ended_ = false;
};

/// All executions that run, by the host's id.
class Executions {
 public:
  std::shared_ptr<Execution> begin(Connection& connection, const json::object& params) {
    const std::string id = text_at(params, "executionId").value_or("");
    auto execution = std::make_shared<Execution>(connection, id, !id.empty() && is_true(params, "streamOutput"),
                                                 !id.empty() && is_true(params, "openStdin"));
    const std::lock_guard lock(mutex_);
    const std::string key = id.empty() ? " one-shot " + std::to_string(++unnamed_) : id;
    if (!running_.emplace(key, execution).second) throw Error("executionId \"" + id + "\" is in use");
    return execution;
  }
  void end(const std::shared_ptr<Execution>& execution) {
    execution->end();
    const std::lock_guard lock(mutex_);
    std::erase_if(running_, [&](const auto& item) { return item.second == execution; });
  }
  /// Null if it has ended.
  std::shared_ptr<Execution> find(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = running_.find(id);
    return found == running_.end() ? nullptr : found->second;
  }
  void signal_all(int number) {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, execution] : running_) execution->send_signal(number);
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Execution>> running_;
  std::uint64_t unnamed_ = 0;
};

}  // namespace paperclip::sdk
