#include "environments/shell/shell_runner.h"

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <optional>

#include "base/secret.h"
#include "base/text.h"
#include "environments/place_files.h"
#include "environments/shell/queue_bridge.h"
#include "environments/shell/script.h"
#include "environments/start_frames.h"
#include "runner/base64.h"
#include "runner/callbacks.h"
#include "runner/run_directory.h"

namespace paperclip::environments::shell {

using namespace std::chrono_literals;

namespace {

constexpr auto start_patience = 60s, command_slack = 30s;
constexpr auto longest_pause = 2000ms, default_grace = 20'000ms;
constexpr int long_poll_s = 10;

bool is_shell_name(std::string_view name) {
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
         std::all_of(name.begin(), name.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; });
}

template <class Number>
Number number_in(std::string_view text) {
  Number value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

const char* signal_name(int signal) {
  switch (signal) {
    case 1: return "SIGHUP";
    case 2: return "SIGINT";
    case 6: return "SIGABRT";
    case 9: return "SIGKILL";
    case 11: return "SIGSEGV";
    case 13: return "SIGPIPE";
    case 15: return "SIGTERM";
    default: return "";
  }
}

/// What poll.sh says.
struct Portion {
  std::uint64_t out_at = 0, err_at = 0;
  std::int64_t now_s = 0, started_s = 0, limit_s = 0, ended_s = 0;
  int pid = 0, code = 0;
  enum class State { running, exited, lost } state = State::running;
  std::string out, err;
};

std::optional<Portion> read_portion(std::string_view text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const auto words = split(text.substr(0, end), ' ');
  text.remove_prefix(end + 1);
  if (words.size() < 7) return std::nullopt;
  Portion portion;
  portion.out_at = number_in<std::uint64_t>(words[0]);
  portion.err_at = number_in<std::uint64_t>(words[1]);
  portion.now_s = number_in<std::int64_t>(words[2]);
  portion.started_s = number_in<std::int64_t>(words[3]);
  portion.limit_s = number_in<std::int64_t>(words[4]);
  portion.pid = number_in<int>(words[5]);
  if (words[6] == "exited" && words.size() >= 9) {
    portion.state = Portion::State::exited;
    portion.code = number_in<int>(words[7]);
    portion.ended_s = number_in<std::int64_t>(words[8]);
  } else if (words[6] == "lost") {
    portion.state = Portion::State::lost;
  }
  for (std::string* bytes : {&portion.out, &portion.err}) {
    const std::size_t dot = text.starts_with(".\n") ? 0 : text.find("\n.\n");
    if (dot == std::string_view::npos) return std::nullopt;  // it was cut
    *bytes = runner::from_base64(text.substr(0, dot));
    text.remove_prefix(dot + (dot == 0 ? 2 : 3));
  }
  return portion;
}

}  // namespace

/// One run on its thread.
class ShellRunner::Followed : public std::enable_shared_from_this<Followed> {
 public:
  Followed(std::shared_ptr<ShellAccess> access, const ShellMachine& machine, std::shared_ptr<Runs> runs, RunId run, std::shared_ptr<RunObserver> observer)
      : id(run), access_(std::move(access)), machine_(machine), directory_(machine.runs + run.str()), runs_(std::move(runs)), observer_(std::move(observer)) {}

  const RunId id;

  void start(const RunCommand& command);
  void reattach(std::uint64_t from_offset);
  void stop(std::chrono::milliseconds grace, bool cancelled);
  void pause(bool paused) {
    const std::lock_guard lock(mutex_);
    paused_ = paused;
    changed_.notify_all();
  }
  /// Nobody wants to hear of it any more; the run goes on.
  void drop() {
    const std::lock_guard lock(mutex_);
    dropped_ = true;
    changed_.notify_all();
  }

