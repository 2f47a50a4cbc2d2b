#include "adapters/http/http.h"

#include <algorithm>
#include <cmath>

#include "adapters/config.h"
#include "base/text.h"

namespace paperclip::adapters {

namespace {

enum class UrlFault { none, invalid, protocol };

// As much as must hold before anything is sent: a scheme we speak and a host.
UrlFault url_fault(std::string_view url) {
  const auto colon = url.find("://");
  if (colon == std::string_view::npos || colon == 0) return UrlFault::invalid;
  const std::string scheme = lower(url.substr(0, colon));
  const auto rest = url.substr(colon + 3);
  const auto host = rest.substr(0, rest.find_first_of("/?#"));
  const bool odd = std::any_of(url.begin(), url.end(), [](unsigned char c) { return c <= ' ' || c == 0x7F; });
  if (host.empty() || odd) return UrlFault::invalid;
  return scheme == "http" || scheme == "https" ? UrlFault::none : UrlFault::protocol;
}

std::string milliseconds_text(std::chrono::milliseconds duration) { return std::to_string(duration.count()) + "ms"; }

}  // namespace

Result<HttpCall> HttpAdapter::prepare_call(const RunContext& run) const {
  HttpCall call;
  call.url = config_text(run.config, "url");
  if (call.url.empty()) return unprocessable("HTTP adapter missing url");
  if (url_fault(call.url) != UrlFault::none)
    return unprocessable("HTTP adapter url is not an http(s) address: \"" + call.url + "\"");
  call.method = config_text(run.config, "method", "POST");
  call.timeout =
      std::chrono::milliseconds(std::llround(std::clamp(config_number(run.config, "timeoutMs"), 0.0, 604800000.0)));

  call.headers = {{"content-type", "application/json"}};
  for (const auto& item : config_object(run.config, "headers")) {
    if (!item.value().is_string()) continue;
    const std::string name(item.key());
    const std::string value(item.value().get_string());
    if (value.find_first_of("\r\n") != std::string::npos || name.find_first_of("\r\n: ") != std::string::npos) continue;
    const auto same = std::find_if(call.headers.begin(), call.headers.end(),
                                   [&](const auto& header) { return equals_ignoring_case(header.first, name); });
    if (same != call.headers.end())
      same->second = value;
    else
      call.headers.emplace_back(name, value);
  }

  json::object body = config_object(run.config, "payloadTemplate");
  body["agentId"] = run.agent.id.view();
  body["runId"] = run.run_id.view();
  body["context"] = run.context;
  call.body = to_string(body);
  call.invocation = {{"adapterType", type()}, {"command", call.method + " " + call.url}, {"context", run.context}};
  return call;
}

AdapterResult HttpAdapter::finish_call(const HttpCall& call, const HttpOutcome& outcome) const {
  AdapterResult result;
  const std::string request = "HTTP " + call.method + " " + call.url;
  if (outcome.timed_out) {
    result.timed_out = true;
    result.error_code = "timeout";
    result.error_message = request + " timed out after " + milliseconds_text(call.timeout);
  } else if (outcome.status == 0) {
    result.error_message = request + " failed: " + (outcome.failure.empty() ? "no answer" : outcome.failure);
  } else if (outcome.status < 200 || outcome.status > 299) {
    result.error_message = "HTTP invoke failed with status " + std::to_string(outcome.status);
  } else {
    result.exit_code = 0;
    result.summary = request;
  }
  return result;
}

std::vector<Check> HttpAdapter::test(const SelfTest& test) const {
  const std::string url = config_text(test.config, "url");
  if (url.empty())
    return {{"http_url_missing",
             CheckLevel::error,
             "No url is configured",
             {},
             "Set adapterConfig.url to the address of your worker."}};
  std::vector<Check> checks;
  switch (url_fault(url)) {
    case UrlFault::invalid:
      checks.push_back({"http_url_invalid", CheckLevel::error, "Not an absolute URL: " + url});
      break;
    case UrlFault::protocol:
      checks.push_back({"http_url_protocol_invalid", CheckLevel::error, "Only http and https are spoken: " + url});
      break;
    case UrlFault::none: checks.push_back({"http_url_valid", CheckLevel::info, "Configured address: " + url}); break;
  }
  checks.push_back(
      {"http_method_configured", CheckLevel::info, "Configured method: " + config_text(test.config, "method", "POST")});
  if (checks.front().level == CheckLevel::error || !test.head) return checks;

  const auto status = test.head(url);
  if (!status.ok()) {
    checks.push_back({"http_endpoint_probe_failed", CheckLevel::warn, "The address did not answer",
                      Omit<std::string>(check_detail(status.error().message)),
                      "Fine if the worker starts later; otherwise check the address and the network."});
  } else if ((*status >= 200 && *status <= 299) || *status == 405 || *status == 501) {
    checks.push_back(
        {"http_endpoint_probe_ok", CheckLevel::info, "The address answered with status " + std::to_string(*status)});
  } else {
    checks.push_back({"http_endpoint_probe_unexpected_status", CheckLevel::warn,
                      "The address answered with status " + std::to_string(*status)});
  }
  return checks;
}

std::string HttpAdapter::documentation() const {
  return R"(# http

Sends one request for every heartbeat to a worker that runs elsewhere. An answer with a 2xx status ends the run as a success;
its body is not read. The worker does the work in its own time and reports through the API with an agent key of its own:
the request carries no credentials.

## Configuration (adapterConfig)

- url (string, required): http or https.
- method (string, POST).
- headers (object of strings): added to `content-type: application/json`.
- payloadTemplate (object): laid under the body.
- timeoutMs (number): milliseconds to wait for the answer; 0 means no limit.

## Body

`{...payloadTemplate, "agentId", "runId", "context"}`. The context holds the wake: `wakeReason`, `issueId`, `taskId`, the
comments in `paperclipWake`, the workspace.
)";
}

}  // namespace paperclip::adapters
