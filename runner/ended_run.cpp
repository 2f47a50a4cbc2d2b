#include "runner/ended_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/client.h"
#include "runner/exit_report.h"
#include "runner/run_directory.h"

namespace paperclip::runner {
namespace {

constexpr int peer_patience_ms = 60'000;

std::string read_file_in(int directory, const char* name) {
  const Descriptor file(openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  std::string text;
  char buffer[4096];
  for (ssize_t got; file && (got = read(file.get(), buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(got));
  return text;
}

/// What follows `"key":` in one of our own flat files.
std::string_view value_after(std::string_view json, std::string_view key) {
  const std::string pattern = "\"" + std::string(key) + "\":";
  const std::size_t at = json.find(pattern);
  return at == std::string_view::npos ? std::string_view() : json.substr(at + pattern.size());
}

std::int64_t number_after(std::string_view json, std::string_view key) {
  return strtoll(std::string(value_after(json, key).substr(0, 24)).c_str(), nullptr, 10);
}

}  // namespace

bool is_alive(int directory) {
  // Another open file description: a lock of our own would not be in its way.
  const Descriptor again(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (flock(again.get(), LOCK_EX | LOCK_NB) != 0) return errno == EWOULDBLOCK;
  flock(again.get(), LOCK_UN);
  return false;
}

std::string exit_text(int directory) { return read_file_in(directory, file::exit); }

std::string lost_text(int directory) {
  ExitReport report;
  report.ended_ms = wall_ms();
  const std::string run = directory < 0 ? "" : read_file_in(directory, file::run);
  const std::string pids = directory < 0 ? "" : read_file_in(directory, file::pids);
  report.started_ms = number_after(pids, "startedMs");
  struct stat log {};
  if (directory >= 0 && fstatat(directory, file::output, &log, AT_SYMLINK_NOFOLLOW) == 0)
    report.output_bytes = static_cast<std::uint64_t>(log.st_size);
  const std::string_view boot = value_after(run, "bootId");
  if (!run.empty() && !boot_id().empty() && boot.substr(0, boot_id().size() + 1) != "\"" + boot_id()) {
    report.lost_reason = "machine_restarted";
    report.lost_detail = "the machine was restarted while the run was going on";
    return to_json(report);
  }
  const auto agent = static_cast<pid_t>(number_after(pids, "agentPid"));
  const auto group = static_cast<pid_t>(number_after(pids, "agentGroup"));
  if (agent > 1 && group > 1 && static_cast<std::int64_t>(process_start_time(agent)) == number_after(pids, "agentStart"))
    kill(-group, SIGKILL);
  report.lost_reason = "nothing_left";
  report.lost_detail = run.empty() ? "there is no record of the run" : "runner and guardian are gone and left no exit status";
  return to_json(report);
}

void serve_ended(int directory, const std::string& exit, Descriptor peer) {
  OutputLog log;
  if (directory >= 0) (void)log.open_ended(directory);
  Client client(std::move(peer));
  while (!client.gone()) {
    client.send(log);
    if (client.caught_up(log) && !client.told_exit) {
      append_message(client.outbox(), FrameType::exited, exit);
      client.told_exit = true;
      client.send(log);
    }
    if (client.told_exit && client.all_sent()) return;
    pollfd ready{client.socket(), static_cast<short>(client.wants_to_send(log) ? POLLIN | POLLOUT : POLLIN), 0};
    if (poll(&ready, 1, peer_patience_ms) <= 0) return;
    if (ready.revents & (POLLIN | POLLHUP | POLLERR)) client.receive([](const Frame&) {});
  }
}

}  // namespace paperclip::runner
