#include "domain/issues/productivity_view.h"

namespace paperclip::domain {

namespace {

struct ReviewRow {
  IssueId id;
  std::optional<std::string> identifier, origin_id;
  IssueStatus status = IssueStatus::todo;
  IssuePriority priority = IssuePriority::medium;
  Timestamp created_at, updated_at;
};
BOOST_DESCRIBE_STRUCT(ReviewRow, (), (id, identifier, origin_id, status, priority, created_at, updated_at))

}  // namespace

std::unordered_map<IssueId, ProductivityReviewView> open_productivity_reviews(store::Reader& reader,
                                                                              CompanyId company) {
  std::unordered_map<IssueId, ProductivityReviewView> reviews;
  const auto rows = reader.all<ReviewRow>(
      "select {} from issues where company_id = :1 and origin_kind = 'issue_productivity_review' and origin_id is not "
      "null and hidden_at is null "
      "and status not in ('done', 'cancelled') order by created_at desc",
      company);
  for (const auto& row : rows) {
    const auto source = IssueId::parse(*row.origin_id);
    if (!source || reviews.contains(*source)) continue;
    ProductivityReviewView view{row.id,       row.identifier, row.status,     row.priority,
                                std::nullopt, std::nullopt,   row.created_at, row.updated_at};
    const auto details = reader.value<RawJson>(
        "select details from activity_log where entity_type = 'issue' and entity_id = :1 "
        "and action in ('issue.productivity_review_created', 'issue.productivity_review_updated') order by created_at "
        "desc limit 1",
        row.id.view());
    if (details) {
      const json::value parsed = details->parse();
      view.trigger = string_at(parsed, "trigger");
      if (const auto* streak = member(parsed, "noCommentStreak"); streak != nullptr && streak->is_int64())
        view.no_comment_streak = streak->get_int64();
    }
    reviews.emplace(*source, std::move(view));
  }
  return reviews;
}

}  // namespace paperclip::domain
