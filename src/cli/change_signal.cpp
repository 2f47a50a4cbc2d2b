#include "cli/change_signal.h"

#include <thread>

#include "net/websocket_client.h"

namespace paperclip::cli {

using namespace std::chrono_literals;

namespace {

// Events come in bursts: one look at the end of a burst is enough.
constexpr auto burst = 40ms;
constexpr std::chrono::milliseconds pause_without_events = 150ms;

}  // namespace

ChangeSignal::ChangeSignal(const Client& client, const std::string& company_id) {
  if (!client.base().starts_with("http")) return;
  net::Headers headers;
  if (!client.token().empty()) headers.add("Authorization", "Bearer " + client.token());
  auto socket = net::WebSocketClient::connect(
      "ws" + client.base().substr(4) + path("/api/companies/{}/events/ws", {company_id}), headers, Deadline::in(2s));
  if (socket) socket_ = *std::move(socket);
}

ChangeSignal::~ChangeSignal() {
  if (socket_) socket_->close(Deadline::in(200ms));
}

void ChangeSignal::wait(std::chrono::milliseconds longest) {
  if (!socket_) {
    std::this_thread::sleep_for(std::min(longest, pause_without_events));
    return;
  }
  auto event = socket_->read(Deadline::in(longest));
  for (const Deadline end = Deadline::in(burst); event && *event && !end.passed();) event = socket_->read(end);
  if (event ? !*event : event.error().kind != ErrorKind::timeout) socket_.reset();  // closed or broken
}

}  // namespace paperclip::cli
