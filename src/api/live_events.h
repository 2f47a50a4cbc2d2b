#pragma once

#include "net/server.h"

namespace paperclip::heartbeat {
class LiveEvents;
}
namespace paperclip::net {
class WorkerPool;
}

namespace paperclip::api {

struct Services;

/// The company WebSocket, `GET /api/companies/{companyId}/events/ws` (spec/platform.md 9.1): credentials are checked on the
/// pool, then the socket follows the company's live events. `?since=<sequence>` (OURS) first sends what was missed.
/// OURS: 404 for a company that does not exist; a foreign `Origin` is refused. Other paths are closed without a word.
void handle_upgrade(Services& services, heartbeat::LiveEvents& live, net::WorkerPool& pool, const net::Request& request, net::Upgrade upgrade);

}  // namespace paperclip::api
