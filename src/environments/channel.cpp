#include "environments/channel.h"

#include "runner/run_directory.h"

namespace paperclip::environments {

Channel::Look LocalChannel::look() {
  Look found;
  found.ended = read_exit(directory_);
  if (found.ended) return found;
  if (!runner_is_alive(directory_)) {
    // It may have ended between the two looks.
    auto status = read_exit(directory_);
    found.ended = status ? std::move(*status) : lost_run(directory_);
    return found;
  }
  found.socket = connect_to_runner(directory_);
  if (!found.socket) found.trouble = "a runner or guardian lives but does not answer on " + (directory_ / runner::file::control).string();
  return found;
}

std::unique_ptr<EndedLog> LocalChannel::rest(std::uint64_t offset) { return std::make_unique<EndedLog>(directory_, offset); }

}  // namespace paperclip::environments
