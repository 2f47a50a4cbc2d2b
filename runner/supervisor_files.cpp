#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "runner/json.h"
#include "runner/run_directory.h"
#include "runner/supervisor.h"

/// What the runner writes down beside output.log.
namespace paperclip::runner {
namespace {

std::string json_list(const std::vector<std::string_view>& texts) {
  std::string out = "[";
  for (const auto& text : texts) {
    if (out.size() > 1) out += ',';
    append_json_string(out, text);
  }
  return out + "]";
}

std::string limits_json(const ProcessLimits& limits) {
  JsonObject json;
  json.number("nice", limits.nice).number("oomScore", limits.oom_score).number("openFiles", limits.open_files);
  json.number("processes", limits.processes).number("addressSpaceBytes", limits.address_space_bytes);
  json.number("fileBytes", limits.file_bytes).number("cpuSeconds", limits.cpu_seconds);
  return std::move(json).done();
}

}  // namespace

void Supervisor::write_run_file(const StartMessage& message) {
  std::vector<std::string_view> names;
  for (const auto& entry : message.environment) names.push_back(entry.substr(0, entry.find('=')));
  JsonObject json;
  json.number("version", protocol_version).text("runId", message.run_id).text("bootId", boot_id());
  json.number("createdMs", wall_ms()).raw("argv", json_list(message.argv)).text("cwd", message.cwd);
  json.raw("environment", json_list(names)).number("stdinBytes", message.stdin_text.size());
  json.number("timeoutMs", message.timeout_ms).number("graceMs", message.grace_ms).number("drainMs", message.drain_ms);
  json.number("backlogBytes", message.backlog_bytes).raw("limits", limits_json(message.limits));
  write_file_in(surroundings_.directory, file::run, std::move(json).done(), Durability::none);
}

void Supervisor::write_pid_file() {
  char self[16] = {};
  const bool known = readlinkat(surroundings_.machine_proc, "self", self, sizeof self - 1) > 0;
  started_.runner_pid = known ? atoi(self) : getpid();
  JsonObject json;
  json.number("guardianPid", started_.guardian_pid).number("guardianStart", surroundings_.guardian_start);
  json.number("runnerPid", started_.runner_pid).number("runnerStart", process_start_time(getpid()));
  json.number("agentPid", started_.agent_pid).number("agentGroup", started_.agent_group);
  json.number("agentStart", process_start_time(agent_.pid)).number("startedMs", started_.started_ms);
  write_file_in(surroundings_.directory, file::pids, std::move(json).done(), Durability::none);
}

/// Writes exit.json and goes on to `closing`. A full disk gets some time to recover: without the file the run is lost.
void Supervisor::close_with_report() {
  constexpr std::int64_t patience_ms = 10'000, closing_ms = 2'000;
  phase_ = Phase::closing;
  report_.output_bytes = log_.size();
  report_.ended_ms = wall_ms();
  report_text_ = to_json(report_);
  const std::int64_t give_up_at = monotonic_ms() + patience_ms;
  while (!write_file_in(surroundings_.directory, file::exit, report_text_, Durability::none) && errno == ENOSPC &&
         monotonic_ms() < give_up_at)
    poll(nullptr, 0, 200);
  listener_.reset();
  close_at_ = monotonic_ms() + closing_ms;
}

/// Brings what the run leaves to the disk, after everybody was told: the disk may take its time, an exit is news. A
/// server that records the exit and forgets the run within a moment needs it no more, and its own commit has the disk to
/// itself.
void Supervisor::sync_files() {
  constexpr int moments = 10, moment_ms = 10;
  for (int i = 0; i <= moments; ++i) {
    const Descriptor exit_file(openat(surroundings_.directory, file::exit, O_RDONLY | O_CLOEXEC));
    if (!exit_file) return;
    if (i < moments) {
      poll(nullptr, 0, moment_ms);
      continue;
    }
    log_.sync();
    fsync(exit_file.get());
    fsync(surroundings_.directory);
  }
}

}  // namespace paperclip::runner
