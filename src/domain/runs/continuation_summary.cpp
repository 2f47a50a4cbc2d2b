#include "domain/runs/continuation_summary.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "domain/documents/issue_documents.h"

namespace paperclip::domain {

namespace {

constexpr std::size_t longest_summary = 8000, longest_section = 1200;
constexpr std::size_t most_paths = 12, most_commands = 8;
constexpr std::string_view cut_mark = "\n[truncated]";

std::string cut(std::string_view text, std::size_t most) {
  text = trim(text);
  if (utf16_length(text) <= most) return std::string(text);
  return std::string(utf16_prefix(text, most - cut_mark.size())) += cut_mark;
}

bool is_heading(std::string_view line) { return line.starts_with("# ") || line.starts_with("## "); }

// The text below the description's `## Title`, up to the next heading of that level or above.
std::string section_of(std::string_view description, std::string_view title) {
  std::string text;
  bool inside = false;
  for (const auto& line : split(description, '\n')) {
    if (inside && is_heading(line)) break;
    if (inside) (text += line) += '\n';
    if (!inside && line.starts_with("## ") && equals_ignoring_case(trim(std::string_view(line).substr(3)), title)) inside = true;
  }
  return std::string(trim(text));
}

std::string listed(const std::vector<std::string>& items) {
  std::string text;
  for (const auto& item : items) text += "- `" + item + "`\n";
  return text;
}

bool is_path_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("/._-+@{}:").find(c) != std::string_view::npos;
}

// A slash between names, or a name with a short ending such as `main.cpp`; no addresses, no numbers.
bool looks_like_path(std::string_view token) {
  if (token.size() < 4 || token.size() > 160 || token.find("//") != std::string_view::npos) return false;
  if (std::none_of(token.begin(), token.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); })) return false;
  const auto slash = token.find('/');
  if (slash != std::string_view::npos && slash + 1 < token.size()) {
    // "and/or" is a phrase; "src/main" and "/api/x" are paths: a second slash, a leading one, or an ending.
    if (slash == 0 || token.find('/', slash + 1) != std::string_view::npos) return true;
  }
  const auto dot = token.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return false;
  static constexpr std::array<std::string_view, 34> endings{"c",  "cc", "cpp", "h",  "hpp", "rs",   "go",   "py",   "rb",   "java", "kt",  "js",
                                                            "mjs", "ts", "tsx", "jsx", "css", "html", "json", "yaml", "yml",  "toml", "md",  "txt",
                                                            "sql", "sh", "xml", "csv", "php", "swift", "cs",  "vue",  "svelte", "lock"};
  return std::find(endings.begin(), endings.end(), token.substr(dot + 1)) != endings.end();
}

void add_once(std::vector<std::string>& to, std::string_view item, std::size_t most) {
  if (to.size() < most && std::find(to.begin(), to.end(), item) == to.end()) to.emplace_back(item);
}

bool begins_with_tool(std::string_view span) {
  static constexpr std::array<std::string_view, 24> tools{"git",  "npm",  "pnpm", "yarn",  "npx",    "node",    "make",   "cmake",  "ninja", "ctest",  "cargo", "go",
                                                          "python", "python3", "pytest", "pip", "uv", "bundle", "docker", "kubectl", "psql", "curl", "bash", "sh"};
  const auto word = span.substr(0, span.find(' '));
  return word.size() < span.size() && std::find(tools.begin(), tools.end(), word) != tools.end();
}

// Lines in which the run names what keeps it or what it settled.
std::string decisions_in(std::string_view text) {
  static constexpr std::array<std::string_view, 4> words{"blocker", "blocked", "decision", "decided"};
  std::string found;
  int lines = 0;
  for (const auto& line : split(text, '\n')) {
    const std::string low = lower(trim(line));
    const bool says = std::any_of(words.begin(), words.end(), [&](std::string_view word) { return low.find(word) != std::string::npos; });
    if (!says || low.size() > 400 || low.front() == '{') continue;
    found += "- " + std::string(trim(line)) + "\n";
    if (++lines == 6) break;
  }
  return found;
}

std::string mode_of(const EndedRun& ended) {
  if (ended.issue->status == "in_review") return "review";
  return ended.run.liveness_state == RunLivenessState::plan_only ? "plan" : "implementation";
}

std::string said(const json::value& result) {
  for (std::string_view key : {"summary", "result", "message", "error"})
    if (auto text = text_at(result, key)) return *text;
  return {};
}

}  // namespace

