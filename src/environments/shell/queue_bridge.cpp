#include "environments/shell/queue_bridge.h"

#include <algorithm>
#include <charconv>

#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "base/time.h"
#include "environments/bridge.h"
#include "environments/shell/script.h"
#include "runner/base64.h"

namespace paperclip::environments::shell {

using namespace std::chrono_literals;
using runner::CallbackStreams;
using runner::Frame;
using runner::FrameType;

namespace {

/// One command waits that long at most: the place rings every 10 s.
constexpr auto take_patience = 60s, put_patience = 30s;
constexpr auto longest_pause = 2000ms;
constexpr std::int64_t longest_wait_s = 30;
constexpr std::size_t most_open = 64, most_seen = 4096, batch_bytes = 32 * 1024;
constexpr int put_attempts = 5;

std::int64_t number_in(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string_view next_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

std::string record_of(const runner::CallbackAnswer& answer, std::string_view name) {
  json::object headers;
  for (const auto& field : answer.headers) headers[field.name] = field.value;
  json::object record;
  record["id"] = name.substr(0, name.rfind('.'));
  record["status"] = answer.status;
  record["headers"] = std::move(headers);
  record["body"] = answer.body;
  record["completedAt"] = to_iso(Clock::system().now());
  return to_string(json::value(std::move(record))) + "\n";
}

}  // namespace

/// What the handler says reaches the queue as long as there is one.
class QueueBridge::Link : public FrameLink {
 public:
  explicit Link(std::weak_ptr<QueueBridge> bridge) : bridge_(std::move(bridge)) {}
  void send(runner::FrameClass frame_class, std::string frames) override {
    if (frame_class != runner::FrameClass::callbacks) return;
    const auto bridge = bridge_.lock();
    if (!bridge) return;
    {
      const std::lock_guard lock(bridge->inbox_mutex_);
      bridge->inbox_ += frames;
    }
    bridge->ring();
  }

 private:
  std::weak_ptr<QueueBridge> bridge_;
};

QueueBridge::QueueBridge(std::shared_ptr<ShellAccess> access, std::string directory, std::shared_ptr<FrameHandler> handler, std::size_t max_body_bytes)
    : access_(std::move(access)), directory_(std::move(directory)), handler_(std::move(handler)), max_body_bytes_(max_body_bytes),
      taker_(Random::system().hex(8)), streams_(max_body_bytes + runner::callback_head_limit) {}

std::shared_ptr<QueueBridge> QueueBridge::start(std::shared_ptr<ShellAccess> access, std::string directory, std::shared_ptr<FrameHandler> handler,
                                                std::size_t max_body_bytes, Beginning beginning) {
  std::shared_ptr<QueueBridge> bridge(new QueueBridge(std::move(access), std::move(directory), std::move(handler), max_body_bytes));
  bridge->handler_->on_connected(std::make_shared<Link>(bridge));
  bridge->access_->run([bridge, beginning] { bridge->take(beginning); });
  bridge->access_->run([bridge] { bridge->talk(); });
  return bridge;
}

void QueueBridge::end() {
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    ended_ = true;
    handler_->on_disconnected();
  }
  changed_.notify_all();
  ring();
}

void QueueBridge::ring() {
  {
    const std::lock_guard lock(inbox_mutex_);
    has_mail_ = true;
  }
  mail_.notify_all();
}

bool QueueBridge::pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, time, [&] { return ended_; });
}

void QueueBridge::take(Beginning beginning) {
  bool again = beginning == Beginning::taken_over, doubtful = again;
  std::vector<std::string> arrived;
  std::chrono::milliseconds rest = 50ms;
  const std::string largest = std::to_string(6 * max_body_bytes_ + runner::callback_head_limit);  // JSON may need six bytes for one
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return ended_ || names_.size() + answers_.size() < most_open; });
      if (ended_) return;
    }
    const auto output = access_->script(script("take.sh", {{"d", directory_}, {"g", taker_}, {"m", largest}, {"again", again ? "1" : ""}}, arrived), {},
                                        ShellAccess::Shell::plain, Deadline::in(take_patience));
    if (!output || !output->ok()) {  // it may have taken some whose names we never heard
      again = true;
      if (!pause(rest)) return;
      rest = std::min<std::chrono::milliseconds>(rest * 2, longest_pause);
      continue;
    }
    rest = 50ms;
    arrived.clear();
    std::string_view text = output->stdout_text;
    const std::string_view first = next_line(text);
    if (first == "over" || first == "other") return;
    if (!first.starts_with("taken ")) continue;
    const std::int64_t now = number_in(first.substr(6));
    while (!text.empty()) {
      const std::string_view line = next_line(text), record = next_line(text);
      const std::size_t space = line.find(' ');
      if (space == std::string_view::npos) break;
      const std::string name(line.substr(space + 1));
      const std::string_view kind = line.substr(0, space);
      receive(name, kind, record, now, kind == "known" && doubtful);
      arrived.push_back(name);
    }
    again = doubtful = false;
  }
}

