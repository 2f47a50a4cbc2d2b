#include "environments/bridge.h"

#include <algorithm>

#include "base/crypto.h"
#include "base/random.h"

namespace paperclip::environments {

using runner::CallbackAnswer;
using runner::CallbackRequest;
using runner::CallbackStreams;
using runner::FrameType;

namespace {

constexpr std::size_t token_bytes = 24;
/// More than a runner that keeps to its queue depth can have under way. A place that says more is talked to no longer.
constexpr std::size_t most_callbacks = 256;
constexpr std::size_t most_seen = 1024;

}  // namespace

SecretText bridge_token(std::string_view secret, RunId run) {
  std::string message("callback-bridge:");
  message.append(run.view());
  std::string bytes = hmac_sha256(secret, message);
  SecretText token(base64url_encode(std::string_view(bytes).substr(0, token_bytes)));
  wipe(bytes.data(), bytes.size());
  return token;
}

BridgeSession::BridgeSession(CallbackApi& api, const BridgeCaller& caller, const BridgePolicy& policy)
    : api_(api), caller_(caller), policy_(policy), incarnation_(Random::system().next()),
      streams_(policy.max_body_bytes + runner::callback_head_limit) {}

runner::CallbackSetup BridgeSession::setup(const SecretText& token) const {
  runner::CallbackSetup setup;
  setup.token = token.expose();
  setup.concurrency = concurrency;
  setup.max_body_bytes = static_cast<std::uint32_t>(policy_.max_body_bytes);
  return setup;
}

void BridgeSession::on_connected(std::shared_ptr<FrameLink> link) {
  const std::lock_guard lock(mutex_);
  link_ = std::move(link);
  streams_.reset();
  // Whoever still waits for one asks.
  for (auto& [id, callback] : callbacks_) callback.wanted = false;
  std::string out;
  runner::append_callback_open(out, incarnation_);
  flush(std::move(out));
}

void BridgeSession::on_disconnected() {
  const std::lock_guard lock(mutex_);
  link_.reset();
  streams_.reset();
}

void BridgeSession::on_frame(const runner::Frame& frame) {
  const std::lock_guard lock(mutex_);
  if (!link_) return;
  runner::ByteReader reader(frame.payload);
  std::string out;
  switch (frame.type) {
    case FrameType::callback_request: take_request(frame, out); break;
    case FrameType::callback_credit: streams_.take_credit(frame); break;
    case FrameType::callback_release: release(reader.number<std::uint64_t>()); break;
    case FrameType::callback_ask: say_again(reader.number<std::uint64_t>(), out); break;
    default: return;
  }
  flush(std::move(out));
}

void BridgeSession::take_request(const runner::Frame& frame, std::string& out) {
  std::string message;
  switch (streams_.take(frame, message, out)) {
    case CallbackStreams::Taken::more: return;
    case CallbackStreams::Taken::broken: link_.reset(); return;  // nothing sensible speaks there
    case CallbackStreams::Taken::whole: break;
  }
  auto request = runner::decode_callback_request(message);
  if (request) make_room();
  if (!request || callbacks_.size() >= most_callbacks) {
    link_.reset();
    return;
  }
  receive(*std::move(request));
}

/// The word that an answer arrived may have been lost with its connection. Whoever still waits for one asks at once.
void BridgeSession::make_room() {
  if (callbacks_.size() < most_callbacks / 2) return;
  std::erase_if(callbacks_, [](const auto& entry) { return entry.second.state == State::answered && !entry.second.wanted; });
}

/// An id is performed once, however often it is said.
bool BridgeSession::is_new(std::uint64_t id) {
  if (id <= seen_up_to_ || !seen_.insert(id).second) return false;
  while (!seen_.empty() && (*seen_.begin() == seen_up_to_ + 1 || seen_.size() > most_seen)) {
    seen_up_to_ = *seen_.begin();
    seen_.erase(seen_.begin());
  }
  return true;
}

void BridgeSession::receive(CallbackRequest request) {
  const std::uint64_t id = request.id;
  if (!is_new(id)) return;
  ++counts_.asked;
  Callback callback;
  callback.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(request.remaining_ms);
  callback.request = std::move(request);
  callbacks_.emplace(id, std::move(callback));
  begin_some();
}

void BridgeSession::release(std::uint64_t id) {
  const auto found = callbacks_.find(id);
  if (found == callbacks_.end()) {
    (void)is_new(id);  // the rest of it may still arrive; it is wanted no more
    return;
  }
  if (found->second.state == State::performing) {
    found->second.wanted = false;
    found->second.released = true;  // forgotten once it is done
    return;
  }
  callbacks_.erase(found);
}

void BridgeSession::say_again(std::uint64_t id, std::string& out) {
  const auto found = callbacks_.find(id);
  if (found == callbacks_.end()) return runner::append_callback_number(out, FrameType::callback_unknown, id);
  // An answer that is wanted went out over this very connection: a courier asks each time it comes.
  const bool said = found->second.state == State::answered && found->second.wanted;
  found->second.wanted = true;
  if (found->second.state != State::answered || said) return;
  ++counts_.repeated;
  streams_.cancel(runner::callback_stream(id));
  streams_.queue(FrameType::callback_answer, runner::callback_stream(id), found->second.answer);
}

void BridgeSession::begin_some() {
  for (auto& [id, callback] : callbacks_) {
    if (performing_ >= concurrency) return;
    if (callback.state != State::waiting) continue;
    callback.state = State::performing;
    counts_.most_at_once = std::max(counts_.most_at_once, ++performing_);
    if (!api_.post([self = shared_from_this(), id = id] { self->perform(id); })) {
      --performing_;
      callback.state = State::waiting;  // stopping: the next server is asked
      return;
    }
  }
}

void BridgeSession::perform(std::uint64_t id) {
  CallbackRequest request;
  bool too_late = false, over = false;
  {
    const std::lock_guard lock(mutex_);
    Callback& callback = callbacks_.at(id);
    too_late = callback.released || std::chrono::steady_clock::now() >= callback.deadline;
    over = closed_;
    request = std::move(callback.request);
  }
  bool performed = false;
  CallbackAnswer answer;
  if (over) {
    answer = bridge_error(id, 503, "Bridge worker stopped before request could be handled.");
  } else if (too_late) {
    answer = bridge_error(id, 502, "Timed out waiting for host bridge response.");
  } else if (CheckedCallback checked = check_callback(policy_, request); checked.refusal) {
    answer = *std::move(checked.refusal);
  } else {
    performed = true;
    answer = filtered_answer(policy_, id, api_.perform(caller_, checked.request));
  }
  const std::lock_guard lock(mutex_);
  ++(performed ? counts_.performed : counts_.refused);
  finish(id, answer);
}

void BridgeSession::finish(std::uint64_t id, const CallbackAnswer& answer) {
  --performing_;
  Callback& callback = callbacks_.at(id);
  callback.state = State::answered;
  if (callback.released) {
    callbacks_.erase(id);
  } else {
    callback.answer = encode(answer);
    if (callback.wanted && link_) streams_.queue(FrameType::callback_answer, runner::callback_stream(id), callback.answer);
  }
  begin_some();
  flush();
}

void BridgeSession::flush(std::string out) {
  if (!link_) return;
  streams_.write(out, [](std::uint16_t) {});
  if (!out.empty()) link_->send(runner::FrameClass::callbacks, std::move(out));
}

void BridgeSession::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

BridgeCounts BridgeSession::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace paperclip::environments
