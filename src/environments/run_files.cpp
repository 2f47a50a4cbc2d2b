#include "environments/run_files.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/json.h"
#include "os/file_lock.h"
#include "os/files.h"
#include "os/process.h"
#include "runner/run_directory.h"

namespace paperclip::environments {
namespace {

std::int64_t number_at(const json::value& object, std::string_view key) {
  const json::value* found = member(object, key);
  return found && found->is_number() ? found->to_number<std::int64_t>() : 0;
}

bool flag_at(const json::value& object, std::string_view key) {
  const json::value* found = member(object, key);
  return found && found->is_bool() && found->get_bool();
}

json::value read_object(const std::filesystem::path& path) {
  const auto text = os::read_file(path, 4 * 1024 * 1024);
  if (!text) return nullptr;
  auto value = parse_json(*text);
  return value ? std::move(*value) : nullptr;
}

/// Runner and guardian are gone, so nobody sweeps any more; the group is what can still be named.
void kill_left_group(const json::value& pids) {
  const auto agent = static_cast<pid_t>(number_at(pids, "agentPid"));
  const auto group = static_cast<pid_t>(number_at(pids, "agentGroup"));
  const auto start = static_cast<std::uint64_t>(number_at(pids, "agentStart"));
  if (agent > 1 && group > 1 && os::process_start_time(agent) == start) ::kill(-group, SIGKILL);
}

}  // namespace

std::optional<ExitStatus> parse_exit(std::string_view text) {
  const auto parsed = parse_json(text);
  if (!parsed || !parsed->is_object()) return std::nullopt;
  const json::value& value = *parsed;
  ExitStatus status;
  if (const json::value* code = member(value, "exitCode"); code && code->is_number())
    status.exit_code = code->to_number<int>();
  status.signal = string_at(value, "signal").value_or("");
  status.timed_out = flag_at(value, "timedOut");
  status.cancelled = flag_at(value, "cancelled");
  status.lost_reason = string_at(value, "lostReason").value_or("");
  status.lost_detail = string_at(value, "lostDetail").value_or("");
  status.start_error = string_at(value, "startError").value_or("");
  status.processes_left = static_cast<int>(number_at(value, "processesLeft"));
  status.boundary = string_at(value, "boundary").value_or("");
  status.output_bytes = static_cast<std::uint64_t>(number_at(value, "outputBytes"));
  status.dropped_bytes = static_cast<std::uint64_t>(number_at(value, "droppedBytes"));
  status.started = Timestamp{number_at(value, "startedMs")};
  status.ended = Timestamp{number_at(value, "endedMs")};
  status.user_time = std::chrono::milliseconds(number_at(value, "userMs"));
  status.system_time = std::chrono::milliseconds(number_at(value, "systemMs"));
  status.max_rss_kib = number_at(value, "maxRssKib");
  return status;
}

std::optional<ExitStatus> read_exit(const std::filesystem::path& directory) {
  const auto text = os::read_file(directory / runner::file::exit, 1024 * 1024);
  return text ? parse_exit(*text) : std::nullopt;
}

bool runner_is_alive(const std::filesystem::path& directory) {
  const auto opened = os::open_directory(directory);
  return opened && os::is_locked(opened->get());
}

os::Descriptor connect_to_runner(const std::filesystem::path& directory) {
  const os::Descriptor opened(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!opened) return {};
  // Through the descriptor, because a path of more than 107 bytes does not fit into an address.
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string short_path = "/proc/self/fd/" + std::to_string(opened.get()) + "/" + runner::file::control;
  short_path.copy(address.sun_path, sizeof address.sun_path - 1);
  os::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  return socket;
}

ExitStatus lost_run(const std::filesystem::path& directory) {
  ExitStatus status;
  status.ended = Clock::system().now();
  const json::value run = read_object(directory / runner::file::run);
  const json::value pids = read_object(directory / runner::file::pids);
  status.started = Timestamp{number_at(pids, "startedMs")};
  const auto boot = string_at(run, "bootId");
  if (boot && *boot != os::boot_id()) {
    status.lost_reason = "machine_restarted";
    status.lost_detail = "the machine was restarted while the run was going on";
    return status;
  }
  kill_left_group(pids);
  status.lost_reason = "nothing_left";
  status.lost_detail = run.is_null() ? "there is no record of the run in " + directory.string()
                                     : "runner and guardian are gone and left no exit status";
  return status;
}

EndedLog::EndedLog(const std::filesystem::path& directory, std::uint64_t offset)
    : file_(::open((directory / runner::file::output).c_str(), O_RDONLY | O_CLOEXEC)), offset_(offset) {}

std::optional<OutputChunk> EndedLog::next() {
  constexpr std::size_t read_bytes = 64 * 1024;
  const auto buffered = [&] { return std::string_view(buffer_).substr(used_); };
  auto record = runner::read_record(buffered());
  if (!record && file_) {
    buffer_.erase(0, used_);
    used_ = 0;
    const std::size_t kept = buffer_.size();
    buffer_.resize(kept + read_bytes);
    const ssize_t got = ::pread(file_.get(), buffer_.data() + kept, read_bytes, static_cast<off_t>(offset_ + kept));
    buffer_.resize(kept + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    record = runner::read_record(buffered());
  }
  if (!record) {
    file_.reset();
    buffer_ = {};
    used_ = 0;
    return std::nullopt;
  }
  const OutputChunk chunk = to_chunk(*record, offset_);
  used_ += record->size();
  offset_ = chunk.next_offset;
  return chunk;
}

OutputChunk to_chunk(const runner::Record& record, std::uint64_t offset) {
  return {record.stream == runner::RecordStream::stderr_ ? OutputStream::stderr_ : OutputStream::stdout_,
          Timestamp{record.time_ms}, offset, offset + record.size(), record.bytes};
}

}  // namespace paperclip::environments
