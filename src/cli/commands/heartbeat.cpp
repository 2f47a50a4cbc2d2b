#include <fmt/format.h>

#include <ostream>

#include "base/deadline.h"
#include "cli/change_signal.h"
#include "cli/client_command.h"
#include "cli/commands/agent_path.h"
#include "cli/commands/all.h"
#include "cli/output.h"
#include "cli/run_log.h"

namespace paperclip::cli {

namespace {

using namespace std::chrono_literals;

struct RunOptions : ClientOptions {
  std::string agent, source = "on_demand", trigger = "manual", issue, reason;
  std::int64_t timeout_ms = 0;
  bool debug = false;
};

std::string known_or(const std::string& word, std::initializer_list<const char*> known, const char* otherwise) {
  for (const char* one : known)
    if (word == one) return word;
  return otherwise;
}

void print_failure(std::ostream& out, const json::value& run) {
  const auto line = [&](std::string_view label, const std::optional<std::string>& text) {
    if (text) out << label << ": " << *text << '\n';
  };
  line("Error", text_at(run, "error"));
  if (const auto* result = member(run, "resultJson"); result != nullptr && result->is_object())
    for (auto key : {"subtype", "is_error", "errors", "result"})
      if (const auto* value = member(*result, key); value != nullptr && !value->is_null())
        out << key << ": " << (value->is_string() ? std::string(value->get_string()) : to_string(*value)) << '\n';
  line("stdout", text_at(run, "stdoutExcerpt"));
  line("stderr", text_at(run, "stderrExcerpt"));
}

// Prints a run's events and log as they come, until it has ended.
class Following {
 public:
  Following(Client& client, std::ostream& out, std::string run_id, std::string adapter_type, bool debug)
      : client_(client), out_(out), log_(std::move(run_id)), adapter_type_(std::move(adapter_type)), debug_(debug) {}

  /// The run as it ended, or as it is when the deadline passes.
  Result<json::value> run(Deadline deadline) {
    std::optional<ChangeSignal> changes;
    while (true) {
      json::value run = TRY(client_.get(path("/api/heartbeat-runs/{}", {log_.run_id()})));
      const std::string status = string_at(run, "status").value_or("");
      if (status != status_) out_ << "Status: " << (status_ = status) << '\n';
      TRY(print_events());
      TRY(print_log());
      if (is_final_run_status(status)) {
        for (const auto& line : lines_.rest()) print_line("stdout", line);
        return run;
      }
      if (deadline.passed()) return run;
      out_ << std::flush;
      if (changes)
        changes->wait(std::min<std::chrono::milliseconds>(1s, deadline.left()));
      else
        changes.emplace(
            client_,
            string_at(run, "companyId").value_or(""));  // and look once more: something may have passed meanwhile
    }
  }

 private:
  Result<> print_events() {
    const json::value events = TRY(client_.get(
        fmt::format("{}?afterSeq={}&limit=100", path("/api/heartbeat-runs/{}/events", {log_.run_id()}), sequence_)));
    if (!events.is_array()) return {};
    for (const auto& event : events.get_array()) {
      if (const auto* seq = member(event, "seq"); seq != nullptr && seq->is_int64())
        sequence_ = std::max(sequence_, seq->get_int64());
      const std::string type = string_at(event, "eventType").value_or("");
      if (type == "adapter.invoke" && member(event, "payload") != nullptr)
        print_invocation(*member(event, "payload"));
      else if (debug_)
        out_ << fmt::format("[{}] {}\n", type, string_at(event, "message").value_or(""));
    }
    return {};
  }

  void print_invocation(const json::value& payload) {
    out_ << "Invocation: " << string_at(payload, "adapterType").value_or(adapter_type_) << '\n';
    if (auto cwd = text_at(payload, "cwd")) out_ << "  in " << *cwd << '\n';
    if (auto command = text_at(payload, "command")) {
      out_ << "  $ " << *command;
      if (const auto* args = member(payload, "commandArgs"); args != nullptr && args->is_array())
        for (const auto& arg : args->get_array())
          if (arg.is_string()) out_ << ' ' << compact(arg.get_string(), 200);
      out_ << '\n';
    }
    if (!debug_) return;
    for (auto key : {"env", "context", "prompt"})
      if (const auto* value = member(payload, key); value != nullptr && !value->is_null())
        out_ << "  " << key << ": " << (value->is_string() ? std::string(value->get_string()) : to_string(*value))
             << '\n';
  }

  Result<> print_log() {
    for (const auto& chunk : TRY(log_.read(client_)))
      for (const auto& line : lines_.feed(chunk.stream, chunk.text)) print_line(chunk.stream, line);
    return {};
  }

  void print_line(const std::string& stream, const std::string& line) {
    if (debug_)
      out_ << '[' << stream << "] " << line << '\n';
    else if (stream == "stderr")
      out_ << "[stderr] " << line << '\n';
    else if (const auto shown = readable_line(adapter_type_, line); !shown.empty() || line.empty())
      out_ << shown << '\n';
  }

