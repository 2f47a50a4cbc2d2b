#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "domain/issues/issue_views.h"
#include "store/reader.h"

namespace paperclip::domain {

/// An open review of how the work on an issue goes (spec/issues.md 10.5).
struct ProductivityReviewView {
  IssueId review_issue_id;
  std::optional<std::string> review_identifier;
  IssueStatus status = IssueStatus::todo;
  IssuePriority priority = IssuePriority::medium;
  std::optional<std::string> trigger;
  std::optional<std::int64_t> no_comment_streak;
  Timestamp created_at, updated_at;
};
BOOST_DESCRIBE_STRUCT(ProductivityReviewView, (),
                      (review_issue_id, review_identifier, status, priority, trigger, no_comment_streak, created_at,
                       updated_at))

/// By the issue that is under review.
std::unordered_map<IssueId, ProductivityReviewView> open_productivity_reviews(store::Reader& reader, CompanyId company);

}  // namespace paperclip::domain
