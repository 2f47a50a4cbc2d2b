#include <spdlog/spdlog.h>

#include "adapters/output.h"
#include "heartbeat/execution.h"
#include "os/crash_point.h"

/// The end of a run here: what the process left becomes a report, the report becomes rows.
namespace paperclip::heartbeat {

using namespace std::chrono_literals;
using domain::OutputStream;

namespace {

constexpr int most_attempts = 10;  // 40 s

std::optional<std::string> or_none(const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); }

std::string lost_message(const environments::ExitStatus& exit) {
  std::string message = "Process lost (" + exit.lost_reason + ")";
  if (!exit.lost_detail.empty()) message += ": " + exit.lost_detail;
  return message;
}

}  // namespace

void Execution::end_process() {
  {
    std::lock_guard lock(log_mutex_);
    if (!unwritten_.empty()) {
      end_waits_ = true;  // `write_again` goes on
      return;
    }
  }
  try {
    if (!exit_.start_error.empty()) return end(broken(unprocessable(exit_.start_error)));
    adapters::Exit exit;
    exit.code = exit_.exit_code;
    exit.signal = exit_.signal;
    exit.timed_out = exit_.timed_out;
    const auto result = parser_->finish(exit, engine_.options.clock.now());
    if (result.session_unknown && start_over(result)) return;
    bring_work_back();
    auto report = report_of(result);
    if (!sync_error_.empty() && report.result.is_object()) report.result.get_object()["workspaceSyncError"] = mask_.mask(sync_error_);
    if (!exit_.lost_reason.empty()) {
      report.lost = true;
      report.error_code = "process_lost";
      report.error_message = mask_.mask(lost_message(exit_));
    }
    end(std::move(report));
  } catch (const std::exception& problem) {
    end(broken(internal_error(problem.what())));
  }
}

// The tool did not know the session it was to resume: once more, without one (spec/adapters.md 3.5).
bool Execution::start_over(const adapters::AdapterResult& result) {
  {
    std::lock_guard lock(cancel_mutex_);
    if (started_over_ || cancelled_ || exit_.timed_out || !exit_.lost_reason.empty()) return false;
    started_over_ = true;
    process_started_ = false;
  }
  // The second process's output counts from its own beginning.
  out_.emplace(mask_, 0);
  err_.emplace(mask_, 0);
  say(result.retry_note + "\n");
  setup_.session.session_id.reset();
  setup_.session.display_id.reset();
  setup_.session.params.reset();
  setup_.session.from_task_session = false;
  auto ready = prepare(true);
  if (!ready) {
    end(broken(ready.error()));
    return true;
  }
  lingering_ = false;
  if (auto started = start_command(true); !started) end(broken(started.error()));
  return true;
}

void Execution::end_call(const adapters::HttpCall& call, Result<net::ClientResponse> outcome) {
  adapters::HttpOutcome seen;
  if (outcome) {
    seen.status = outcome->status;
  } else {
    seen.timed_out = outcome.error().kind == ErrorKind::timeout;
    seen.failure = outcome.error().message;
  }
  end(report_of(adapter_->finish_call(call, seen)));
}

domain::RunReport Execution::report_of(const adapters::AdapterResult& result) const {
  domain::RunReport report;
  report.exit_code = result.exit_code;
  report.signal = or_none(result.signal);
  report.timed_out = result.timed_out;
  report.error_message = mask_.mask(result.error_message);
  report.error_code = result.error_code;
  report.error_family = result.error_family;
  report.retry_not_before = result.retry_not_before;
  if (result.usage) {
    report.usage.tokens = domain::TokenCounts{result.usage->input_tokens, result.usage->cached_input_tokens, result.usage->output_tokens};
    report.usage.is_session_total = result.usage->is_session_total;
  }
  report.usage.provider = result.billing.provider;
  report.usage.biller = result.billing.biller;
  report.usage.model = result.billing.model;
  report.usage.billing_type = result.billing.type;
  report.usage.cost_usd = result.billing.cost_usd;
  report.session.clear = result.clear_session;
  if (result.session) {
    if (!result.session->id.empty()) report.session.session_id = Patch<std::string>(result.session->id);
    const auto kept = adapter_->session_params(json::value(result.session->params));
    report.session.params = kept ? Patch<json::object>(*kept) : Patch<json::object>::null();
    if (!result.session->display_id.empty()) report.session.display_id = Patch<std::string>(result.session->display_id);
  }
  report.result = mask_.mask_json(result.result);
  report.summary = mask_.mask(result.summary);
  return report;
}

domain::RunReport Execution::broken(const Error& error) const {
  domain::RunReport report;
  report.broke = true;
  report.error_message = mask_.mask(error.message);
  return report;
}

void Execution::end(domain::RunReport report) {
  report.session_before = setup_.session;
  report.model_profile = setup_.profile.describe();
  report.timeout_seconds = static_cast<double>(timeout_.count()) / 1000.0;
  report.timeout_configured = timeout_.count() > 0;
  if (adapter_ != nullptr && adapter_->form() == adapters::RunForm::http_call) report.timeout_ms = timeout_.count();
  if (log_) {
    report.log_ref = run_log_ref(setup_.run.company_id, setup_.run.agent_id, setup_.run.id);
    report.log_bytes = static_cast<std::int64_t>(log_->bytes());
    report.log_sha256 = log_->finish_sha256();
    report.stdout_excerpt = log_->tail(OutputStream::stdout_);
    report.stderr_excerpt = log_->tail(OutputStream::stderr_);
    report.progress = progress_;
  }
  finalise(report, 1);
}

void Execution::finalise(const domain::RunReport& report, int attempt) {
  const RunId run = setup_.run.id;
  std::optional<Error> failure;
  domain::Finalised finalised;
  try {
    auto outcome = engine_.options.database.write([&](store::Transaction& tx) { return domain::finalise_run(tx, run, setup_.run.fence, report); });
    if (outcome) finalised = *std::move(outcome);
    else failure = outcome.error();
  } catch (const std::exception& problem) {
    failure = internal_error(problem.what());
  }
  // A database that cannot write now will some day; until then the run keeps its slot. Anything else is a fault of ours, and
  // the next server takes the run over.
  const bool again = failure && failure->kind != ErrorKind::conflict && failure->kind != ErrorKind::not_found;
  if (again && (failure->kind == ErrorKind::unavailable || attempt < most_attempts)) {
    spdlog::error("run.finalise_failed run={} attempt={} error=\"{}\"", run.view(), attempt, failure->message);
    engine_.run_later(std::chrono::milliseconds(250) * (1 << std::min(attempt, 6)),
                      [self = shared_from_this(), report, attempt] { self->finalise(report, attempt + 1); });
    return;
  }
  if (failure) {
    finalised.waiting_agents = {agent_id()};
    spdlog::error("run.finalise_given_up run={} error=\"{}\"", run.view(), failure->message);
  } else if (process_started_ || started_over_) {
    crash_point("terminal.committed");
    if (auto forgotten = runner().forget(run); !forgotten)
      spdlog::warn("run.directory_stays run={} error=\"{}\"", run.view(), forgotten.error().message);
  }
  if (!failure) engine_.figures.count_end(finalised.status);
  leave_place();
  spdlog::info("run.ended run={} agent={} status={}", run.view(), agent_id().view(), to_text(finalised.status));
  engine_.remove(run, finalised.waiting_agents);
}

}  // namespace paperclip::heartbeat
