#include "domain/runs/liveness.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/enum.h"
#include "base/text.h"

namespace paperclip::domain {

namespace {

using Words = std::initializer_list<std::string_view>;

bool is_word_character(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// Where the phrase stands as whole words at or after `from`; `text` is lower case, a space in the phrase is any space.
std::size_t find_phrase(std::string_view text, std::string_view phrase, std::size_t from = 0) {
  for (std::size_t at = text.find(phrase, from); at != std::string_view::npos; at = text.find(phrase, at + 1)) {
    const std::size_t end = at + phrase.size();
    const bool starts = at == 0 || !is_word_character(text[at - 1]);
    const bool ends = end == text.size() || !is_word_character(text[end]);
    if (starts && ends) return at;
  }
  return std::string_view::npos;
}

bool says_any(std::string_view text, Words phrases) {
  return std::any_of(phrases.begin(), phrases.end(), [&](auto phrase) { return find_phrase(text, phrase) != std::string_view::npos; });
}

// One of `second` within so many characters after one of `first`, in the same sentence.
bool says_near(std::string_view text, Words first, Words second, std::size_t distance) {
  for (auto phrase : first)
    for (auto at = find_phrase(text, phrase); at != std::string_view::npos; at = find_phrase(text, phrase, at + 1)) {
      auto window = text.substr(at + phrase.size(), distance);
      window = window.substr(0, window.find_first_of(".\n"));
      for (auto word : second)
        if (window.find(word) != std::string_view::npos) return true;
    }
  return false;
}

enum class Actionability { none, approval_required, blocked_external, manager_review, runnable };

Actionability actionability(std::string_view text) {
  if (!says_any(text, {"not blocked", "no blocker", "no blockers", "unblocked"})) {
    if (says_any(text, {"approval required", "pending approval", "board approval", "human approval", "user approval", "operator approval"}) ||
        says_near(text, {"requires", "needs", "waiting on", "waiting for"}, {"approval"}, 60))
      return Actionability::approval_required;
    if (says_near(text, {"cannot proceed", "can't proceed", "waiting on", "waiting for", "blocked by", "blocked on", "needs", "requires"},
                  {"access", "credential", "secret", "api key", "token", "password", "login", "account", "permission", "input", "clarification"}, 120))
      return Actionability::blocked_external;
  }
  if (says_any(text, {"manager review", "human review", "manual review", "security review", "escalate", "production deploy", "rotate secret",
                      "rotate key", "rotate token", "delete production", "budget-sensitive", "cost approval", "spend approval"}))
    return Actionability::manager_review;
  if (says_any(text, {"run", "execute", "inspect", "check", "review", "investigate", "analyze", "analyse", "implement", "fix", "test", "update",
                      "create", "add", "write", "verify", "report", "refactor", "remove", "open"}))
    return Actionability::runnable;
  return Actionability::none;
}

bool sounds_like_a_plan(std::string_view text) {
  return says_any(text, {"i will", "i'll", "i am going to", "i'm going to", "my plan", "the plan is", "plan:", "next steps", "next step", "next action", "will now", "going to start"});
}

// The line after `next steps:` / `next action:`, or the sentence that announces one.
std::optional<std::string> find_next_action(std::string_view text) {
  const std::string low = lower(text);
  for (std::string_view heading : {"next action:", "next actions:", "next step:", "next steps:"}) {
    const auto at = low.find(heading);
    if (at == std::string::npos) continue;
    auto rest = trim(text.substr(at + heading.size()));
    rest = trim(rest.substr(0, rest.find('\n')));
    while (!rest.empty() && (rest.front() == '-' || rest.front() == '*' || rest.front() == '#')) rest = trim(rest.substr(1));
    if (!rest.empty()) return std::string(utf16_prefix(rest, 500));
  }
  for (std::string_view opening : {"i will ", "i'll ", "i am going to ", "i'm going to "}) {
    const auto at = low.find(opening);
    if (at == std::string::npos) continue;
    auto sentence = text.substr(at);
    sentence = trim(sentence.substr(0, sentence.find_first_of(".\n")));
    return std::string(utf16_prefix(sentence, 500));
  }
  return std::nullopt;
}

bool is_planning_task(const LivenessFacts& facts) {
  const std::string text = lower(facts.issue_title.value_or("") + "\n" + facts.issue_description.value_or(""));
  return says_any(text, {"plan", "planning", "design doc", "proposal", "spec", "specification", "document", "documentation", "rfc", "write-up", "report"});
}

// What the agent says on purpose counts before what its tool happened to print.
std::string high_signal_text(const LivenessFacts& facts) {
  std::string text;
  const std::size_t first = facts.run_comments.size() > 5 ? facts.run_comments.size() - 5 : 0;
  for (std::size_t i = first; i < facts.run_comments.size(); ++i) text += facts.run_comments[i] + "\n";
  for (std::string_view key : {"nextAction", "summary", "result", "message", "error"})
    if (auto part = text_at(facts.result, key)) text += *part + "\n";
  return text;
}

// The output without what the server itself wrote into the log and without the tool's machine-readable lines.
std::string spoken_output(std::string_view output) {
  std::string text;
  while (!output.empty()) {
    const auto line = output.substr(0, output.find('\n'));
    output.remove_prefix(std::min(output.size(), line.size() + 1));
    const auto trimmed = trim(line);
    if (trimmed.empty() || trimmed.front() == '{' || trimmed.starts_with("[paperclip]")) continue;
    (text += trimmed) += '\n';
  }
  return text;
}

}  // namespace

Liveness classify_liveness(const LivenessFacts& facts) {
  const std::string purposeful = high_signal_text(facts);
  const std::string spoken = trim(purposeful).empty() ? spoken_output(facts.output) : purposeful;
  const std::string text = lower(spoken);
  const bool has_output = !trim(facts.output).empty() || !trim(purposeful).empty();
  Liveness result;
  result.last_useful_action_at = facts.evidence > 0 ? facts.last_evidence_at : std::nullopt;
  result.next_action = find_next_action(spoken);
  const auto decide = [&](std::string_view state, std::string reason) {
    result.state = *parse_enum<RunLivenessState>(state);
    result.reason = std::move(reason);
    return result;
  };
  if (facts.status != RunStatus::succeeded) return decide("failed", "Run ended with status " + std::string(to_text(facts.status)));
  if (facts.issue_status == "done" || facts.issue_status == "cancelled") return decide("completed", "Issue is " + *facts.issue_status);
  const Actionability action = actionability(text);
  if (facts.issue_status == "blocked") return decide("blocked", "Issue is blocked");
  if (action == Actionability::approval_required) return decide("blocked", "The agent waits for an approval");
  if (action == Actionability::blocked_external) return decide("blocked", "The agent waits for something it cannot get by itself");
  if (!has_output && facts.evidence == 0) return decide("empty_response", "Run produced no output and left no trace of work");
  if (facts.evidence > 0) return decide("advanced", "Run left " + std::to_string(facts.evidence) + " trace(s) of concrete work");
  if (facts.plan_document_revised || (facts.issue_title && is_planning_task(facts) && has_output))
    return decide("advanced", "A planning task produced its text");
  if (sounds_like_a_plan(text) || result.next_action) {
    if (action == Actionability::runnable) return decide("plan_only", "Run announced work that it could have done");
    return decide("needs_followup", "Run announced work that needs somebody's look");
  }
  return decide("needs_followup", "Run produced output but no concrete trace of work");
}

}  // namespace paperclip::domain