  Client& client_;
  std::ostream& out_;
  RunLogTail log_;
  LineJoiner lines_;
  std::string adapter_type_, status_;
  std::int64_t sequence_ = 0;
  bool debug_;
};

Result<int> run(Client& client, const RunOptions& options) {
  const json::value agent = TRY(client.get(agent_path(client, "/api/agents/{}", options.agent)));
  const std::string id = string_at(agent, "id").value_or("");
  json::object body{
      {"source", known_or(options.source, {"timer", "assignment", "on_demand", "automation"}, "on_demand")},
      {"triggerDetail", known_or(options.trigger, {"manual", "ping", "callback", "system"}, "manual")}};
  put(body, "reason", options.reason);
  if (!options.issue.empty()) body["payload"] = json::object{{"issueId", options.issue}};
  const json::value started = TRY(client.post(path("/api/agents/{}/wakeup", {id}), body));
  // With --json the run alone is on stdout, and what it says goes where progress goes.
  std::ostream& out = client.as_json() ? client.around().err : client.around().out;
  if (string_at(started, "status") == "skipped") {
    out << "Skipped: " << string_at(started, "message").value_or("the wakeup was skipped") << '\n';
    if (client.as_json()) client.print(started);
    return 0;
  }
  const std::string run_id = string_at(started, "id").value_or("");
  out << fmt::format("Run {} of {}\n", run_id, string_at(agent, "name").value_or(id));
  Following following(client, out, run_id, string_at(agent, "adapterType").value_or(""), options.debug);
  const json::value ended = TRY(following.run(
      options.timeout_ms > 0 ? Deadline::in(std::chrono::milliseconds(options.timeout_ms)) : Deadline::never()));
  const std::string status = string_at(ended, "status").value_or("");
  if (!is_final_run_status(status))
    out << fmt::format("Not finished after {} ms; the run goes on. Cancel it with `paperclip heartbeat cancel {}`.\n",
                       options.timeout_ms, run_id);
  else if (status != "succeeded")
    print_failure(out, ended);
  if (client.as_json()) client.print(ended);
  return status == "succeeded" ? 0 : 1;
}

struct RunReference : ClientOptions {
  std::string run;
};
void declare_run(OptionSet& command, RunReference& options) { command.add("run", options.run, "Run id").required(); }

struct RunList : ClientOptions {
  std::string agent;
  std::int64_t limit = 20;
};

Result<> list(Client& client, const RunList& options) {
  QueryText query;
  query.add("agentId", options.agent).add("limit", std::to_string(options.limit));
  client.print(TRY(client.get(query.after(path("/api/companies/{}/heartbeat-runs", {TRY(client.company())})))),
               {"id", "status", "agentId", "invocationSource", "createdAt", "startedAt", "finishedAt", "error"});
  return {};
}

Result<> get(Client& client, const RunReference& options) {
  client.print(TRY(client.get(path("/api/heartbeat-runs/{}", {options.run}))));
  return {};
}

Result<> cancel(Client& client, const RunReference& options) {
  client.print(TRY(client.post(path("/api/heartbeat-runs/{}/cancel", {options.run}), json::object{})));
  return {};
}

struct LogOptions : RunReference {
  bool debug = false;
};

// Follows a run that someone else started; one that has ended is printed as a whole.
Result<int> log(Client& client, const LogOptions& options) {
  Following following(client, client.around().out, options.run, {}, options.debug);
  const json::value ended = TRY(following.run(Deadline::never()));
  return string_at(ended, "status") == "succeeded" ? 0 : 1;
}

}  // namespace

void add_heartbeat_commands(CommandLine& line) {
  const auto group = line.group("heartbeat", "Runs of agents");
  add_client_command<RunOptions>(
      line, group, "run", "Wake an agent and follow its run; the exit code tells how it ended", CompanyOption::taken,
      [](OptionSet& command, RunOptions& options) {
        command.add("-a,--agent-id", options.agent, "Agent").required();
        command.add("--source", options.source, "timer, assignment, on_demand or automation").with_default();
        command.add("--trigger", options.trigger, "manual, ping, callback or system").with_default();
        command.add("--issue-id", options.issue, "The issue it shall work on");
        command.add("--reason", options.reason, "Why, as the agent is told");
        command.add("--timeout-ms", options.timeout_ms, "Stop following after this long; 0 follows to the end")
            .with_default();
        command.flag("--debug", options.debug, "Show everything as it comes");
      },
      run);
  add_client_command<RunList>(
      line, group, "list", "List runs, newest first", CompanyOption::taken,
      [](OptionSet& command, RunList& options) {
        command.add("--agent-id", options.agent, "Only of this agent");
        command.add("--limit", options.limit, "How many").with_default().range(1, 1000);
      },
      list);
  add_client_command<RunReference>(line, group, "get", "Show a run", CompanyOption::none, declare_run, get);
  add_client_command<LogOptions>(
      line, group, "log", "Follow what a run says", CompanyOption::none,
      [](OptionSet& command, LogOptions& options) {
        declare_run(command, options);
        command.flag("--debug", options.debug, "Show everything as it comes");
      },
      log);
  add_client_command<RunReference>(line, group, "cancel", "Cancel a run", CompanyOption::none, declare_run, cancel);
}

}  // namespace paperclip::cli
