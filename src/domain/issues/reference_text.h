#pragma once

#include <string>
#include <string_view>
#include <vector>

/// What a text says about issues and agents: pure functions of the text (spec/issues.md 8).
namespace paperclip::domain {

/// An issue named in a text.
struct IssueReference {
  std::string identifier;    // upper case, `ACM-12`
  std::string matched_text;  // as it stands in the text: an identifier, a path or a URL
};

/// The issues a markdown text names, each once, in order of first appearance. Code is not looked into.
std::vector<IssueReference> issue_references(std::string_view markdown);

/// Who a text addresses with `@`.
struct AgentMentions {
  std::vector<std::string> names;  // lower case, each once
  std::vector<std::string> ids;    // of `[text](agent://id)` links, each once
};
AgentMentions agent_mentions(std::string_view markdown);

/// The ids of `[text](project://id)` links, each once.
std::vector<std::string> project_mentions(std::string_view markdown);

/// True for `ACM-12` in any case: letters, a dash, digits.
bool is_issue_identifier(std::string_view text);

/// The first non-empty `<plan>…</plan>`, trimmed; empty if there is none.
std::string legacy_plan(std::string_view description);

}  // namespace paperclip::domain
