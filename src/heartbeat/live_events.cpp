#include "heartbeat/live_events.h"

#include <algorithm>

#include "base/write_json.h"

namespace paperclip::heartbeat {

namespace {
// A client that missed more starts afresh; it reloads anyway.
constexpr int most_missed = 5000;
}  // namespace

LiveEvents::LiveEvents(store::Database& database) : database_(database) {
  newest_ = database.read([](store::Reader& reader) { return store::last_event(reader); });
  database.subscribe([this](const store::Event& event) { receive(event); });
}

LiveEvents::Frame LiveEvents::frame_of(std::int64_t id, CompanyId company, std::string_view type, Timestamp at, std::string_view payload) {
  auto text = std::make_shared<std::string>();
  text->reserve(payload.size() + 160);
  JsonObjectWriter(*text).field("id", id).field("companyId", company).field("type", type).field("createdAt", at).begin("payload") += payload;
  *text += '}';
  return text;
}

void LiveEvents::receive(const store::Event& event) {
  std::lock_guard lock(mutex_);
  newest_ = std::max(newest_, event.sequence);
  if (!event.company_id) return;
  Frame frame;
  for (auto& [id, subscriber] : subscribers_) {
    if (subscriber.company != *event.company_id) continue;
    if (!frame) frame = frame_of(event.sequence, *event.company_id, event.type, event.created_at, event.payload.is_null() ? "null" : event.payload.text);
    if (subscriber.catching_up) {
      subscriber.pending.emplace_back(event.sequence, frame);
    } else if (event.sequence > subscriber.last) {
      subscriber.last = event.sequence;
      subscriber.socket->send_text(frame);
    }
  }
}

LiveEvents::Listener LiveEvents::add(CompanyId company, std::shared_ptr<net::WebSocket> socket, std::optional<std::int64_t> since) {
  Listener id;
  {
    std::lock_guard lock(mutex_);
    id = next_++;
    Subscriber subscriber{company, socket, since.value_or(0), since.has_value(), {}};
    subscribers_.emplace(id, std::move(subscriber));
  }
  if (!since) return id;
  const auto missed = database_.read([&](store::Reader& reader) { return store::events_after(reader, company, *since, most_missed); });
  std::lock_guard lock(mutex_);
  const auto at = subscribers_.find(id);
  if (at == subscribers_.end()) return id;
  Subscriber& subscriber = at->second;
  for (const auto& event : missed) {
    subscriber.last = event.sequence;
    if (event.company_id) socket->send_text(frame_of(event.sequence, company, event.type, event.created_at, event.payload.is_null() ? "null" : event.payload.text));
  }
  for (auto& [sequence, frame] : subscriber.pending) {
    if (sequence <= subscriber.last) continue;
    subscriber.last = sequence;
    socket->send_text(frame);
  }
  subscriber.pending.clear();
  subscriber.catching_up = false;
  return id;
}

void LiveEvents::remove(Listener listener) {
  std::lock_guard lock(mutex_);
  subscribers_.erase(listener);
}

bool LiveEvents::has_listeners(CompanyId company) const {
  std::lock_guard lock(mutex_);
  return std::any_of(subscribers_.begin(), subscribers_.end(), [&](const auto& item) { return item.second.company == company; });
}

void LiveEvents::publish(CompanyId company, std::string_view type, std::string_view payload, Timestamp at) {
  std::lock_guard lock(mutex_);
  Frame frame;
  for (auto& [id, subscriber] : subscribers_) {
    if (subscriber.company != company) continue;
    if (!frame) frame = frame_of(newest_, company, type, at, payload);
    subscriber.socket->send_text(frame);
  }
}

}  // namespace paperclip::heartbeat
