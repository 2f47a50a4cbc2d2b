#pragma once

#include <array>
#include <compare>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace paperclip {

/// True for 8-4-4-4-12 hexadecimal digits, any version (spec/issues.md 0).
bool is_uuid(std::string_view text);
/// True when `is_uuid` and the version is 1–5 and the variant 8/9/a/b: what the reference accepts in issue paths.
bool is_strict_uuid(std::string_view text);

/// A UUID held as its canonical lower-case text, 36 bytes inline. The tag keeps ids of different things apart.
template <class Tag>
class Id {
 public:
  /// The nil id, all zeros: names nothing.
  Id() { text_.fill('0'); for (int i : {8, 13, 18, 23}) text_[i] = '-'; }

  /// Parses any-case UUID text; nullopt if it is not one.
  static std::optional<Id> parse(std::string_view text) {
    if (!is_uuid(text)) return std::nullopt;
    Id id;
    for (std::size_t i = 0; i < 36; ++i)
      id.text_[i] = text[i] >= 'A' && text[i] <= 'F' ? static_cast<char>(text[i] + 32) : text[i];
    return id;
  }

  std::string_view view() const { return {text_.data(), text_.size()}; }
  std::string str() const { return std::string(view()); }
  bool is_nil() const { return view() == Id().view(); }
  auto operator<=>(const Id&) const = default;

 private:
  std::array<char, 36> text_;
};

using CompanyId = Id<struct CompanyTag>;
using AgentId = Id<struct AgentTag>;
using IssueId = Id<struct IssueTag>;
using ProjectId = Id<struct ProjectTag>;
using GoalId = Id<struct GoalTag>;
using RunId = Id<struct RunTag>;
using WakeupId = Id<struct WakeupTag>;
using EnvironmentId = Id<struct EnvironmentTag>;
using LeaseId = Id<struct LeaseTag>;
using ApprovalId = Id<struct ApprovalTag>;
using SecretId = Id<struct SecretTag>;
/// An id whose kind does not matter where it is used (activity rows, tests).
using AnyId = Id<struct AnyTag>;

template <class To, class From>
To id_cast(const From& id) { return *To::parse(id.view()); }

}  // namespace paperclip

template <class Tag>
struct std::hash<paperclip::Id<Tag>> {
  std::size_t operator()(const paperclip::Id<Tag>& id) const noexcept { return std::hash<std::string_view>{}(id.view()); }
};
