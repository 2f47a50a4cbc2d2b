#pragma once

#include "../domain/work_fixture.h"
#include "base/text.h"
#include "base/write_json.h"
#include "domain/access/run_token.h"
#include "domain/runs/cancel.h"
#include "domain/secrets/vault.h"
#include "environments/local_runner.h"
#include "heartbeat/engine.h"
#include "heartbeat/live_events.h"
#include "heartbeat/run_log.h"
#include "net/client.h"
#include "os/child_environment.h"
#include "os/files.h"

namespace paperclip::test {

using namespace std::chrono_literals;

/// The real engine on a real database with the real runner; agents of kind `process`.
class Running : public Work {
 protected:
  void SetUp() override {
    Work::SetUp();
    if (IsSkipped()) return;
    vault_.emplace(*domain::SecretVault::open("", place_.path() / "master.key", Random::system()));
    open_engine();
  }
  void TearDown() override {
    close_engine();
    Work::TearDown();
  }

  /// For scenarios that have more places than this machine.
  virtual void end_other_places() {}
  /// For scenarios that need more of the engine.
  virtual void adjust(heartbeat::EngineOptions&) {}

  void open_engine(int max_live_runs = 64) {
    environments::LocalRunnerOptions options;
    options.runner = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "paperclip-runner";
    options.root = place_.path() / "runs";
    auto runner = environments::LocalRunner::create(options);
    ASSERT_TRUE(runner.ok()) << runner.error().message;
    runner_ = std::move(*runner);
    http_ = std::make_unique<net::HttpClient>();
    live_ = std::make_unique<heartbeat::LiveEvents>(*database_);
    heartbeat::EngineOptions engine{*database_, Clock::system(), *vault_, tokens_, *runner_, *http_, *live_};
    engine.host = os::own_environment();
    engine.instance_root = place_.path();
    engine.run_log_directory = place_.path() / "logs";
    engine.operation_log_directory = place_.path() / "operation-logs";
    engine.server_cwd = place_.path();
    engine.max_live_runs = max_live_runs;
    engine.scheduler_interval = 1h;
    adjust(engine);
    engine_ = std::make_unique<heartbeat::Engine>(std::move(engine));
    engine_->start("http://127.0.0.1:1");
  }
  /// As a server that stops: the agents stay. The database goes with it, because it delivers events to the engine.
  void close_engine() {
    if (!engine_) return;
    engine_->stop(Deadline::in(5s));
    runner_.reset();
    end_other_places();
    http_.reset();
    database_.reset();
    engine_.reset();
    live_.reset();
  }
  void restart(int max_live_runs = 64) {
    close_engine();
    reopen();
    open_engine(max_live_runs);
  }

  domain::Agent worker(const std::string& name, const std::string& script, const std::string& more = "", const std::string& runtime = "{}") {
    auto agent = hire(name, runtime);
    std::string config = R"({"command":"/bin/sh","args":["-c",)";
    append_json(config, script);
    config += "]" + more + "}";
    EXPECT_TRUE(execute("update agents set adapter_config = :1 where id = :2", RawJson(config), agent.id).ok());
    return agent;
  }
  RunId start(AgentId agent, const std::string& task_key = "") {
    auto wish = request();
    if (!task_key.empty()) wish.payload = json::object{{"taskKey", task_key}};
    const auto attempt = wake(agent, wish);
    EXPECT_TRUE(attempt.outcome.run_id);
    return attempt.outcome.run_id.value_or(RunId());
  }
  /// Waits until the condition holds; looks again after every committed event and now and then.
  template <class Condition>
  bool eventually(Condition condition, std::chrono::milliseconds limit = 20s) {
    const auto deadline = Deadline::in(limit);
    while (!condition()) {
      if (deadline.passed()) return false;
      (void)engine_->wait_idle(Deadline::in(20ms));
    }
    return true;
  }
  bool reaches(RunId id, domain::RunStatus status) {
    return eventually([&] { return run(id).status == status; });
  }
  /// Processes whose command line holds the text.
  int processes_with(std::string_view text) {
    int found = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const auto line = os::read_file(entry.path() / "cmdline");
      found += line.ok() && line->find(text) != std::string::npos && entry.path().filename() != std::to_string(::getpid());
    }
    return found;
  }
  /// What the process gave as a text of its result.
  std::string result_text(RunId id, std::string_view key) { return string_at(run(id).result_json->parse(), key).value_or("(none)"); }
  std::string log_of(RunId id) {
    const auto row = run(id);
    const auto piece = heartbeat::read_run_log(place_.path() / "logs", row.log_ref.value_or("none"), 0, 64 << 20);
    return piece.ok() ? piece->content : "";
  }
  /// The chunks of one stream, joined.
  std::string said(RunId id, std::string_view stream) {
    std::string out;
    for (const auto& line : split(log_of(id), '\n')) {
      if (line.empty()) continue;
      const auto parsed = parse_json(line);
      if (parsed.ok() && text_at(*parsed, "stream") == stream) out += std::string(member(*parsed, "chunk")->get_string());
    }
    return out;
  }

  os::TemporaryDirectory place_ = *os::TemporaryDirectory::create();
  std::optional<domain::SecretVault> vault_;
  domain::RunTokens tokens_{SecretText("a secret for tests")};
  std::unique_ptr<environments::LocalRunner> runner_;
  std::unique_ptr<net::HttpClient> http_;
  std::unique_ptr<heartbeat::LiveEvents> live_;
  std::unique_ptr<heartbeat::Engine> engine_;
};

}  // namespace paperclip::test
