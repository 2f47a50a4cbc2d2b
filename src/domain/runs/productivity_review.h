#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

#include "domain/runs/work_issue.h"
#include "store/transaction.h"

/// Work that goes round in circles becomes somebody's question (spec/work-domain.md 14): many runs without a word, many runs
/// in a short time, or an issue in progress for long.
namespace paperclip::domain {

enum class ReviewTrigger { no_comment_streak, high_churn, long_active_duration };
BOOST_DESCRIBE_ENUM(ReviewTrigger, no_comment_streak, high_churn, long_active_duration)

struct ProductivityEvidence {
  ReviewTrigger trigger{};
  int no_comment_streak = 0;  // of the newest 100 runs
  int runs_last_hour = 0, comments_last_hour = 0, runs_last_six_hours = 0, comments_last_six_hours = 0;
  std::chrono::milliseconds active{};
};

/// What speaks for a look at how the assignee's work on the issue goes; nothing when nothing does.
std::optional<ProductivityEvidence> productivity_evidence(store::Reader& reader, const WorkIssue& issue);

/// Up to `limit` issues, the longest untouched first, for which `review_productivity` has something to do.
std::vector<std::pair<CompanyId, IssueId>> find_unproductive_work(store::Reader& reader, int limit = 250);

enum class ReviewOutcome { nothing, created, refreshed };
/// Judges the issue again and, if it is so, opens a review of it for somebody in charge, or adds to the open one that it is
/// still so: at most three reviews in 24 h, none within 6 h after one was done, at most three additions an hour apart.
Result<ReviewOutcome> review_productivity(store::Transaction& tx, CompanyId company, IssueId issue);

/// True while an open review holds back what would take the work up by itself: it was opened because of silence or churn.
bool is_held_by_review(store::Reader& reader, const WorkIssue& issue);
/// The same, and if so it is put on record; `source` is what was held back.
bool held_by_review(store::Transaction& tx, const WorkIssue& issue, std::string_view source);

}  // namespace paperclip::domain
