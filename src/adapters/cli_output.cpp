#include "adapters/cli_output.h"

#include "adapters/cli.h"

namespace paperclip::adapters {

void CliOutput::feed(OutputStream stream, std::string_view bytes) {
  if (stream == OutputStream::err) return err_.feed(bytes);
  out_.feed(bytes);
  read(bytes);
}

AdapterResult CliOutput::finish(const Exit& exit, Timestamp now) {
  const std::string out = out_.text(), err = err_.text();
  CliVerdict verdict = judge({out, err, exit, facts_.timeout, now});
  AdapterResult result = std::move(verdict.result);
  const Billing named = std::move(result.billing);
  result.billing = facts_.billing;
  result.billing.cost_usd = named.cost_usd;
  result.billing.model = named.model.empty() ? facts_.configured_model : named.model;
  if (!facts_.resumed_session.empty() && !exit.timed_out && !result.error_message.empty() && verdict.session_unknown) {
    result.session_unknown = true;
    result.retry_note = "[paperclip] " + facts_.tool + " resume session \"" + facts_.resumed_session +
                        "\" is unavailable; retrying with a fresh session.";
    result.clear_session = true;
    return result;
  }
  add_session(result, verdict);
  return result;
}

void CliOutput::add_session(AdapterResult& result, const CliVerdict& verdict) const {
  if (result.clear_session || result.timed_out || !verdict.tells_of_session) return;
  if (verdict.session_id.empty()) {
    result.clear_session = facts_.retried;
    return;
  }
  Session session;
  session.id = session.display_id = verdict.session_id;
  session.params = facts_.session_params;
  session.params["sessionId"] = verdict.session_id;
  result.session = std::move(session);
}

bool judge_exit(AdapterResult& result, const CliEvidence& evidence) {
  result.exit_code = evidence.exit.code;
  result.signal = evidence.exit.signal;
  result.timed_out = evidence.exit.timed_out;
  if (!evidence.exit.start_failure.empty()) {
    result.error_message = evidence.exit.start_failure;
    return true;
  }
  if (!evidence.exit.timed_out) return false;
  result.error_message = timed_out_message(evidence.timeout);
  result.error_code = "timeout";
  return true;
}

}  // namespace paperclip::adapters