 private:
  void poll(std::optional<std::uint64_t> from_offset);
  void give(OutputStream stream, std::string_view bytes);
  void open_bridge(std::size_t max_body_bytes, QueueBridge::Beginning beginning);
  void leave();
  void end(ExitStatus status);
  void end_lost(std::string reason, std::string detail);
  void say_stop(std::chrono::milliseconds grace);
  bool wait(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    return !changed_.wait_for(lock, time, [&] { return dropped_; });
  }

  const std::shared_ptr<ShellAccess> access_;
  const ShellMachine machine_;
  const std::string directory_;
  const std::shared_ptr<Runs> runs_;
  const std::shared_ptr<RunObserver> observer_;
  std::shared_ptr<QueueBridge> bridge_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool paused_ = false, dropped_ = false, cancelled_ = false, started_ = false;
  std::optional<std::chrono::milliseconds> stop_asked_;

  // The thread's alone:
  std::uint64_t offset_ = 0, out_known_ = 0, err_known_ = 0;
  bool timed_out_ = false;
  std::chrono::milliseconds grace_ = default_grace;
};

void ShellRunner::Followed::start(const RunCommand& command) {
  std::string variables = "export PAPERCLIP_RUN_ID=" + id.str() + "\n";  // by which stop.sh finds who left the group
  for (const auto& [name, value] : command.env) variables += value.empty() ? "unset " + name + "\n" : "export " + name + "=" + shell_word(value) + "\n";
  const auto setup = command.callbacks.empty() || machine_.helper.empty() ? std::nullopt : runner::decode_callback_setup(command.callbacks);
  const std::string text = script("start.sh",
                                  {{"d", directory_},
                                   {"c", command.cwd.empty() ? machine_.cwd : command.cwd},
                                   {"w", std::to_string(std::chrono::ceil<std::chrono::seconds>(command.timeout).count())},
                                   {"h", setup ? machine_.interpreter : ""},
                                   {"f", machine_.program},
                                   {"m", setup ? std::to_string(setup->max_body_bytes) : ""}},
                                  command.argv);
  std::string input = runner::to_base64(variables) + "\n" + runner::to_base64(command.stdin_text) + "\n" + runner::to_base64(setup ? setup->token : "") + "\n";
  grace_ = command.grace;
  const auto output = access_->script(text, input, ShellAccess::Shell::login, Deadline::in(start_patience));
  wipe(variables.data(), variables.size());
  wipe(input.data(), input.size());
  if (!output) return end_lost("unreachable", output.error().message);
  // A talkative profile may have spoken first.
  const std::string& said = output->stdout_text;
  const std::size_t started = said.rfind("started\n"), refused = said.rfind("refused\n");
  if (started == std::string::npos) {
    ExitStatus status;
    status.start_error = std::string(trim(refused == std::string::npos ? output->stderr_text : said.substr(refused + 8)).substr(0, 1000));
    if (status.start_error.empty()) status.start_error = "The shell in the place says nothing";
    status.ended = Clock::system().now();
    return end(std::move(status));
  }
  std::optional<std::chrono::milliseconds> stop_asked;
  {
    const std::lock_guard lock(mutex_);
    started_ = true;
    stop_asked = stop_asked_;
  }
  const auto words = split(said.substr(started + 8), '\n');
  const int pid = number_in<int>(words[0]);
  observer_->on_started(pid, pid, Timestamp{words.size() > 1 ? number_in<std::int64_t>(words[1]) * 1000 : 0});
  if (setup) open_bridge(setup->max_body_bytes, QueueBridge::Beginning::fresh);
  if (stop_asked) access_->run([self = shared_from_this(), grace = *stop_asked] { self->say_stop(grace); });
  poll(std::nullopt);
}

void ShellRunner::Followed::reattach(std::uint64_t from_offset) {
  {
    const std::lock_guard lock(mutex_);
    started_ = true;
  }
  if (!machine_.helper.empty()) open_bridge(256 * 1024, QueueBridge::Beginning::taken_over);
  poll(from_offset);
}

void ShellRunner::Followed::open_bridge(std::size_t max_body_bytes, QueueBridge::Beginning beginning) {
  if (auto handler = observer_->frame_handler()) bridge_ = QueueBridge::start(access_, directory_, std::move(handler), max_body_bytes, beginning);
}

void ShellRunner::Followed::give(OutputStream stream, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, runner::record_bytes_limit);
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return !paused_ || dropped_; });
      if (dropped_) return;
    }
    observer_->on_output({stream, Clock::system().now(), offset_, offset_ + piece.size(), piece});
    offset_ += piece.size();
    bytes.remove_prefix(piece.size());
  }
}

