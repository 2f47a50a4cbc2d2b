#include "machine.h"

#include <algorithm>

#include "os/child_environment.h"

namespace paperclip::simulator {

using environments::ExitStatus;
using environments::OutputStream;

namespace {
constexpr std::int64_t never = INT64_MAX;
}

void Machine::write_script(Process& process) {
  const auto add = [&](Step::Kind kind, std::int64_t after, std::string text = {}, int code = 0) { process.steps.push_back({kind, after, std::move(text), code}); };
  for (int i = dice_.between(0, 4); i > 0; --i)
    add(dice_.chance(0.7) ? Step::Kind::say : Step::Kind::grumble, dice_.between(0, 3000), "word " + std::to_string(++words_) + (dice_.chance(0.8) ? "\n" : ""));
  const int wishes = calm_ ? 1 : dice_.between(0, 2);
  for (int i = 0; i < wishes; ++i) add(Step::Kind::act, dice_.between(0, 20'000));
  if (!calm_ && dice_.chance(0.1)) return;  // it hangs
  add(Step::Kind::exit, dice_.between(1, dice_.chance(0.1) ? 900'000 : 10'000), {}, !calm_ && dice_.chance(0.15) ? 1 : 0);
}

Result<void> Machine::start(RunId run, const environments::RunCommand& command, std::shared_ptr<environments::RunObserver> observer) {
  if (processes_.contains(run)) return conflict("Run " + run.str() + " has a directory already");
  if (!calm_ && dice_.chance(0.03)) return internal_error("Cannot make run directory: No space left on device");
  auto process = std::make_unique<Process>();
  process->run = run;
  for (const auto& [name, value] : command.env) {
    if (name == "PAPERCLIP_AGENT_ID") process->agent = AgentId::parse(value);
    if (name == "PAPERCLIP_TASK_ID") process->issue = IssueId::parse(value);
  }
  process->grace_ms = command.grace.count();
  process->obeys = dice_.chance(0.8);
  process->started_at = clock_.steady_ms();
  process->started_wall = clock_.now();
  if (command.timeout.count() > 0) process->timeout_at = process->started_at + command.timeout.count();
  process->observer = std::move(observer);
  write_script(*process);
  process->next_at = process->steps.empty() ? never : process->started_at + process->steps.front().after_ms;
  ++starts_[run];
  processes_.emplace(run, std::move(process));
  return success();
}

Result<void> Machine::reattach(RunId run, std::uint64_t, std::shared_ptr<environments::RunObserver> observer) {
  const auto found = processes_.find(run);
  if (found == processes_.end()) return internal_error("nothing is known of run " + run.str());
  Process& process = *found->second;
  if (process.observer) return conflict("Run " + run.str() + " is attached already");
  process.observer = std::move(observer);
  process.told_start = process.told_exit = false;
  process.given = 0;
  return success();
}

void Machine::terminate(RunId run, std::chrono::milliseconds grace, bool cancelled) {
  const auto found = processes_.find(run);
  if (found == processes_.end() || !found->second->alive) return;
  Process& process = *found->second;
  process.cancelled |= cancelled;
  const std::int64_t at = clock_.steady_ms() + (process.obeys ? std::min<std::int64_t>(grace.count(), dice_.between(1, 800)) : grace.count());
  process.killed_at = std::min(process.killed_at.value_or(never), at);
  process.term_sent = true;
}

Result<void> Machine::forget(RunId run) {
  const auto found = processes_.find(run);
  if (found == processes_.end()) return success();
  if (found->second->observer) return conflict("Run " + run.str() + " is still attached");
  if (found->second->alive) return conflict("Run " + run.str() + " is still alive");
  past_[run] = std::move(found->second);
  processes_.erase(found);
  return success();
}

std::vector<RunId> Machine::known_runs() const {
  std::vector<RunId> runs;
  for (const auto& item : processes_) runs.push_back(item.first);
  return runs;
}

std::int64_t Machine::next_at(const Process& process) const {
  return std::min({process.next_at, process.killed_at.value_or(never), process.timeout_at.value_or(never)});
}

std::optional<std::int64_t> Machine::next_event() const {
  std::int64_t next = never;
  for (const auto& item : processes_)
    if (item.second->alive) next = std::min(next, next_at(*item.second));
  return next == never ? std::nullopt : std::optional(next);
}

void Machine::end(Process& process, ExitStatus status) {
  process.alive = false;
  status.cancelled = process.cancelled;
  status.timed_out = process.timed_out;
  status.started = process.started_wall;
  status.ended = clock_.now();
  process.exit = std::move(status);
}

std::optional<Step> Machine::step(Process& process) {
  const std::int64_t now = clock_.steady_ms();
  ExitStatus status;
  if (process.killed_at && *process.killed_at <= now) {
    status.signal = process.obeys ? "SIGTERM" : "SIGKILL";
    end(process, status);
    return std::nullopt;
  }
  if (process.timeout_at && *process.timeout_at <= now) {
    process.timeout_at.reset();
    process.timed_out = true;
    process.killed_at = std::min(process.killed_at.value_or(never), now + (process.obeys ? 1 : process.grace_ms));
    return std::nullopt;
  }
  Step step = std::move(process.steps.front());
  process.steps.pop_front();
  process.next_at = process.steps.empty() ? never : now + process.steps.front().after_ms;
  switch (step.kind) {
    case Step::Kind::say: process.output.push_back({OutputStream::stdout_, clock_.now(), step.text}); return std::nullopt;
    case Step::Kind::grumble: process.output.push_back({OutputStream::stderr_, clock_.now(), step.text}); return std::nullopt;
    case Step::Kind::exit:
      status.exit_code = step.exit_code;
      end(process, status);
      return std::nullopt;
    case Step::Kind::act: return step;
  }
  return std::nullopt;
}

std::vector<RunId> Machine::with_news() const {
  std::vector<RunId> runs;
  for (const auto& [run, process] : processes_)
    if (process->observer && (!process->told_start || process->given < process->output.size() || (!process->alive && !process->told_exit))) runs.push_back(run);
  return runs;
}

void Machine::tell(RunId run) {
  const auto found = processes_.find(run);
  if (found == processes_.end() || !found->second->observer) return;
  Process& process = *found->second;
  const auto observer = process.observer;
  if (!process.told_start) {
    process.told_start = true;
    observer->on_started(1000, 1000, process.started_wall);
  } else if (process.given < process.output.size()) {
    const auto& chunk = process.output[process.given];
    const std::uint64_t offset = process.given++;
    observer->on_output({chunk.stream, chunk.time, offset, offset + 1, chunk.bytes});
  } else if (!process.alive) {
    process.told_exit = true;
    process.observer.reset();
    observer->on_exit(process.exit);
  }
}

void Machine::detach_all() {
  for (auto& item : processes_) item.second->observer.reset();
}

void Machine::reboot() {
  for (auto& item : processes_) {
    if (!item.second->alive) continue;
    ExitStatus status;
    status.lost_reason = "machine_restarted";
    end(*item.second, status);
  }
}

void Machine::lose_one() {
  auto living = alive();
  if (living.empty()) return;
  ExitStatus status;
  status.lost_reason = "runner_lost";
  end(*dice_.one_of(living), status);
}

std::vector<Process*> Machine::alive() {
  std::vector<Process*> found;
  for (auto& item : processes_)
    if (item.second->alive) found.push_back(item.second.get());
  return found;
}

int Machine::starts_of(RunId run) const {
  const auto found = starts_.find(run);
  return found == starts_.end() ? 0 : found->second;
}

}  // namespace paperclip::simulator
