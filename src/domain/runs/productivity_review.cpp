#include "domain/runs/productivity_review.h"

#include <algorithm>

#include "base/enum.h"
#include "domain/activity/activity.h"
#include "domain/issues/comments.h"
#include "domain/issues/create_issue.h"
#include "domain/issues/issue_rows.h"
#include "domain/issues/issue_wakes.h"
#include "domain/runs/recovery_owner.h"
#include "domain/runs/run_states.h"

namespace paperclip::domain {

namespace {

using namespace std::chrono_literals;

constexpr std::string_view review_kind = "issue_productivity_review";
constexpr std::string_view refreshed_opening = "Productivity review evidence refreshed.";
constexpr int silent_runs = 10, churn_in_an_hour = 10, churn_in_six_hours = 30, most_reviews_a_day = 3, most_refreshes = 3;
constexpr int newest_runs = 100, most_ancestors = 25;
constexpr std::chrono::milliseconds long_active = 6h, quiet_after_review = 6h, between_refreshes = 1h;

struct RunTrace {
  RunStatus status;
  Timestamp created_at;
  std::int64_t comments = 0;
};
BOOST_DESCRIBE_STRUCT(RunTrace, (), (status, created_at, comments))

struct OpenReview {
  IssueId id;
  std::int64_t refreshes = 0;
  std::optional<Timestamp> refreshed_at;
};
BOOST_DESCRIBE_STRUCT(OpenReview, (), (id, refreshes, refreshed_at))

Author reviewer() { return Author::system("heartbeat"); }

// A review of a review would never end.
bool is_part_of_a_review(store::Reader& reader, const WorkIssue& issue) {
  if (issue.origin_kind == review_kind) return true;
  auto at = issue.parent_id;
  for (int steps = 0; at && steps < most_ancestors; ++steps) {
    const auto above = find_work_issue(reader, issue.company_id, *at);
    if (!above) return false;
    if (above->origin_kind == review_kind) return true;
    at = above->parent_id;
  }
  return false;
}

std::optional<OpenReview> open_review(store::Reader& reader, const WorkIssue& issue) {
  return reader.one<OpenReview>(
      "select i.id, (select count(*) from issue_comments c where c.issue_id = i.id and c.body like 'Productivity review evidence refreshed.%'), "
      "(select max(c.created_at) from issue_comments c where c.issue_id = i.id and c.body like 'Productivity review evidence refreshed.%') "
      "from issues i where i.company_id = :1 and i.origin_kind = 'issue_productivity_review' and i.origin_id = :2 and i.hidden_at is null "
      "and i.status not in ('done', 'cancelled') order by i.created_at desc limit 1",
      issue.company_id, issue.id.view());
}

// What there is to do about the evidence now; `nothing` if enough was done.
ReviewOutcome next_step(store::Reader& reader, const WorkIssue& issue, const std::optional<OpenReview>& open) {
  if (open) {
    const bool again = open->refreshes < most_refreshes && (!open->refreshed_at || *open->refreshed_at + between_refreshes <= reader.now());
    const auto opened = reader.value<Timestamp>("select created_at from issues where id = :1", open->id);
    return again && opened && *opened + between_refreshes <= reader.now() ? ReviewOutcome::refreshed : ReviewOutcome::nothing;
  }
  if (reader.exists("select 1 from issues where company_id = :1 and origin_kind = 'issue_productivity_review' and origin_id = :2 and status = 'done' and completed_at > :3",
                    issue.company_id, issue.id.view(), reader.now() - quiet_after_review))
    return ReviewOutcome::nothing;
  const auto made = reader.value<std::int64_t>(
      "select count(*) from issues where company_id = :1 and origin_kind = 'issue_productivity_review' and origin_id = :2 and status <> 'cancelled' and created_at > :3",
      issue.company_id, issue.id.view(), reader.now() - std::chrono::milliseconds(24h));
  return made.value_or(0) >= most_reviews_a_day ? ReviewOutcome::nothing : ReviewOutcome::created;
}

json::object details_of(const WorkIssue& issue, const ProductivityEvidence& evidence) {
  return {{"source", "productivity_review.reconcile"},
          {"sourceIssueId", issue.id.view()},
          {"trigger", to_text(evidence.trigger)},
          {"noCommentStreak", evidence.no_comment_streak},
          {"runCountLastHour", evidence.runs_last_hour},
          {"commentCountLastHour", evidence.comments_last_hour}};
}

std::string describe(const ProductivityEvidence& evidence) {
  const auto line = [](std::string_view name, auto value) { return "- " + std::string(name) + ": " + std::to_string(value) + "\n"; };
  return "- trigger: `" + std::string(to_text(evidence.trigger)) + "`\n" + line("runs in a row without a comment", evidence.no_comment_streak) +
         line("runs in the last hour", evidence.runs_last_hour) + line("runs in the last six hours", evidence.runs_last_six_hours) +
         line("comments of runs in the last hour", evidence.comments_last_hour) +
         line("minutes in progress", std::chrono::duration_cast<std::chrono::minutes>(evidence.active).count());
}

ReviewOutcome refresh(store::Transaction& tx, const WorkIssue& issue, const ProductivityEvidence& evidence, IssueId review) {
  insert_comment(tx, issue.company_id, review, reviewer(), std::string(refreshed_opening) + "\n\n" + describe(evidence));
  log_activity(tx, issue.company_id, reviewer(), {"issue.productivity_review_updated", "issue", review.str(), details_of(issue, evidence)});
  return ReviewOutcome::refreshed;
}

std::optional<AgentId> reviewer_of(store::Reader& reader, const WorkIssue& issue) {
  std::optional<AgentId> lead;
  if (issue.project_id) lead = reader.value<AgentId>("select lead_agent_id from projects where id = :1 and company_id = :2 and lead_agent_id is not null", *issue.project_id, issue.company_id);
  return first_able(reader, issue.company_id, issue.project_id,
                    {manager_of(reader, issue.assignee_agent_id), issue.created_by_agent_id, lead, agent_with_role(reader, issue.company_id, "cto"),
                     agent_with_role(reader, issue.company_id, "ceo")});
}

Result<ReviewOutcome> open(store::Transaction& tx, const WorkIssue& issue, const ProductivityEvidence& evidence) {
  const Issue source = TRY(load_issue(tx, issue.company_id, issue.id));
  const std::string name = issue.identifier.value_or(issue.title);
  NewIssue review;
  review.title = "Review productivity for " + name;
  review.description = "The work on `" + name + "` (" + issue.title + ") may be going round in circles.\n\n" + describe(evidence) +
                       "\nLook at its runs and comments. Then change what it is asked for, split it, give it to somebody else or say that it is well, and close this issue.";
  review.status = IssueStatus::todo;
  review.priority = evidence.trigger == ReviewTrigger::long_active_duration ? IssuePriority::medium : IssuePriority::high;
  review.assignee_agent_id = reviewer_of(tx, issue);
  review.parent_id = issue.id;
  review.project_id = source.project_id;
  review.goal_id = source.goal_id;
  review.billing_code = source.billing_code;
  review.request_depth = std::clamp(source.request_depth, 0, 1000) + 1;
  review.origin_kind = review_kind;
  review.origin_id = issue.id.str();
  review.origin_fingerprint = "productivity-review:" + issue.id.str();
  const Issue made = TRY(insert_issue(tx, issue.company_id, review, reviewer()));
  log_activity(tx, issue.company_id, reviewer(), {"issue.productivity_review_created", "issue", made.id.str(), details_of(issue, evidence)});
  if (!made.assignee_agent_id) return ReviewOutcome::created;
  WakeRequest wake;
  wake.source = "assignment";
  wake.trigger_detail = "system";
  wake.reason = "issue_assigned";
  wake.requested_by = reviewer();
  wake.payload = json::object{{"issueId", made.id.view()}, {"mutation", "create"}};
  wake.context = json::object{{"issueId", made.id.view()}, {"source", review_kind}, {"productivityReviewTrigger", to_text(evidence.trigger)}};
  wake_quietly(tx, *made.assignee_agent_id, wake);
  return ReviewOutcome::created;
}

struct Hold {
  IssueId review;
  ReviewTrigger trigger;
};

std::optional<Hold> hold_of(store::Reader& reader, const WorkIssue& issue) {
  const auto review = open_review(reader, issue);
  if (!review || !issue.assignee_agent_id) return std::nullopt;
  const auto evidence = productivity_evidence(reader, issue);
  if (!evidence || evidence->trigger == ReviewTrigger::long_active_duration) return std::nullopt;
  return Hold{review->id, evidence->trigger};
}

bool is_candidate(const WorkIssue& issue) {
  return (issue.status == "todo" || issue.status == "in_progress") && issue.assignee_agent_id && !issue.assignee_user_id && issue.origin_kind != review_kind;
}

}  // namespace

std::optional<ProductivityEvidence> productivity_evidence(store::Reader& reader, const WorkIssue& issue) {
  ProductivityEvidence evidence;
  const Timestamp now = reader.now(), hour_ago = now - std::chrono::milliseconds(1h), six_hours_ago = now - std::chrono::milliseconds(6h);
  bool in_a_row = true;
  for (const auto& run : reader.all<RunTrace>(
           "select r.status, r.created_at, (select count(*) from issue_comments c where c.created_by_run_id = r.id and c.issue_id = :1) from heartbeat_runs r "
           "where r.context_issue_id = :1 and r.company_id = :2 and r.agent_id = :3 order by r.created_at desc, r.id desc limit :4",
           issue.id, issue.company_id, *issue.assignee_agent_id, newest_runs)) {
    if (run.created_at > hour_ago) ++evidence.runs_last_hour;
    if (run.created_at > six_hours_ago) ++evidence.runs_last_six_hours;
    if (is_live(run.status)) continue;
    in_a_row = in_a_row && run.comments == 0;
    if (in_a_row) ++evidence.no_comment_streak;
  }
  const auto comments_since = [&](Timestamp since) {
    return static_cast<int>(reader.value<std::int64_t>("select count(*) from issue_comments where issue_id = :1 and author_agent_id = :2 and created_by_run_id is not null "
                                                       "and created_at > :3",
                                                       issue.id, *issue.assignee_agent_id, since)
                                .value_or(0));
  };
  evidence.comments_last_hour = comments_since(hour_ago);
  evidence.comments_last_six_hours = comments_since(six_hours_ago);
  if (issue.status == "in_progress")
    if (const auto since = reader.value<Timestamp>("select coalesce(started_at, execution_locked_at) from issues where id = :1 and coalesce(started_at, execution_locked_at) is not null", issue.id))
      evidence.active = now - *since;
  if (evidence.no_comment_streak >= silent_runs)
    evidence.trigger = ReviewTrigger::no_comment_streak;
  else if (std::max(evidence.runs_last_hour, evidence.comments_last_hour) >= churn_in_an_hour ||
           std::max(evidence.runs_last_six_hours, evidence.comments_last_six_hours) >= churn_in_six_hours)
    evidence.trigger = ReviewTrigger::high_churn;
  else if (evidence.active >= long_active)
    evidence.trigger = ReviewTrigger::long_active_duration;
  else
    return std::nullopt;
  return evidence;
}

std::vector<std::pair<CompanyId, IssueId>> find_unproductive_work(store::Reader& reader, int limit) {
  // The database leaves out what cannot be it; the rest is judged one by one.
  const auto candidates = reader.all<WorkIssue>(
      "select {i} from issues i join companies c on c.id = i.company_id where i.status in ('todo', 'in_progress') and i.assignee_agent_id is not null "
      "and i.assignee_user_id is null and i.hidden_at is null and i.origin_kind <> 'issue_productivity_review' and c.status = 'active' "
      "and ((i.status = 'in_progress' and coalesce(i.started_at, i.execution_locked_at) <= :1) "
      "or (select count(*) from heartbeat_runs r where r.context_issue_id = i.id) >= :2 "
      "or (select count(*) from issue_comments m where m.issue_id = i.id and m.created_at > :1) >= :2) order by i.updated_at, i.id limit :3",
      reader.now() - long_active, silent_runs, limit);
  std::vector<std::pair<CompanyId, IssueId>> found;
  for (const auto& issue : candidates)
    if (!is_part_of_a_review(reader, issue) && productivity_evidence(reader, issue) && next_step(reader, issue, open_review(reader, issue)) != ReviewOutcome::nothing)
      found.emplace_back(issue.company_id, issue.id);
  return found;
}

Result<ReviewOutcome> review_productivity(store::Transaction& tx, CompanyId company, IssueId id) {
  const auto issue = lock_work_issue(tx, company, id);
  if (!issue || !is_candidate(*issue) || is_part_of_a_review(tx, *issue)) return ReviewOutcome::nothing;
  const auto evidence = productivity_evidence(tx, *issue);
  if (!evidence) return ReviewOutcome::nothing;
  const auto review = open_review(tx, *issue);
  switch (next_step(tx, *issue, review)) {
    case ReviewOutcome::refreshed: return refresh(tx, *issue, *evidence, review->id);
    case ReviewOutcome::created: return open(tx, *issue, *evidence);
    case ReviewOutcome::nothing: break;
  }
  return ReviewOutcome::nothing;
}

bool is_held_by_review(store::Reader& reader, const WorkIssue& issue) { return hold_of(reader, issue).has_value(); }

bool held_by_review(store::Transaction& tx, const WorkIssue& issue, std::string_view source) {
  const auto hold = hold_of(tx, issue);
  if (!hold) return false;
  log_activity(tx, issue.company_id, reviewer(),
               {"issue.productivity_review_continuation_held", "issue", issue.id.str(),
                json::object{{"reviewIssueId", hold->review.view()},
                             {"trigger", to_text(hold->trigger)},
                             {"reason", "An open productivity review decides first whether this work goes on by itself."},
                             {"source", source}}});
  return true;
}

}  // namespace paperclip::domain
