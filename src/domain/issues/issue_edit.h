#pragma once

#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

#include "domain/access/scope.h"
#include "domain/issues/issue_views.h"
#include "store/transaction.h"

/// Changing an issue's row with all that a change drags along (spec/issues.md 3, 11).
namespace paperclip::domain {

/// An issue as it was, as it shall be, and which of its members were set on purpose: setting a status to what it was
/// still has effects.
class IssueEdit {
 public:
  explicit IssueEdit(Issue issue) : before(issue), next(std::move(issue)) {}

  const Issue before;
  Issue next;
  std::optional<std::vector<IssueId>> blockers;  // replaces the set
  std::optional<std::vector<LabelId>> labels;    // replaces the set

  /// Says that `member` of `next` (its C++ name) was set.
  void touch(std::string_view member);
  bool touches(std::string_view member) const;
  bool changes_assignee() const {
    return next.assignee_agent_id != before.assignee_agent_id || next.assignee_user_id != before.assignee_user_id;
  }
  bool empty() const { return touched_.empty() && !blockers && !labels; }
  /// What was set and, under `_previous`, what it was where it differs; in wire names.
  json::object details() const;

 private:
  std::vector<std::string_view> touched_;
};

/// Checks the change, adds its side effects (times, locks, goal) to `next` and stores it, with labels and blockers.
/// Writes no activity. The errors are those of spec/issues.md 3.
Result<> apply_edit(store::Transaction& tx, const CompanyScope& scope, IssueEdit& edit);

/// The times that a status sets: for a new issue as for a changed one.
void stamp_status(Issue& issue, Timestamp now);

/// A run of a routine follows its issue (spec/work-domain.md 4.8).
void sync_routine_run(store::Transaction& tx, const Issue& issue);

}  // namespace paperclip::domain