void ShellRunner::Followed::poll(std::optional<std::uint64_t> from_offset) {
  using Clock = std::chrono::steady_clock;
  bool told_started = !from_offset;
  if (from_offset) offset_ = *from_offset;
  bool known = !from_offset;
  std::optional<Clock::time_point> give_up_at;
  std::chrono::milliseconds rest = 50ms;
  for (;;) {
    const auto output = access_->script(script("poll.sh", {{"d", directory_},
                                                           {"o", known ? std::to_string(out_known_) : ""},
                                                           {"e", std::to_string(err_known_)},
                                                           {"from", std::to_string(offset_)},
                                                           {"t", std::to_string(long_poll_s)}}),
                                        {}, ShellAccess::Shell::plain, Deadline::in(std::chrono::seconds(long_poll_s) + command_slack));
    {
      const std::lock_guard lock(mutex_);
      if (dropped_) break;
    }
    if (output && output->stdout_text.starts_with("gone")) return end_lost("nothing_left", "its directory in the place is gone");
    const auto portion = output ? read_portion(output->stdout_text) : std::nullopt;
    if (!portion) {
      if (!give_up_at) give_up_at = Clock::now() + access_->patience();
      if (Clock::now() >= *give_up_at) return end_lost("unreachable", output ? "the place does not answer: " + output->stderr_text.substr(0, 300) : output.error().message);
      if (!wait(rest)) break;
      rest = std::min<std::chrono::milliseconds>(rest * 2, longest_pause);
      continue;
    }
    rest = 50ms;
    give_up_at.reset();
    known = true;
    if (!told_started) observer_->on_started(portion->pid, portion->pid, Timestamp{portion->started_s * 1000});
    told_started = true;
    give(OutputStream::stdout_, portion->out);
    give(OutputStream::stderr_, portion->err);
    out_known_ = portion->out_at + portion->out.size();
    err_known_ = portion->err_at + portion->err.size();
    if (portion->state == Portion::State::lost) return end_lost("runner_lost", "the process that watched the agent was killed");
    if (portion->state == Portion::State::exited) {
      ExitStatus status;
      status.exit_code = portion->code;
      if (portion->code > 128 && *signal_name(portion->code - 128) != '\0') {
        status.exit_code.reset();
        status.signal = signal_name(portion->code - 128);
      }
      status.timed_out = timed_out_;
      status.started = Timestamp{portion->started_s * 1000};
      status.ended = Timestamp{portion->ended_s * 1000};
      return end(std::move(status));
    }
    if (!timed_out_ && portion->limit_s > 0 && portion->now_s - portion->started_s >= portion->limit_s) {
      timed_out_ = true;
      access_->run([self = shared_from_this(), grace = grace_] { self->say_stop(grace); });
    }
  }
  leave();
}

void ShellRunner::Followed::leave() {
  if (bridge_) bridge_->end();
  const std::lock_guard lock(runs_->mutex);
  runs_->live.erase(id);
}

void ShellRunner::Followed::end(ExitStatus status) {
  leave();  // who hears of the end may forget the run at once
  status.boundary = "process_group";
  status.output_bytes = offset_;
  {
    const std::lock_guard lock(mutex_);
    status.cancelled = cancelled_;
    if (dropped_) return;
  }
  observer_->on_exit(status);
}

