#include "runner/bridge.h"

#include <errno.h>
#include <string.h>

#include <algorithm>

namespace paperclip::runner {
namespace {

ListenerSettings settings_of(const CallbackSetup& setup) {
  ListenerSettings settings;
  settings.token = setup.token;
  settings.port = setup.port;
  settings.queue_depth = setup.queue_depth;
  settings.max_body_bytes = setup.max_body_bytes;
  settings.response_timeout_ms = setup.response_timeout_ms;
  return settings;
}

bool is_read(const CallbackRequest& request) { return request.method == "GET" || request.method == "HEAD"; }

}  // namespace

std::string Bridge::prepare(const StartMessage& message, std::vector<std::string>& environment) {
  if (message.callbacks.empty()) return {};
  const auto setup = decode_callback_setup(message.callbacks);
  if (!setup) return "The callback bridge's settings make no sense";
  concurrency_ = setup->concurrency;
  response_timeout_ms_ = setup->response_timeout_ms;
  drain_ms_ = setup->drain_ms;
  streams_ = CallbackStreams(setup->max_body_bytes + callback_head_limit);
  listener_ = std::make_unique<CallbackListener>(settings_of(*setup), *this);
  if (!listener_->listen()) {
    listener_.reset();
    return std::string("The callback bridge cannot listen on 127.0.0.1: ") + strerror(errno);
  }
  environment.push_back("PAPERCLIP_API_URL=http://127.0.0.1:" + std::to_string(listener_->port()));
  return {};
}

void Bridge::watch(std::vector<pollfd>& polls) {
  if (listener_) listener_->add_to(polls);
}

void Bridge::on_ready(const pollfd* polls, std::size_t count) {
  if (listener_) listener_->handle(polls, count);
}

std::int64_t Bridge::deadline() const { return listener_ ? std::min(listener_->next_deadline(), drained_at_) : never; }

void Bridge::submit(CallbackRequest request) {
  const std::uint64_t id = request.id;
  pending_.emplace(id, Pending{std::move(request), State::waiting, monotonic_ms() + response_timeout_ms_});
}

void Bridge::abandon(std::uint64_t id) {
  const auto found = pending_.find(id);
  if (found == pending_.end()) return;
  if (found->second.state != State::waiting && server_) append_callback_number(outbox(), FrameType::callback_release, id);
  pending_.erase(found);
}

std::size_t Bridge::under_way() const {
  return static_cast<std::size_t>(
      std::count_if(pending_.begin(), pending_.end(), [](const auto& entry) { return entry.second.state != State::waiting; }));
}

void Bridge::advance() {
  if (!listener_) return;
  listener_->advance();
  if (!server_ || server_->gone()) return;
  send_waiting();
  streams_.write(outbox(), [this](std::uint16_t stream) {
    for (auto& [id, pending] : pending_)
      if (callback_stream(id) == stream && pending.state == State::sending) pending.state = State::sent;
  }, courier_ ? CallbackStreams::Order::one_after_another : CallbackStreams::Order::in_turn);
}

void Bridge::send_waiting() {
  std::size_t busy = under_way();
  for (auto& [id, pending] : pending_) {
    if (busy >= concurrency_) return;
    if (pending.state != State::waiting) continue;
    pending.request.remaining_ms = static_cast<std::uint32_t>(std::max<std::int64_t>(pending.deadline - monotonic_ms(), 0));
    streams_.queue(FrameType::callback_request, callback_stream(id), encode(pending.request));
    pending.state = State::sending;
    ++busy;
  }
}

bool Bridge::handle(Client& client, const Frame& frame) {
  if (!listener_) return false;
  switch (frame.type) {
    case FrameType::callback_open: open(client, frame); return true;
    case FrameType::callback_answer:
      if (courier_ || &client == server_) take_answer(client, frame);
      return true;
    case FrameType::callback_credit:
      if (courier_ || &client == server_) streams_.take_credit(frame);
      return true;
    case FrameType::callback_unknown:
      if (courier_ || &client == server_) take_unknown(ByteReader(frame.payload).number<std::uint64_t>());
      return true;
    default: return false;
  }
}

/// A server attached, perhaps in place of one that is lost.
void Bridge::open(Client& client, const Frame& frame) {
  ByteReader reader(frame.payload);
  const auto incarnation = reader.number<std::uint64_t>();
  const bool same = incarnation == incarnation_;
  courier_ = reader.number<std::uint8_t>() == static_cast<std::uint8_t>(CallbackCarrier::courier);
  server_ = courier_ ? attached_ : &client;
  incarnation_ = incarnation;
  streams_.reset();
  unsaid_.clear();
  resume(same);
}

void Bridge::client_attached(Client& client) {
  attached_ = &client;
  if (!courier_) return;
  std::string unsaid;
  unsaid.swap(unsaid_);
  server_ = &client;
  outbox() += unsaid;
  resume(true);
}

/// What is under way may have been lost with the connection.
void Bridge::resume(bool same) {
  std::vector<std::uint64_t> unsure;
  for (auto& [id, pending] : pending_) {
    if (pending.state == State::sending) {  // it cannot have arrived whole
      streams_.cancel(callback_stream(id));
      pending.state = State::waiting;
    }
    if (pending.state != State::sent) continue;
    if (same) append_callback_number(outbox(), FrameType::callback_ask, id);
    else if (is_read(pending.request)) pending.state = State::waiting;
    else unsure.push_back(id);
  }
  for (const std::uint64_t id : unsure) {
    pending_.erase(id);
    listener_->answer(bridge_error(id, 502, "The control plane restarted while this request was under way: it may or may not have been executed."));
  }
}

void Bridge::client_gone(Client& client) {
  if (&client == server_) server_ = nullptr;
  if (&client == attached_) attached_ = nullptr;
}

void Bridge::take_answer(Client& client, const Frame& frame) {
  std::string message;
  switch (streams_.take(frame, message, outbox())) {
    case CallbackStreams::Taken::more: return;
    case CallbackStreams::Taken::broken: return client.close();
    case CallbackStreams::Taken::whole: break;
  }
  const auto answer = decode_callback_answer(message);
  if (!answer) return client.close();
  append_callback_number(outbox(), FrameType::callback_release, answer->id);
  if (pending_.erase(answer->id) > 0) listener_->answer(*answer);
}

void Bridge::take_unknown(std::uint64_t id) {
  const auto found = pending_.find(id);
  if (found != pending_.end() && found->second.state == State::sent) found->second.state = State::waiting;
}

bool Bridge::ready_to_end() {
  if (!listener_) return true;
  if (drained_at_ == never) {
    listener_->close_door();
    drained_at_ = monotonic_ms() + drain_ms_;
  }
  return monotonic_ms() >= drained_at_ || (pending_.empty() && !listener_->writing());
}

void Bridge::agent_ended() {
  if (!listener_) return;
  listener_->close_door();
  drained_at_ = never;
  std::map<std::uint64_t, Pending> left;
  left.swap(pending_);
  for (const auto& [id, pending] : left)
    listener_->answer(bridge_error(id, 503, "Bridge worker stopped before request could be handled."));
  // Their clients are going to be ended; what fits into the socket at once is all they get.
}

}  // namespace paperclip::runner
