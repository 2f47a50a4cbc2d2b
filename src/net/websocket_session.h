#pragma once

#include "net/io_loop.h"
#include "net/websocket.h"

/// Private to this room.
namespace paperclip::net {

/// Completes the handshake for an upgrade request that was read and checked, and lives on the loop until the socket
/// ends. On the loop's thread.
void start_websocket(IoLoop& loop, TcpSocket socket, const Request& request, WebSocketHandlers handlers);

}  // namespace paperclip::net
