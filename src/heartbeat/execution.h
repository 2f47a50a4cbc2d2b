#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "adapters/adapter.h"
#include "environments/place.h"
#include "environments/runner.h"
#include "heartbeat/engine_state.h"
#include "heartbeat/log_pipe.h"
#include "heartbeat/run_bridge.h"
#include "heartbeat/run_egress.h"
#include "heartbeat/run_log.h"
#include "heartbeat/secret_mask.h"
#include "heartbeat/start_context.h"

namespace paperclip::heartbeat {

/// One run while it is here, from the claim until it is accounted for. `launch`, `take_over` and the end run on the
/// engine's pool, output on the runner's thread; the order launch → output → end keeps them apart.
class Execution : public environments::RunObserver, public std::enable_shared_from_this<Execution> {
 public:
  Execution(Engine::State& engine, domain::RunSetup setup);

  RunId run_id() const { return setup_.run.id; }
  AgentId agent_id() const { return setup_.run.agent_id; }

  /// Prepares and starts the command, or makes the call. Whatever goes wrong ends the run.
  void launch();
  /// Goes on with a run that an earlier server started.
  void take_over();
  /// The run was cancelled in the database; its process has to go.
  void cancel();
  bool is_cancelled() const { return cancelled_; }

  void on_started(int pid, int process_group, Timestamp started) override;
  void on_output(const environments::OutputChunk& chunk) override;
  void on_exit(const environments::ExitStatus& status) override;
  std::shared_ptr<environments::FrameHandler> frame_handler() override;

 private:
  /// What preparing made: a command or a call.
  struct Ready {
    StartContext start;
    std::optional<adapters::PreparedRun> command;
    std::optional<adapters::HttpCall> call;
  };
  Result<Ready> prepare(bool fresh_session);
  domain::StartFacts facts_of(Ready& ready) const;
  Result<> record_start(const domain::StartFacts& facts);
  Result<> begin(Ready ready);
  Result<> open_log();
  /// The one of this machine, or the place's.
  environments::Runner& runner() { return place_ ? place_->runner() : engine_.options.runner; }
  /// Gets the place where the run works, unless that is here.
  Result<> go_to_place();
  /// What has to stand there before the command starts.
  Result<> furnish_place(const adapters::PreparedRun& prepared);
  /// Brings back what the run changed there, once.
  void bring_work_back();
  /// Gives it back; the run's row says how the run ended.
  void leave_place();
  void say(std::string_view note);
  /// Which hosts its sandbox was kept from, in the log.
  void tell_refusals();
  Result<> start_command(bool again);
  void start_call(const adapters::HttpCall& call);
  void write_chunk(domain::OutputStream stream, std::string text, std::uint64_t offset, Timestamp at);
  void write_lines();
  void write_again();
  void flush_progress_sometimes();
  void linger_after_last_word();
  /// On the pool: the process is gone.
  void end_process();
  void end_call(const adapters::HttpCall& call, Result<net::ClientResponse> outcome);
  bool start_over(const adapters::AdapterResult& result);
  domain::RunReport report_of(const adapters::AdapterResult& result) const;
  domain::RunReport broken(const Error& error) const;
  void end(domain::RunReport report);
  void finalise(const domain::RunReport& report, int attempt);

  Engine::State& engine_;
  domain::RunSetup setup_;
  const adapters::Adapter* adapter_ = nullptr;
  std::optional<RunBridge> bridge_;  // of the process at hand
  std::optional<RunEgress> egress_;  // likewise
  SecretMask mask_;
  std::optional<Workspace> workspace_;  // once it is prepared
  std::optional<RunLog> log_;
  std::optional<LogPipe> out_, err_;
  struct Line {
    domain::OutputStream stream;
    std::string text;
    std::uint64_t offset;
    Timestamp at;
  };
  std::mutex log_mutex_;        // guards the next three; held while lines are written
  std::deque<Line> unwritten_;  // lines for which the disk has no room
  bool disk_waits_ = false, end_waits_ = false;
  bool spoke_ = false;
  std::unique_ptr<environments::Place> place_;  // none: this machine
  std::chrono::steady_clock::time_point place_wanted_since_;
  bool uploaded_ = false;
  std::string sync_error_;
  std::unique_ptr<adapters::OutputParser> parser_;
  environments::RunCommand command_;
  std::chrono::milliseconds timeout_{0};
  std::optional<std::chrono::milliseconds> last_word_grace_;
  bool lingering_ = false;
  bool took_over_ = false;
  bool started_over_ = false;
  std::uint64_t skip_out_ = 0, skip_err_ = 0;  // bytes that the log holds from an earlier server
  domain::OutputProgress progress_;
  std::chrono::steady_clock::time_point flushed_at_;
  environments::ExitStatus exit_;

  std::mutex cancel_mutex_;
  std::atomic<bool> cancelled_ = false;
  bool process_started_ = false;
  bool recording_ = false;  // the rows of the start are being written
  bool exited_ = false;
  std::optional<net::HttpClient::RequestId> call_;
};

}  // namespace paperclip::heartbeat