void ShellRunner::Followed::end_lost(std::string reason, std::string detail) {
  say_stop(0ms);
  ExitStatus status;
  status.lost_reason = std::move(reason);
  status.lost_detail = std::move(detail);
  status.ended = Clock::system().now();
  end(std::move(status));
}

void ShellRunner::Followed::say_stop(std::chrono::milliseconds grace) {
  (void)access_->script(script("stop.sh", {{"d", directory_}, {"t", std::to_string(grace / 100ms)}, {"run", id.str()}}), {}, ShellAccess::Shell::plain,
                        Deadline::in(grace + command_slack));
}

void ShellRunner::Followed::stop(std::chrono::milliseconds grace, bool cancelled) {
  {
    const std::lock_guard lock(mutex_);
    cancelled_ |= cancelled;
    paused_ = false;
    changed_.notify_all();
    if (!started_) {
      stop_asked_ = grace;
      return;
    }
  }
  access_->run([self = shared_from_this(), grace] { self->say_stop(grace); });
}

ShellRunner::ShellRunner(std::shared_ptr<ShellAccess> access, ShellMachine machine)
    : access_(std::move(access)), machine_(std::move(machine)), runs_(std::make_shared<Runs>()) {}

ShellRunner::~ShellRunner() {
  const std::lock_guard lock(runs_->mutex);
  for (const auto& [id, followed] : runs_->live) followed->drop();
}

std::shared_ptr<ShellRunner::Followed> ShellRunner::find(RunId run) const {
  const std::lock_guard lock(runs_->mutex);
  const auto found = runs_->live.find(run);
  return found == runs_->live.end() ? nullptr : found->second;
}

Result<void> ShellRunner::follow(std::shared_ptr<Followed> followed) {
  const RunId id = followed->id;
  const std::lock_guard lock(runs_->mutex);
  if (!runs_->live.emplace(id, std::move(followed)).second) return conflict("Run " + id.str() + " is attached already");
  return success();
}

Result<void> ShellRunner::start(RunId id, const RunCommand& command, std::shared_ptr<RunObserver> observer) {
  TRY(check_texts(command));
  for (const auto& [name, value] : command.env)
    if (!is_shell_name(name)) return unprocessable("No runner works there, and a shell cannot set an environment variable of that name: \"" + name + "\"");
  auto followed = std::make_shared<Followed>(access_, machine_, runs_, id, std::move(observer));
  TRY(follow(followed));
  access_->run([followed, command] { followed->start(command); });
  return success();
}

Result<void> ShellRunner::reattach(RunId id, std::uint64_t from_offset, std::shared_ptr<RunObserver> observer) {
  auto followed = std::make_shared<Followed>(access_, machine_, runs_, id, std::move(observer));
  TRY(follow(followed));
  access_->run([followed, from_offset] { followed->reattach(from_offset); });
  return success();
}

void ShellRunner::cancel(RunId run, std::chrono::milliseconds grace) {
  if (const auto followed = find(run)) followed->stop(grace, true);
}
void ShellRunner::finish(RunId run, std::chrono::milliseconds grace) {
  if (const auto followed = find(run)) followed->stop(grace, false);
}
void ShellRunner::pause(RunId run) {
  if (const auto followed = find(run)) followed->pause(true);
}
void ShellRunner::resume(RunId run) {
  if (const auto followed = find(run)) followed->pause(false);
}

Result<void> ShellRunner::forget(RunId run) {
  if (find(run)) return conflict("Run " + run.str() + " is still attached");
  const auto output = TRY(access_->script(script("forget.sh", {{"d", machine_.runs + run.str()}}), {}, ShellAccess::Shell::plain, Deadline::in(30s)));
  if (!output.ok()) return conflict("Cannot forget run " + run.str() + ": " + std::string(trim(output.stderr_text)));
  return success();
}

}  // namespace paperclip::environments::shell