std::vector<std::string> paths_in(std::string_view text, std::size_t most) {
  std::vector<std::string> paths;
  for (std::size_t at = 0; at < text.size() && paths.size() < most;) {
    if (!is_path_character(text[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && is_path_character(text[end])) ++end;
    auto token = text.substr(at, end - at);
    at = end;
    while (!token.empty() && std::string_view(".:-").find(token.back()) != std::string_view::npos) token.remove_suffix(1);
    if (looks_like_path(token)) add_once(paths, token, most);
  }
  return paths;
}

std::vector<std::string> commands_in(std::string_view text, std::size_t most) {
  std::vector<std::string> commands;
  for (const auto& line : split(text, '\n')) {
    const auto trimmed = trim(line);
    if (trimmed.starts_with("$ ") && trimmed.size() < 300) {
      add_once(commands, trim(trimmed.substr(2)), most);
      continue;
    }
    for (auto open = trimmed.find('`'); open != std::string_view::npos;) {
      const auto close = trimmed.find('`', open + 1);
      if (close == std::string_view::npos) break;
      const auto span = trimmed.substr(open + 1, close - open - 1);
      if (span.size() < 300 && begins_with_tool(span)) add_once(commands, span, most);
      open = trimmed.find('`', close + 1);
    }
  }
  return commands;
}

std::string continuation_summary_text(const SummaryFacts& facts) {
  std::string text = "# Continuation Summary\n\n";
  const auto fact = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) ((text += "- ") += name) += ": " + value + "\n";
  };
  fact("Issue", facts.issue);
  fact("Status", facts.issue_status);
  fact("Priority", facts.issue_priority);
  fact("Current mode", facts.mode);
  fact("Last run", facts.run_id);
  fact("Agent", facts.agent);
  const auto section = [&](std::string_view title, std::string_view body) {
    const std::string shown = cut(body, longest_section);
    ((text += "\n## ") += title) += "\n\n" + (shown.empty() ? std::string("None recorded.") : shown) + "\n";
  };
  const std::string objective = section_of(facts.description, "Objective");
  section("Objective", objective.empty() ? facts.description : objective);
  section("Acceptance Criteria", section_of(facts.description, "Acceptance Criteria"));
  std::string actions = "- Run ended as `" + facts.run_status + "`\n";
  if (!facts.outcome.empty()) actions += "- " + facts.outcome + "\n";
  if (!facts.error.empty() && facts.error != facts.outcome) actions += "- Error: " + facts.error + "\n";
  section("Recent Concrete Actions", actions);
  section("Files / Routes Touched", listed(paths_in(facts.traces, most_paths)));
  section("Commands Run", listed(commands_in(facts.traces, most_commands)));
  std::string blockers;
  for (const auto& blocker : facts.blockers) blockers += "- Waits for " + blocker + "\n";
  section("Blockers / Decisions", blockers + decisions_in(facts.outcome));
  section("Next Action", facts.next_action);
  return cut(text, longest_summary);
}

void refresh_continuation_summary(store::Transaction& tx, const EndedRun& ended, const RunReport& report) {
  if (!ended.issue) return;
  const WorkIssue& issue = *ended.issue;
  const HeartbeatRun& run = ended.run;
  SummaryFacts facts;
  facts.issue = (issue.identifier ? *issue.identifier + " " : std::string()) + issue.title;
  facts.description = issue.description.value_or("");
  facts.issue_status = issue.status;
  facts.issue_priority = issue.priority;
  facts.mode = mode_of(ended);
  facts.run_id = run.id.str();
  facts.run_status = to_text(run.status);
  facts.agent = ended.agent.name + " (" + ended.agent.adapter_type + ")";
  facts.outcome = said(ended.result);
  facts.error = run.error.value_or("");
  facts.next_action = run.next_action.value_or("");
  facts.traces = facts.outcome + "\n";
  for (const auto& comment : tx.column<std::string>(
           "select body from issue_comments where created_by_run_id = :1 and issue_id = :2 order by created_at, id limit 20", run.id, issue.id))
    facts.traces += comment + "\n";
  facts.traces += report.stdout_excerpt.value_or("");
  for (const auto& blocker : unresolved_blockers(tx, issue.company_id, issue.id))
    facts.blockers.push_back(blocker.identifier.value_or(blocker.id.str()) + " " + blocker.title + " (" + blocker.status + ")");

  DocumentBody body;
  body.title = Trimmed<0, 200>("Continuation Summary");
  body.body = Multiline<0, 524288>(continuation_summary_text(facts));
  body.change_summary = Trimmed<0, 500>("Refresh continuation summary after run " + facts.run_id);
  const Author author{"agent", ended.agent.id.str(), ended.agent.id, run.id};
  (void)tx.nested([&] { return write_document(tx, issue.company_id, issue.id, continuation_summary_key, body, author, true); });
}

}  // namespace paperclip::domain
