#include "cli/demo/view.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <ostream>

#include "base/text.h"
#include "cli/output.h"

namespace paperclip::cli::demo {

namespace {

std::string text_of(const json::value& object, std::string_view key) { return string_at(object, key).value_or(""); }

// Text for one cell: cut or filled to a width. Our texts are in one-column characters.
std::string cell(std::string_view text, std::size_t width) {
  const std::size_t length = utf16_length(text);
  if (length > width) return std::string(utf16_prefix(text, width - 1)) + "…";
  return std::string(text) + std::string(width - length, ' ');
}

std::string spoken(const std::string& status) { return replace_all(status, "_", " "); }

void add_with_parts(const std::vector<json::value>& issues, const std::map<std::string, std::string>& agents,
                    const std::string& parent, int depth, std::vector<IssueRow>& out) {
  for (const auto& issue : issues) {
    if (text_of(issue, "parentId") != parent) continue;
    const auto agent = agents.find(text_of(issue, "assigneeAgentId"));
    const auto* run = member(issue, "activeRun");
    out.push_back({.id = text_of(issue, "id"),
                   .identifier = text_of(issue, "identifier"),
                   .title = text_of(issue, "title"),
                   .status = text_of(issue, "status"),
                   .agent = agent == agents.end() ? "" : agent->second,
                   .depth = depth,
                   .at_work = run != nullptr && text_of(*run, "status") == "running"});
    if (depth < 8) add_with_parts(issues, agents, text_of(issue, "id"), depth + 1, out);
  }
}

}  // namespace

std::size_t Snapshot::issues_done() const {
  return static_cast<std::size_t>(
      std::count_if(issues.begin(), issues.end(), [](const IssueRow& issue) { return issue.status == "done"; }));
}
std::size_t Snapshot::runs_in(std::string_view status) const {
  return static_cast<std::size_t>(
      std::count_if(runs.begin(), runs.end(), [&](const RunRow& run) { return run.status == status; }));
}
std::size_t Snapshot::runs_live() const {
  return static_cast<std::size_t>(
      std::count_if(runs.begin(), runs.end(), [](const RunRow& run) { return !is_final_run_status(run.status); }));
}

Result<Snapshot> take_snapshot(Client& client, const Company& company) {
  Snapshot now;
  const json::value issues = TRY(client.get(path("/api/companies/{}/issues", {company.id})));
  std::vector<json::value> rows(issues.as_array().begin(), issues.as_array().end());
  const auto number = [](const json::value& issue) {
    const auto* value = member(issue, "issueNumber");
    return value != nullptr && value->is_int64() ? value->get_int64() : 0;
  };
  std::sort(rows.begin(), rows.end(),
            [&](const json::value& a, const json::value& b) { return number(a) < number(b); });
  add_with_parts(rows, company.agents, "", 0, now.issues);

  const json::value runs = TRY(client.get(path("/api/companies/{}/heartbeat-runs", {company.id})));
  for (const auto& run : runs.as_array()) {
    const auto agent = company.agents.find(text_of(run, "agentId"));
    const auto* context = member(run, "contextSnapshot");
    const std::string issue_id = context == nullptr ? "" : text_of(*context, "issueId");
    const auto issue =
        std::find_if(now.issues.begin(), now.issues.end(), [&](const IssueRow& row) { return row.id == issue_id; });
    now.runs.push_back({text_of(run, "id"), agent == company.agents.end() ? "" : agent->second, text_of(run, "status"),
                        issue == now.issues.end() ? "" : issue->identifier, text_of(run, "error")});
  }
  std::reverse(now.runs.begin(), now.runs.end());
  const json::value costs = TRY(client.get(path("/api/companies/{}/costs/summary", {company.id})));
  if (const auto* cents = member(costs, "spendCents"); cents != nullptr && cents->is_number())
    now.spent_cents = cents->to_number<std::int64_t>();
  return now;
}

View::View(std::ostream& out, bool terminal)
    : out_(out), terminal_(terminal) {
  winsize size{};
  if (terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 40)
    columns_ = std::min<std::size_t>(size.ws_col, 140);
}

std::string View::paint(std::string_view code, std::string text) const {
  return terminal_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
}

void View::say(const std::string& agent, const std::string& issue, const std::string& line) {
  if (line.starts_with("[paperclip]")) return;  // the server's own notes on how it prepared the run
  const std::string who = cell(agent, 9), what = cell(issue, 7);
  const std::string said = compact(line, columns_ > 30 ? columns_ - 22 : 30);
  if (terminal_)
    pending_.push_back(fmt::format("  {} {} {}", paint("36", who), paint("2", what), said));
  else
    out_ << fmt::format("  {} {} {}\n", who, what, said) << std::flush;
}

void View::erase_tree() {
  if (drawn_ > 0) out_ << fmt::format("\x1b[{}F\x1b[J", drawn_);
  drawn_ = 0;
}

void View::draw_tree(const Snapshot& now) {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began_).count() / 1000.0;
  const auto line = [&](const std::string& text) {
    out_ << text << '\n';
    ++drawn_;
  };
  line("");
  const std::size_t title_width = columns_ > 70 ? columns_ - 44 : 26;
  for (const auto& issue : now.issues) {
    const bool done = issue.status == "done";
    const char* mark = done ? "●" : issue.at_work ? "◐" : "○";
    const char* colour = done ? "32" : issue.at_work ? "33" : issue.status == "blocked" ? "35" : "37";
    const std::string indent(static_cast<std::size_t>(issue.depth) * 2, ' ');
    line(fmt::format("  {} {} {} {} {}", paint(colour, mark), paint("1", cell(issue.identifier, 7)),
                     cell(indent + issue.title, title_width),
                     paint(colour, cell(issue.at_work ? "at work" : spoken(issue.status), 11)), cell(issue.agent, 9)));
  }
  line(paint("2", fmt::format("  {} of {} done, {} runs ({} live), {} spent, {:.1f} s", now.issues_done(),
                              now.issues.size(), now.runs.size(), now.runs_live(), dollars(now.spent_cents), seconds)));
}

