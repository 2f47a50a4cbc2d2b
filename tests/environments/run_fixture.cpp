#include "run_fixture.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "base/json.h"

namespace paperclip::environments {
namespace {
constexpr std::chrono::seconds patience{120};  // only a failing test waits that long; the machine may be busy
}

bool eventually(const std::function<bool()>& condition, std::chrono::seconds limit) {
  const Deadline deadline = Deadline::in(limit);
  while (!condition()) {
    if (deadline.passed()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

std::vector<int> processes_with(const std::string& text) {
  std::vector<int> found;
  const auto names = os::list_directory("/proc");
  for (const std::string& name : *names) {
    const int pid = std::atoi(name.c_str());
    if (pid <= 0 || pid == ::getpid()) continue;
    const auto line = os::read_file("/proc/" + name + "/cmdline");
    if (line && line->find(text) != std::string::npos) found.push_back(pid);
  }
  return found;
}

std::filesystem::path program(const char* name) {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
}

void Recorder::on_started(int pid, int process_group, Timestamp) {
  const std::lock_guard lock(mutex_);
  pid_ = pid;
  group_ = process_group;
  changed_.notify_all();
}

void Recorder::on_output(const OutputChunk& chunk) {
  {
    const std::lock_guard lock(mutex_);
    (chunk.stream == OutputStream::stdout_ ? out_ : err_).append(chunk.bytes);
    chunks_.push_back(chunk);
    chunks_.back().bytes = {};
    changed_.notify_all();
  }
  if (after_chunk) after_chunk();
}

void Recorder::on_exit(const ExitStatus& status) {
  const std::lock_guard lock(mutex_);
  EXPECT_FALSE(exit_) << "a run ends once";
  exit_ = status;
  changed_.notify_all();
}

template <class Condition>
bool Recorder::wait(Condition condition) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, condition);
}

int Recorder::wait_started() {
  EXPECT_TRUE(wait([&] { return pid_ != 0 || exit_; })) << "the run did not start";
  return pid_;
}

void Recorder::wait_output(const std::string& text) {
  EXPECT_TRUE(wait([&] { return out_.find(text) != std::string::npos; })) << "no \"" << text << "\" in: " << out();
}

ExitStatus Recorder::wait_exit() {
  EXPECT_TRUE(wait([&] { return exit_.has_value(); })) << "the run did not end";
  return exit().value_or(ExitStatus{});
}

std::string Recorder::out() const {
  const std::lock_guard lock(mutex_);
  return out_;
}
std::string Recorder::err() const {
  const std::lock_guard lock(mutex_);
  return err_;
}
std::uint64_t Recorder::next_offset() const {
  const std::lock_guard lock(mutex_);
  return chunks_.empty() ? 0 : chunks_.back().next_offset;
}
std::vector<OutputChunk> Recorder::chunks() const {
  const std::lock_guard lock(mutex_);
  return chunks_;
}
std::optional<ExitStatus> Recorder::exit() const {
  const std::lock_guard lock(mutex_);
  return exit_;
}

RunFixture::RunFixture() : root_(std::move(os::TemporaryDirectory::create()).value()) { restart_server(); }

void RunFixture::use_boundary(const std::string& boundary) {
  boundary_ = boundary;
  restart_server();
}

void RunFixture::restart_server(const char* runner) {
  runner_.reset();
  auto created = LocalRunner::create(
      {.runner = program(runner), .root = root_.path() / "runs", .boundary = boundary_});
  if (!created) throw std::runtime_error(created.error().message);
  runner_ = std::move(*created);
}

RunCommand RunFixture::command(std::vector<std::string> argv) {
  RunCommand command;
  command.argv = std::move(argv);
  command.cwd = "/";
  command.env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}};
  return command;
}

std::shared_ptr<Recorder> RunFixture::start(const RunCommand& command) {
  auto recorder = std::make_shared<Recorder>();
  const auto started = runner_->start(run_, command, recorder);
  EXPECT_TRUE(started) << started.error().message;
  return recorder;
}

std::shared_ptr<Recorder> RunFixture::finish(const RunCommand& command) {
  auto recorder = start(command);
  recorder->wait_exit();
  return recorder;
}

int RunFixture::written_pid(const std::string& key) const {
  const auto text = os::read_file(run_directory() / "runner.pid");
  if (!text) return 0;
  const auto value = parse_json(*text);
  const json::value* pid = value ? member(*value, key) : nullptr;
  return pid ? pid->to_number<int>() : 0;
}

void RunFixture::kill_written(const std::string& key, int signal) const {
  const int pid = written_pid(key);
  ASSERT_GT(pid, 1) << "runner.pid does not say " << key;  // 0 would be ourselves and all around us
  ASSERT_EQ(::kill(pid, signal), 0);
}

}  // namespace paperclip::environments
