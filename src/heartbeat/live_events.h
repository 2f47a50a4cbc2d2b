#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "net/websocket.h"
#include "store/database.h"

namespace paperclip::heartbeat {

/// The live stream of each company (spec/execution.md 12): committed events under their sequence number, and what is not
/// worth keeping (`heartbeat.run.log`) under the number of the event before it. A client that says where it was gets what
/// it missed first (OURS: `?since=`). A socket that does not keep up is dropped by its own outbox limit.
class LiveEvents {
 public:
  /// Subscribes to the database; both live as long as events are delivered.
  explicit LiveEvents(store::Database& database);

  using Listener = std::uint64_t;
  /// Everything of the company that is committed from now on; with `since` also what came after that event. Blocks for
  /// the read, so not for an I/O thread.
  Listener add(CompanyId company, std::shared_ptr<net::WebSocket> socket, std::optional<std::int64_t> since);
  void remove(Listener listener);

  /// To everyone who listens now; nothing is stored.
  void publish(CompanyId company, std::string_view type, std::string_view payload, Timestamp at);
  /// Whether anyone listens: what nobody hears need not be written.
  bool has_listeners(CompanyId company) const;

 private:
  using Frame = std::shared_ptr<const std::string>;
  struct Subscriber {
    CompanyId company;
    std::shared_ptr<net::WebSocket> socket;
    std::int64_t last = 0;      // sequence of the newest event sent
    bool catching_up = false;   // events wait in `pending` until the missed ones are sent
    std::vector<std::pair<std::int64_t, Frame>> pending;
  };

  void receive(const store::Event& event);
  static Frame frame_of(std::int64_t id, CompanyId company, std::string_view type, Timestamp at, std::string_view payload);

  store::Database& database_;
  mutable std::mutex mutex_;
  std::map<Listener, Subscriber> subscribers_;
  Listener next_ = 1;
  std::int64_t newest_ = 0;
};

}  // namespace paperclip::heartbeat