void View::show(const Snapshot& now) {
  if (terminal_) {
    erase_tree();
    for (const auto& line : pending_) out_ << line << '\n';
    pending_.clear();
    draw_tree(now);
    out_ << std::flush;
    return;
  }
  for (const auto& issue : now.issues) {
    std::string& known = known_status_[issue.id];
    if (known == issue.status) continue;
    if (known.empty())
      out_ << fmt::format("+ {} {} ({}, {})\n", issue.identifier, issue.title, spoken(issue.status), issue.agent);
    else
      out_ << fmt::format("* {} {} -> {}\n", issue.identifier, spoken(known), spoken(issue.status));
    known = issue.status;
  }
  out_ << std::flush;
}

void View::finish(const Snapshot& now) {
  show(now);
  if (!terminal_) draw_tree(now);
  drawn_ = 0;
  out_ << std::flush;
}

Result<> Listening::hear(Client& client, const Snapshot& now, View& view) {
  for (const auto& run : now.runs) {
    auto& heard = runs_.try_emplace(run.id, Heard{RunLogTail(run.id), {}, false}).first->second;
    if (heard.ended || run.status == "queued") continue;
    for (const auto& chunk : TRY(heard.log.read(client)))
      for (const auto& line : heard.lines.feed(chunk.stream, chunk.text))
        view.say(run.agent, run.issue_identifier, line);
    if (!is_final_run_status(run.status)) continue;
    for (const auto& line : heard.lines.rest()) view.say(run.agent, run.issue_identifier, line);
    if (run.status != "succeeded")
      view.say(run.agent, run.issue_identifier, "run " + run.status + (run.error.empty() ? "" : ": " + run.error));
    heard.ended = true;
  }
  return {};
}

}  // namespace paperclip::cli::demo