void QueueBridge::receive(const std::string& name, std::string_view kind, std::string_view record, std::int64_t now_s, bool doubtful) {
  const std::lock_guard lock(mutex_);
  if (ended_ || !seen_.insert(name).second) return;
  if (seen_.size() > most_seen) seen_.erase(seen_.begin());  // names grow: that is the oldest
  runner::CallbackRequest request;
  request.id = ++last_id_;
  names_.emplace(request.id, name);
  if (kind == "large") return answer(bridge_error(request.id, 502, "Bridge request body exceeded the configured size limit."));
  const auto parsed = parse_json(record);
  const json::object* fields = parsed && parsed->is_object() ? &parsed->get_object() : nullptr;
  const auto text = [&](std::string_view field, std::string otherwise) -> std::optional<std::string> {
    const auto* value = fields->if_contains(field);
    if (value == nullptr || value->is_null()) return otherwise;
    if (!value->is_string()) return std::nullopt;
    return std::string(value->get_string());
  };
  const auto malformed = [&] { answer(bridge_error(request.id, 400, "Invalid bridge request payload.")); };
  if (fields == nullptr) return malformed();
  const auto method = text("method", "GET"), path = text("path", ""), query = text("query", ""), body = text("body", "");
  if (!method || !path || !query || !body) return malformed();
  request.method = upper(trim(*method));
  request.path = *path;
  request.query = query->starts_with('?') ? query->substr(1) : *query;
  request.body = *body;
  if (const auto* headers = fields->if_contains("headers"); headers != nullptr && headers->is_object()) {
    for (const auto& [header, value] : headers->get_object()) {
      if (!value.is_string() || request.headers.size() >= 16) continue;
      runner::HeaderField field;
      field.name = lower(header);
      field.value = value.get_string();
      request.headers.push_back(std::move(field));
    }
  }
  std::int64_t left_s = longest_wait_s;
  if (const auto* deadline = fields->if_contains("deadline"); deadline != nullptr && deadline->is_int64())
    left_s = std::clamp<std::int64_t>(deadline->get_int64() - now_s, 0, longest_wait_s);
  if (left_s == 0) return answer(bridge_error(request.id, 502, "Timed out waiting for host bridge response."));
  request.remaining_ms = static_cast<std::uint32_t>(left_s * 1000);
  if (doubtful && request.method != "GET")
    return answer(bridge_error(request.id, 502, "The control plane restarted while this request was under way: it may or may not have been executed."));
  const std::string message = encode(request);
  if (message.size() > max_body_bytes_ + runner::callback_head_limit)
    return answer(bridge_error(request.id, 502, "Bridge request body exceeded the configured size limit."));
  streams_.queue(FrameType::callback_request, runner::callback_stream(request.id), message);
  exchange_frames();
}

/// With the mutex in hand.
void QueueBridge::answer(const runner::CallbackAnswer& said) {
  const auto found = names_.find(said.id);
  if (found == names_.end()) return;
  Answer answer{said.id, found->second, record_of(said, found->second)};
  names_.erase(found);
  answers_.push_back(std::move(answer));
  ring();
}

void QueueBridge::give(std::string_view frames) {
  Frame frame;
  while (runner::read_frame(frames, frame) == runner::FrameRead::complete) {
    handler_->on_frame(frame);
    frames.remove_prefix(frame.size());
  }
}

/// With the mutex in hand: what waits goes to the handler, and what it said is taken apart.
void QueueBridge::exchange_frames() {
  for (;;) {
    std::string out, said;
    streams_.write(out, [](std::uint16_t) {});
    give(out);
    {
      const std::lock_guard lock(inbox_mutex_);
      said.swap(inbox_);
    }
    if (said.empty()) return;
    std::string_view left = said;
    Frame frame;
    while (runner::read_frame(left, frame) == runner::FrameRead::complete) {
      left.remove_prefix(frame.size());
      if (frame.type == FrameType::callback_credit) streams_.take_credit(frame);
      if (frame.type != FrameType::callback_answer) continue;
      std::string message, credit;
      const auto taken = streams_.take(frame, message, credit);
      give(credit);
      if (taken != CallbackStreams::Taken::whole) continue;
      if (const auto decoded = runner::decode_callback_answer(message)) answer(*decoded);
    }
  }
}

void QueueBridge::talk() {
  for (;;) {
    {
      std::unique_lock lock(inbox_mutex_);
      mail_.wait(lock, [&] { return has_mail_; });
      has_mail_ = false;
    }
    while (talk_once()) {
    }
    const std::lock_guard lock(mutex_);
    if (ended_) return;
  }
}

/// Brings what there is, some at a time. False when there is nothing left to bring.
bool QueueBridge::talk_once() {
  std::vector<Answer> batch;
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return false;
    exchange_frames();
    std::size_t bytes = 0;
    while (!answers_.empty() && (batch.empty() || bytes + answers_.front().record.size() <= batch_bytes)) {
      bytes += answers_.front().record.size();
      batch.push_back(std::move(answers_.front()));
      answers_.erase(answers_.begin());
    }
  }
  if (batch.empty()) return false;
  auto rest = std::chrono::milliseconds(50);
  for (int attempt = 0; attempt < put_attempts && !put(batch); ++attempt) {
    if (!pause(rest)) return false;
    rest = std::min<std::chrono::milliseconds>(rest * 4, longest_pause);
  }
  std::string released;
  for (const Answer& each : batch) runner::append_callback_number(released, FrameType::callback_release, each.id);
  const std::lock_guard lock(mutex_);
  if (!ended_) give(released);
  changed_.notify_all();
  return true;
}

Result<void> QueueBridge::put(const std::vector<Answer>& batch) {
  std::string text;
  const bool alone = batch.size() == 1;
  for (const Answer& each : batch) text += (alone ? "" : each.name + " ") + runner::to_base64(each.record) + "\n";
  const auto output = TRY(access_->script(script("put.sh", {{"d", directory_}, {"one", alone ? batch.front().name : ""}}), text, ShellAccess::Shell::plain,
                                          Deadline::in(put_patience)));
  if (!output.ok()) return Error(ErrorKind::bad_gateway, output.stderr_text);
  return success();
}

}  // namespace paperclip::environments::shell
