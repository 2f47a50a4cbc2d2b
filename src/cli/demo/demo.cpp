#include <fmt/format.h>
#include <signal.h>

#include <ostream>
#include <thread>

#include "base/deadline.h"
#include "cli/change_signal.h"
#include "cli/command_line.h"
#include "cli/demo/agent.h"
#include "cli/demo/all.h"
#include "cli/demo/company.h"
#include "cli/demo/private_server.h"
#include "cli/demo/view.h"
#include "cli/output.h"

/// `paperclip demo`: a small company at work, without a model and without a network.
namespace paperclip::cli {

namespace {

using namespace std::chrono_literals;

struct DemoOptions {
  std::string api_base, api_key, home;
  std::int64_t below = 2'000'000, pace_ms = 500, timeout_ms = 60'000;
  bool keep = false, as_json = false;
};

// SIGINT and SIGTERM, taken when we are ready for them.
class Interrupts {
 public:
  Interrupts() {
    sigemptyset(&signals_);
    for (int signal : {SIGINT, SIGTERM}) sigaddset(&signals_, signal);
    pthread_sigmask(SIG_BLOCK, &signals_, &before_);
  }
  ~Interrupts() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  bool came(std::chrono::milliseconds wait = 0ms) const {
    const timespec time{wait.count() / 1000, (wait.count() % 1000) * 1'000'000};
    return sigtimedwait(&signals_, nullptr, &time) > 0;
  }
  void await() const {
    int signal = 0;
    sigwait(&signals_, &signal);
  }

