#include "environments/remote_runner.h"

#include <algorithm>

#include "environments/start_frames.h"

namespace paperclip::environments {
namespace {

using namespace std::chrono_literals;
constexpr auto reach_patience = 30s, forget_patience = 30s;

class RemoteChannel : public Channel {
 public:
  RemoteChannel(std::shared_ptr<RunnerAccess> access, RunId run, std::shared_ptr<void> holder)
      : access_(std::move(access)), run_(run), holder_(std::move(holder)) {}

  Look look() override {
    Look found;
    holder_.reset();
    auto stream = access_->open_frames(RunnerAccess::Verb::attach, run_);
    if (!stream) {
      found.trouble = stream.error().message;
      return found;
    }
    holder_ = std::move(stream->holder);
    found.socket = std::move(stream->socket);
    return found;
  }
  /// Who answers over there gives the output before the exit.
  std::unique_ptr<EndedLog> rest(std::uint64_t) override { return nullptr; }
  std::chrono::milliseconds patience() const override { return access_->patience(); }
  std::chrono::milliseconds longest_pause() const override { return 500ms; }

 private:
  std::shared_ptr<RunnerAccess> access_;
  RunId run_;
  std::shared_ptr<void> holder_;
};

}  // namespace

os::Environment laid_over(const os::Environment& base, const os::Environment& over) {
  os::Environment whole = base;
  for (const auto& [name, value] : over) {
    std::erase_if(whole, [&](const auto& known) { return known.first == name; });
    if (!value.empty()) whole.emplace_back(name, value);
  }
  return whole;
}

RemoteRunner::RemoteRunner(std::shared_ptr<RunLoop> loop, std::shared_ptr<RunnerAccess> access, os::Environment base_environment)
    : loop_(std::move(loop)), access_(std::move(access)), base_environment_(std::move(base_environment)) {}

Result<void> RemoteRunner::start(RunId run, const RunCommand& command, std::shared_ptr<RunObserver> observer) {
  TRY(check_texts(command));
  if (loop_->follows(run)) return conflict("Run " + run.str() + " is attached already");
  RunCommand whole = command;
  whole.env = laid_over(base_environment_, command.env);
  TRY(access_->wait_reachable(Deadline::in(reach_patience)));
  auto stream = TRY(access_->open_frames(RunnerAccess::Verb::start, run));
  auto channel = std::make_unique<RemoteChannel>(access_, run, std::move(stream.holder));
  loop_->follow(std::make_shared<LiveRun>(run, std::move(channel), std::move(observer), std::move(stream.socket),
                                          opening_frames(run, whole, default_backlog_bytes)),
                0);
  return success();
}

Result<void> RemoteRunner::reattach(RunId run, std::uint64_t from_offset, std::shared_ptr<RunObserver> observer) {
  auto channel = std::make_unique<RemoteChannel>(access_, run, nullptr);
  if (!loop_->follow(std::make_shared<LiveRun>(run, std::move(channel), std::move(observer), from_offset), 0))
    return conflict("Run " + run.str() + " is attached already");
  return success();
}

void RemoteRunner::cancel(RunId run, std::chrono::milliseconds grace) { loop_->stop(run, grace, runner::StopReason::cancelled); }
void RemoteRunner::finish(RunId run, std::chrono::milliseconds grace) { loop_->stop(run, grace, runner::StopReason::finished); }
void RemoteRunner::pause(RunId run) { loop_->pause(run); }
void RemoteRunner::resume(RunId run) { loop_->resume(run); }

Result<void> RemoteRunner::forget(RunId run) {
  if (loop_->follows(run)) return conflict("Run " + run.str() + " is still attached");
  const auto output = TRY(access_->forget(run, Deadline::in(forget_patience)));
  if (!output.ok()) return conflict("Cannot forget run " + run.str() + ": " + output.stderr_text);
  return success();
}

}  // namespace paperclip::environments
