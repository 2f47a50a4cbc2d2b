#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "domain/issues/issue_list.h"
#include "store/reader.h"

namespace paperclip::domain {

/// An issue as lists read it, with what is only known by looking at its comments and its activity.
struct ListedIssue : Issue {
  Timestamp last_activity_at;
  std::optional<Timestamp> my_last_touch_at, last_external_comment_at;
};
BOOST_DESCRIBE_STRUCT(ListedIssue, (Issue), (last_activity_at, my_last_touch_at, last_external_comment_at))

/// The SQL of a filtered list and its arguments. The filter must outlive it.
class IssueSearch {
 public:
  IssueSearch(const store::Dialect& dialect, const CompanyId& company, const IssueFilter& filter);

  /// False when a filter can match nothing.
  bool possible() const { return possible_; }
  const std::string& sql() const { return sql_; }
  store::Params params() const { return {params_.data(), params_.size()}; }

 private:
  template <class T>
  std::string bind(const T& value) {
    params_.push_back(store::param(value));
    return ":" + std::to_string(params_.size());
  }
  void require(const std::string& condition) { where_ += " and " + condition; }
  // The condition gets the id's placeholder.
  void require_id(const std::optional<std::string>& text,
                  const std::function<std::string(const std::string&)>& condition);
  void add_people(const IssueFilter& filter);
  void add_words(const IssueFilter& filter);
  std::string my_last_touch(const std::string& user) const;
  std::string last_external_comment(const std::string& user) const;

  const store::Dialect& dialect_;
  std::vector<store::Param> params_;
  std::deque<AnyId> ids_;  // parsed from the filter; arguments point at them
  std::string where_, rank_, sql_;
  bool possible_ = true;
};

}  // namespace paperclip::domain
