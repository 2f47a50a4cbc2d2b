#include "heartbeat/execution.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "adapters/registry.h"
#include "base/text.h"
#include "base/write_json.h"
#include "domain/agents/agents.h"
#include "heartbeat/run_place.h"
#include "os/child_environment.h"
#include "os/crash_point.h"
#include "os/files.h"
#include "runner/egress.h"

namespace paperclip::heartbeat {

using namespace std::chrono_literals;
using domain::OutputStream;

namespace {
constexpr auto progress_interval = 60s;
constexpr auto log_retry = 500ms;
constexpr std::size_t longest_frame_chunk = 8192;
constexpr auto place_retry = 5s;
constexpr auto place_patience = 10min;
}  // namespace

Execution::Execution(Engine::State& engine, domain::RunSetup setup)
    : engine_(engine), setup_(std::move(setup)), flushed_at_(engine_.options.clock.steady()) {}

void Execution::launch() {
  const auto self = shared_from_this();
  try {
    auto ready = prepare(false);
    auto begun = ready ? begin(*std::move(ready)) : Result<>(std::move(ready).error());
    if (!begun) end(broken(begun.error()));
  } catch (const std::exception& problem) {
    end(broken(internal_error(problem.what())));
  }
}

// Secrets, workspace, context, command: everything that needs a disk or a key.
Result<Execution::Ready> Execution::prepare(bool fresh_session) {
  const auto& options = engine_.options;
  auto env = TRY(domain::resolve_env(options.vault, setup_.env));
  adapters::RunContext run;
  run.run_id = setup_.run.id;
  run.adapter_type = setup_.agent.adapter_type;
  adapter_ = &adapters::adapter_for_run(run.adapter_type);
  run.agent.id = setup_.agent.id;
  run.agent.company_id = setup_.agent.company_id;
  run.agent.name = setup_.agent.name;
  std::string row;
  domain::append_agent_json(row, setup_.agent);
  run.agent.row = RawJson(std::move(row)).parse().as_object();
  run.config = setup_.config;
  json::object values;
  std::vector<std::string> secrets;
  for (const auto& [name, value] : env.values) values[name] = value;
  for (const auto& name : env.secret_keys) {
    run.secret_environment_names.push_back(name);
    secrets.push_back(env.values.at(name));
  }
  run.config["env"] = std::move(values);

  if (!workspace_) {
    workspace_ = took_over_ ? recalled_workspace(setup_, options.instance_root) : TRY(prepare_workspace(setup_, engine_.workspace_host));
    if (setup_.session.params)
      for (const auto& item : workspace_->session_moves) (*setup_.session.params)[item.key()] = item.value();
  }
  const Workspace& workspace = *workspace_;
  TRY(go_to_place());
  Ready ready;
  ready.start = start_context(setup_, workspace);
  if (place_) {
    run.place = execution_place(*place_, setup_);
    describe_place(ready.start, *place_, setup_);
  }
  run.context = setup_.context;
  for (const auto& item : ready.start.context) run.context[item.key()] = item.value();
  run.session.id = setup_.session.session_id.value_or("");
  run.session.display_id = setup_.session.display_id.value_or("");
  run.session.params = setup_.session.params.value_or(json::object());
  run.session.task_key = setup_.session.task_key.value_or("");
  run.retry_with_fresh_session = fresh_session;
  run.api_url = engine_.api_url;
  run.agent_home = workspace.agent_home;
  run.instance_root = options.instance_root;
  run.server_cwd = options.server_cwd;
  run.host = options.host;
  // Where nobody listens for the agent, this server's own address leads nowhere.
  const bool can_call = !place_ || place_->description().mute.empty();
  if (place_ && !place_->description().notice.empty()) ready.start.notes.push_back(place_->description().notice);
  if (!can_call) ready.start.notes.push_back(place_->description().mute);
  bridge_ = adapter_->form() == adapters::RunForm::http_call || !can_call ? std::nullopt : RunBridge::open(options, setup_);
  if (bridge_) {
    bridge_->describe(run);
    secrets.push_back(bridge_->token());
  } else if (can_call && adapter_->wants_run_token()) {
    // Of the claim's time, so that a server that takes the run over makes the same token and masks it.
    run.auth_token = options.tokens.issue(setup_.agent.id, setup_.agent.company_id, run.adapter_type, setup_.run.id, setup_.run.started_at.value_or(options.clock.now()));
    secrets.push_back(run.auth_token);
  }
  if (place_) egress_ = TRY(RunEgress::open(options.egress, place_->description()));
  mask_ = SecretMask(secrets);
  if (!log_) TRY(open_log());

  if (adapter_->form() == adapters::RunForm::http_call) {
    ready.call = TRY(adapter_->prepare_call(run));
    timeout_ = ready.call->timeout;
    return ready;
  }
  ready.command = TRY(adapter_->prepare(run));
  auto& prepared = *ready.command;
  timeout_ = prepared.timeout;
  last_word_grace_ = prepared.terminal_result_grace;
  parser_ = std::move(prepared.parser);
  command_ = {};
  command_.argv = std::move(prepared.argv);
  command_.cwd = prepared.cwd;
  command_.env.assign(prepared.environment.begin(), prepared.environment.end());
  command_.stdin_text = prepared.stdin_text.value_or("");
  if (bridge_) bridge_->lay_over(command_);
  if (egress_) egress_->lay_over(command_);
  command_.timeout = prepared.timeout;
  if (prepared.grace.count() > 0) command_.grace = prepared.grace;
  return ready;
}

Result<> Execution::open_log() {
  log_ = TRY(RunLog::open(engine_.options.run_log_directory, run_log_ref(setup_.run.company_id, setup_.run.agent_id, setup_.run.id)));
  skip_out_ = log_->positions().out;
  skip_err_ = log_->positions().err;
  out_.emplace(mask_, skip_out_);
  err_.emplace(mask_, skip_err_);
  progress_.seq = log_->lines();
  progress_.bytes = static_cast<std::int64_t>(log_->bytes());
  return {};
}

domain::StartFacts Execution::facts_of(Ready& ready) const {
  domain::StartFacts facts;
  facts.context = std::move(ready.start.context);
  facts.lease_metadata = std::move(ready.start.lease_metadata);
  facts.invocation = mask_.mask_json(json::value(ready.command ? ready.command->invocation : ready.call->invocation));
  facts.log_ref = run_log_ref(setup_.run.company_id, setup_.run.agent_id, setup_.run.id);
  return facts;
}

Result<> Execution::record_start(const domain::StartFacts& facts) {
  return engine_.options.database.write([&](store::Transaction& tx) { return domain::record_start(tx, setup_, facts); });
}

// The process, and while it comes to life the rows that tell of its start: the disk's time for a commit is not added to
// the agent's. A server that dies between the two finds the run's directory and writes the rows when it takes it over.
Result<> Execution::begin(Ready ready) {
  for (const auto& note : ready.start.notes) say("[paperclip] " + note + "\n");
  if (ready.command)
    for (const auto& note : ready.command->log_notes) say(note + "\n");
  const domain::StartFacts facts = facts_of(ready);
  if (ready.call) {
    TRY(record_start(facts));
    start_call(*ready.call);
    return {};
  }
  if (place_) TRY(furnish_place(*ready.command));
  else if (ready.command->create_cwd) TRY(os::make_directories(command_.cwd));
  {
    std::lock_guard lock(cancel_mutex_);
    if (cancelled_) return conflict("The run was cancelled");
    recording_ = true;
  }
  auto started = start_command(false);
  auto recorded = record_start(facts);
  bool over = false;
  {
    std::lock_guard lock(cancel_mutex_);
    recording_ = false;
    over = exited_;
  }
  // Whatever went wrong with the rows (a cancel that came in between, a disk that is full), a process that runs is
  // followed to its end, which says what became of the run.
  if (!recorded && started) {
    spdlog::warn("run.start_not_recorded run={} error=\"{}\"", setup_.run.id.view(), recorded.error().message);
    runner().cancel(setup_.run.id, command_.grace);
  }
  if (over) end_process();
  return started;
}

Result<> Execution::start_command(bool again) {
  auto& runner = this->runner();
  if (again) TRY(runner.forget(setup_.run.id));
  crash_point("spawn.before");
  if (auto started = runner.start(setup_.run.id, command_, shared_from_this()); !started) {
    if (started.error().kind != ErrorKind::unprocessable && started.error().kind != ErrorKind::bad_request) return started;
    // What tools check beforehand, adapters report in words of their own; here it is as if the start had failed.
    return unprocessable("Failed to start command \"" + command_.argv.front() + "\" in \"" + command_.cwd +
                         "\". Verify adapter command, working directory, and PATH (" + std::string(os::value_in(command_.env, "PATH")) + ").");
  }
  crash_point("spawn.after");
  command_.env.clear();  // it holds secrets, and is not needed again
  command_.stdin_text.clear();
  command_.callbacks.clear();
  std::lock_guard lock(cancel_mutex_);
  process_started_ = true;
  if (cancelled_) runner.cancel(setup_.run.id, command_.grace);
  return {};
}

void Execution::start_call(const adapters::HttpCall& call) {
  net::ClientRequest request;
  request.method = call.method;
  request.url = call.url;
  for (const auto& [name, value] : call.headers) request.headers.add(name, value);
  request.body = call.body;
  request.timeout = call.timeout.count() > 0 ? call.timeout : std::chrono::milliseconds(24h);
  std::lock_guard lock(cancel_mutex_);
  call_ = engine_.options.http.send(std::move(request), [self = shared_from_this(), call](Result<net::ClientResponse> outcome) {
    auto shared = std::make_shared<Result<net::ClientResponse>>(std::move(outcome));
    self->engine_.run_job([self, call, shared] { self->end_call(call, *std::move(shared)); });
  });
  if (cancelled_) engine_.options.http.cancel(*call_);
}

void Execution::cancel() {
  std::lock_guard lock(cancel_mutex_);
  cancelled_ = true;
  if (process_started_) runner().cancel(setup_.run.id, command_.grace);
  if (call_) engine_.options.http.cancel(*call_);
}

void Execution::on_started(int pid, int process_group, Timestamp started) {
  // The reference knows no process of `process` agents, and its clients expect none.
  if (setup_.agent.adapter_type == "process") return;
  engine_.run_job([self = shared_from_this(), pid, process_group, started] {
    (void)self->engine_.options.database.write([&](store::Transaction& tx) -> Result<> {
      tx.execute("update heartbeat_runs set process_pid = :1, process_group_id = :2, process_started_at = :3, updated_at = :4 where id = :5 and fence = :6",
                 pid, process_group, started, tx.now(), self->setup_.run.id, self->setup_.run.fence);
      return {};
    });
  });
}

void Execution::on_output(const environments::OutputChunk& chunk) {
  tell_refusals();
  const bool err = chunk.stream == environments::OutputStream::stderr_;
  crash_point("output.before");
  const bool first = !std::exchange(spoke_, true);
  if (first) crash_point("first_output.before");
  parser_->feed(err ? adapters::OutputStream::err : adapters::OutputStream::out, chunk.bytes);
  auto& skip = err ? skip_err_ : skip_out_;
  const auto known = std::min<std::uint64_t>(skip, chunk.bytes.size());
  skip -= known;
  auto& pipe = err ? *err_ : *out_;
  std::string text = pipe.feed(chunk.bytes.substr(known));
  write_chunk(err ? OutputStream::stderr_ : OutputStream::stdout_, std::move(text), pipe.taken(), chunk.time);
  crash_point("output.logged");  // and nobody told the runner
  if (first) crash_point("first_output.after");
  linger_after_last_word();
  flush_progress_sometimes();
}

// A tool that has said its last word may linger a little, no longer (spec/execution.md 10).
void Execution::linger_after_last_word() {
  if (lingering_ || !last_word_grace_ || !parser_->terminal_result_seen()) return;
  lingering_ = true;
  engine_.run_later(*last_word_grace_, [self = shared_from_this()] { self->runner().finish(self->setup_.run.id, self->command_.grace); });
}

void Execution::say(std::string_view note) {
  if (log_) write_chunk(OutputStream::stdout_, std::string(note), out_->taken(), engine_.options.clock.now());
}

void Execution::write_chunk(OutputStream stream, std::string text, std::uint64_t offset, Timestamp at) {
  if (text.empty()) return;
  text = bounded_log_chunk(std::move(text));
  {
    std::lock_guard lock(log_mutex_);
    unwritten_.push_back({stream, text, offset, at});
    if (disk_waits_) runner().pause(setup_.run.id);  // again: it may have started since
    else write_lines();
  }
  progress_.at = at;
  ++progress_.seq;
  progress_.stream = stream;
  if (!engine_.options.live.has_listeners(setup_.run.company_id)) return;
  const auto shown = utf8_tail(text, longest_frame_chunk);
  std::string payload;
  JsonObjectWriter(payload)
      .field("runId", setup_.run.id)
      .field("agentId", setup_.run.agent_id)
      .field("ts", at)
      .field("stream", stream)
      .field("chunk", shown)
      .field("truncated", shown.size() < text.size())
      .end();
  engine_.options.live.publish(setup_.run.company_id, "heartbeat.run.log", payload, at);
}

// A disk that is full or gone loses nothing: the run says nothing more until there is room, and its agent waits in its pipe.
void Execution::write_lines() {
  for (; !unwritten_.empty(); unwritten_.pop_front()) {
    const auto& line = unwritten_.front();
    const auto before = log_->bytes();
    if (auto written = log_->append(line.at, line.stream, line.text, line.offset); !written) {
      if (!disk_waits_) spdlog::error("run_log.write_failed run={} error=\"{}\"", setup_.run.id.view(), written.error().message);
      runner().pause(setup_.run.id);
      disk_waits_ = true;
      engine_.run_later(log_retry, [self = shared_from_this()] { self->write_again(); });
      return;
    }
    engine_.figures.count_log_bytes(log_->bytes() - before);
    progress_.bytes = static_cast<std::int64_t>(log_->bytes());
  }
}

void Execution::write_again() {
  bool end_waits;
  {
    std::lock_guard lock(log_mutex_);
    write_lines();
    if (!unwritten_.empty()) return;
    disk_waits_ = false;
    end_waits = end_waits_;
  }
  spdlog::info("run_log.writes_again run={}", setup_.run.id.view());
  runner().resume(setup_.run.id);
  if (end_waits) end_process();
}

void Execution::flush_progress_sometimes() {
  const auto now = engine_.options.clock.steady();
  if (now - flushed_at_ < progress_interval || !progress_.at) return;
  flushed_at_ = now;
  engine_.run_job([self = shared_from_this(), progress = progress_] {
    (void)self->engine_.options.database.write([&](store::Transaction& tx) -> Result<> {
      domain::record_output_progress(tx, self->setup_.run.id, self->setup_.run.fence, progress);
      return {};
    });
  });
}

std::shared_ptr<environments::FrameHandler> Execution::frame_handler() {
  if (!egress_) return bridge_ ? bridge_->frame_handler() : nullptr;
  auto all = std::make_shared<environments::FrameSwitch>();
  all->add(runner::is_egress, egress_->frame_handler());
  if (bridge_) all->add([](runner::FrameType) { return true; }, bridge_->frame_handler());
  return all;
}

void Execution::tell_refusals() {
  if (!egress_) return;
  for (const auto& line : egress_->take_refusals()) say("[paperclip] " + mask_.mask(line) + "\n");
}

void Execution::on_exit(const environments::ExitStatus& status) {
  if (bridge_) bridge_->close();
  if (egress_) egress_->close();
  tell_refusals();
  exit_ = status;
  const Timestamp now = engine_.options.clock.now();
  write_chunk(OutputStream::stdout_, out_->finish(), out_->taken(), now);
  write_chunk(OutputStream::stderr_, err_->finish(), err_->taken(), now);
  {
    std::lock_guard lock(cancel_mutex_);
    exited_ = true;
    if (recording_) return;  // `begin` goes on with it
  }
  // While the server stops, the next one accounts for it: the run's directory has all there is to know.
  engine_.run_job([self = shared_from_this()] { self->end_process(); });
}

void Execution::take_over() {
  const auto self = shared_from_this();
  took_over_ = true;
  try {
    if (!workspace_) workspace_ = recalled_workspace(setup_, engine_.options.instance_root);
    // Its place may not be within reach yet: a host that is away, a plugin that is still starting.
    if (auto placed = go_to_place(); !placed) {
      const auto now = std::chrono::steady_clock::now();
      if (place_wanted_since_ == std::chrono::steady_clock::time_point()) place_wanted_since_ = now;
      if (placed.error().kind != ErrorKind::gone && now - place_wanted_since_ < place_patience)
        return engine_.run_later(place_retry, [self] { self->take_over(); });
      domain::RunReport report = broken(unprocessable("Process lost (unreachable): " + placed.error().message));
      report.lost = true;
      report.error_code = "process_lost";
      return end(std::move(report));
    }
    auto ready = prepare(false);
    if (!ready) return end(broken(ready.error()));
    {
      std::lock_guard lock(cancel_mutex_);
      process_started_ = true;
    }
    if (!setup_.run.log_ref && ready->command)
      if (auto recorded = record_start(facts_of(*ready)); !recorded)
        spdlog::warn("run.start_not_recorded run={} error=\"{}\"", setup_.run.id.view(), recorded.error().message);
    // The adapter has to see everything again; the log goes on where it was.
    if (auto attached = runner().reattach(setup_.run.id, 0, shared_from_this()); !attached) return end(broken(attached.error()));
    std::lock_guard lock(cancel_mutex_);
    if (cancelled_ || setup_.run.status == domain::RunStatus::cancelled) runner().cancel(setup_.run.id, command_.grace);
  } catch (const std::exception& problem) {
    end(broken(internal_error(problem.what())));
  }
}

}  // namespace paperclip::heartbeat