 private:
  sigset_t signals_{}, before_{};
};

enum class Outcome { finished, stuck, interrupted };

struct Watched {
  Outcome outcome = Outcome::stuck;
  demo::Snapshot last;
};

// Whether nothing more will happen: every issue closed, every run ended.
bool at_rest(const demo::Snapshot& now) {
  return !now.issues.empty() && now.issues_done() == now.issues.size() && now.runs_live() == 0;
}

Result<Watched> watch(Client& client, const demo::Company& company, demo::View& view, const Interrupts& interrupts,
                      Deadline deadline) {
  ChangeSignal changes(client, company.id);
  demo::Listening listening;
  while (true) {
    Watched watched{.last = TRY(demo::take_snapshot(client, company))};
    TRY(listening.hear(client, watched.last, view));
    view.show(watched.last);
    watched.outcome = at_rest(watched.last) ? Outcome::finished
                      : interrupts.came()   ? Outcome::interrupted
                                            : Outcome::stuck;
    if (watched.outcome != Outcome::stuck || deadline.passed()) {
      view.finish(watched.last);
      return watched;
    }
    changes.wait(std::min<std::chrono::milliseconds>(500ms, deadline.left()));
  }
}

json::object summary_of(const demo::Company& company, const Client& client, const Watched& watched,
                        std::chrono::milliseconds took) {
  const auto& last = watched.last;
  json::array issues;
  for (const auto& issue : last.issues)
    issues.emplace_back(json::object{
        {"identifier", issue.identifier}, {"title", issue.title}, {"status", issue.status}, {"agent", issue.agent}});
  return {{"ok", watched.outcome == Outcome::finished && last.runs_in("succeeded") == last.runs.size()},
          {"outcome", watched.outcome == Outcome::finished      ? "finished"
                      : watched.outcome == Outcome::interrupted ? "interrupted"
                                                                : "timed_out"},
          {"companyId", company.id},
          {"apiBase", client.base()},
          {"issue", company.top_identifier},
          {"issuesTotal", last.issues.size()},
          {"issuesDone", last.issues_done()},
          {"runsTotal", last.runs.size()},
          {"runsSucceeded", last.runs_in("succeeded")},
          {"costCents", last.spent_cents},
          {"durationMs", took.count()},
          {"issues", std::move(issues)}};
}

void print_summary(std::ostream& out, const json::object& summary, const std::string& almanac,
                   const demo::Snapshot& last) {
  const auto number = [&](const char* key) { return summary.at(key).to_number<std::int64_t>(); };
  if (!almanac.empty()) out << "\n" << almanac << "\n";
  out << fmt::format("{} of {} issues done, {} of {} runs succeeded, {} spent, {:.1f} s.\n", number("issuesDone"),
                     number("issuesTotal"), number("runsSucceeded"), number("runsTotal"), dollars(number("costCents")),
                     static_cast<double>(number("durationMs")) / 1000);
  if (summary.at("outcome") != "timed_out") return;
  out << "It did not finish in time. Open:\n";
  for (const auto& issue : last.issues)
    if (issue.status != "done")
      out << fmt::format("  {} {} ({}, {})\n", issue.identifier, issue.title, issue.status, issue.agent);
  for (const auto& run : last.runs)
    if (run.status != "succeeded")
      out << fmt::format("  run {} of {} on {}: {} {}\n", run.id, run.agent, run.issue_identifier, run.status,
                         run.error);
}

Result<int> play(Client& client, const DemoOptions& options, const demo::Plan& plan, const Interrupts& interrupts) {
  const Surroundings& around = client.around();
  std::ostream& out = options.as_json ? around.err : around.out;
  const auto began = std::chrono::steady_clock::now();
  const demo::Company company = TRY(demo::found_company(client, plan));
  out << fmt::format("{} is founded: {} agents, one issue. Watch them work.\n\n", company.name, company.agents.size())
      << std::flush;
  demo::View view(out, around.colour && !options.as_json);
  auto watched = watch(client, company, view, interrupts, Deadline::in(std::chrono::milliseconds(options.timeout_ms)));
  if (!watched || watched->outcome != Outcome::finished) demo::pause_agents(client, company);
  if (!watched) return std::move(watched).error();
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
  const json::object summary = summary_of(company, client, *watched, took);
  const auto page = client.get(path("/api/issues/{}/documents/almanac", {company.top_issue_id}));
  const std::string almanac = page ? string_at(*page, "body").value_or("") : "";
  if (options.as_json) {
    json::object whole = summary;
    whole["almanac"] = almanac.empty() ? json::value(nullptr) : json::value(almanac);
    print_value(around.out, whole, true);
    around.out << std::flush;
  } else {
    print_summary(out, summary, almanac, watched->last);
  }
  if (options.keep && watched->outcome != Outcome::interrupted)
    out << fmt::format("\nStill running: {}/{}/issues/{}\n", client.base(), company.issue_prefix,
                       company.top_identifier)
        << std::flush;
  return summary.at("ok") == true ? 0 : 1;
}

Result<int> demo_command(const Surroundings& around, const DemoOptions& options) {
  std::error_code problem;
  demo::Plan plan{.program = std::filesystem::read_symlink("/proc/self/exe", problem).string(),
                  .directory = std::filesystem::temp_directory_path().string(),
                  .limit = static_cast<std::uint32_t>(options.below),
                  .pace = std::chrono::milliseconds(options.pace_ms)};
  if (problem) return internal_error("Cannot find out which program this is: " + problem.message());
  const Interrupts interrupts;  // before any thread starts
  if (!options.api_base.empty()) {
    std::string base = options.api_base;
    Client client(around, base, options.api_key);
    return play(client, options, plan, interrupts);
  }
  auto server = TRY(demo::PrivateServer::start(around, options.home));
  Client client(around, server.url(), {});
  auto played = play(client, options, plan, interrupts);
  if (played && options.keep) {
    (options.as_json ? around.err : around.out)
        << "Ctrl-C stops the server" << (options.home.empty() ? " and removes its data.\n" : ".\n") << std::flush;
    interrupts.await();
  }
  return played;
}

struct AgentOptions {
  std::string part;
};

Result<int> agent_command(const Surroundings& around, const AgentOptions& options) {
  auto seat = TRY(demo::Seat::take(around));
  return options.part == "lead" ? demo::run_lead(seat) : demo::run_worker(seat);
}

}  // namespace

void add_demo_commands(CommandLine& line) {
  line.add<DemoOptions>(
      line.top(), "demo", "Watch a small company of agents work; needs no model and no network",
      [](OptionSet& command, DemoOptions& options) {
        command.flag("--keep", options.keep, "Leave the server running until Ctrl-C");
        command.add("--home", options.home, "Keep its data here, in place of a temporary directory");
        command.add("--api-base", options.api_base,
                    "Use this server instead of one of its own; it must run on this machine");
        command.add("--api-key", options.api_key, "Bearer token for that server");
        command.add("--below", options.below, "How far the agents count").range(1000, 100'000'000).with_default();
        command.add("--pace-ms", options.pace_ms, "How long an agent rests after each line it says")
            .range(0, 10'000)
            .with_default();
        command.add("--timeout-ms", options.timeout_ms, "Give up after this long").range(1000, 600'000).with_default();
        command.flag("--json", options.as_json, "Print a summary as JSON; progress goes to stderr");
      },
      demo_command);
  line.add<AgentOptions>(
      line.top(), "demo-agent", "",
      [](OptionSet& command, AgentOptions& options) {
        command.add("part", options.part, "lead or worker").required().one_of({"lead", "worker"});
      },
      agent_command);
}

}  // namespace paperclip::cli
