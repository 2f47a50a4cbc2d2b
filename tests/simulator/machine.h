#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chance.h"
#include "environments/runner.h"

namespace paperclip::simulator {

/// What an agent does next.
struct Step {
  enum class Kind { say, grumble, act, exit } kind = Kind::exit;
  std::int64_t after_ms = 0;
  std::string text;
  int exit_code = 0;
};

/// An agent at work, and the directory its runner keeps.
struct Process {
  RunId run;
  std::optional<AgentId> agent;
  std::optional<IssueId> issue;
  std::deque<Step> steps;  // none left: it hangs until somebody ends it
  std::int64_t next_at = 0;
  std::optional<std::int64_t> killed_at, timeout_at;
  std::int64_t grace_ms = 0;
  bool obeys = true;       // ends soon after SIGTERM
  bool term_sent = false, cancelled = false, timed_out = false;
  bool alive = true;
  environments::ExitStatus exit;
  std::int64_t started_at = 0;  // steady
  Timestamp started_wall;

  struct Chunk {
    environments::OutputStream stream;
    Timestamp time;
    std::string bytes;
  };
  std::vector<Chunk> output;

  std::shared_ptr<environments::RunObserver> observer;  // of the server that is attached
  bool told_start = false, told_exit = false;
  std::size_t given = 0;
};

/// The machine on which agents run: it lives on when the server dies.
class Machine final : public environments::Runner {
 public:
  Machine(VirtualClock& clock, Dice& dice) : clock_(clock), dice_(dice) {}

  Result<void> start(RunId run, const environments::RunCommand& command, std::shared_ptr<environments::RunObserver> observer) override;
  Result<void> reattach(RunId run, std::uint64_t from_offset, std::shared_ptr<environments::RunObserver> observer) override;
  void cancel(RunId run, std::chrono::milliseconds grace) override { terminate(run, grace, true); }
  void finish(RunId run, std::chrono::milliseconds grace) override { terminate(run, grace, false); }
  void pause(RunId) override {}
  void resume(RunId) override {}
  Result<void> forget(RunId run) override;
  std::vector<RunId> known_runs() const override;

  /// From now on agents do their work and end well, so that the simulation ends.
  void calm_down() { calm_ = true; }
  /// Everything that is due happens; `act` is called for agents that want something of the API.
  template <class Act>
  void proceed(Act&& act) {
    for (auto& [run, process] : processes_)
      while (process->alive && next_at(*process) <= clock_.steady_ms())
        if (auto wish = step(*process)) act(*process, *wish);
  }
  std::optional<std::int64_t> next_event() const;
  /// Processes with something the server has not heard yet.
  std::vector<RunId> with_news() const;
  /// Tells the server one thing of the run.
  void tell(RunId run);
  /// The server is gone.
  void detach_all();
  void reboot();
  /// The runner of a process is killed; its guardian ends everything.
  void lose_one();

  const std::map<RunId, std::unique_ptr<Process>>& processes() const { return processes_; }
  /// Of runs that were forgotten.
  const std::map<RunId, std::unique_ptr<Process>>& past() const { return past_; }
  std::vector<Process*> alive();
  int starts_of(RunId run) const;

 private:
  void terminate(RunId run, std::chrono::milliseconds grace, bool cancelled);
  std::int64_t next_at(const Process& process) const;
  std::optional<Step> step(Process& process);
  void end(Process& process, environments::ExitStatus status);
  void write_script(Process& process);

  VirtualClock& clock_;
  Dice& dice_;
  bool calm_ = false;
  int words_ = 0;
  std::map<RunId, std::unique_ptr<Process>> processes_, past_;
  std::map<RunId, int> starts_;
};

}  // namespace paperclip::simulator
