#pragma once

#include <sys/types.h>

#include <optional>

namespace paperclip::environments {

/// A port of 127.0.0.1 that nobody listens on now; 0 if none is to be had.
int free_port();
/// True if somebody listens on the port of this machine.
bool is_port_taken(int port);
/// Who listens there, as far as we may know.
std::optional<pid_t> listener_of(int port);

}  // namespace paperclip::environments
