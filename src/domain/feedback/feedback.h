#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// What humans thought of the work (spec/work-domain.md 12).
namespace paperclip::domain {

enum class FeedbackTarget { issue_comment, issue_document_revision };
BOOST_DESCRIBE_ENUM(FeedbackTarget, issue_comment, issue_document_revision)

enum class FeedbackVoteValue { up, down };
BOOST_DESCRIBE_ENUM(FeedbackVoteValue, up, down)

/// A human's vote on what an agent wrote.
struct FeedbackVote {
  FeedbackVoteId id;
  CompanyId company_id;
  IssueId issue_id;
  FeedbackTarget target_type{};
  std::string target_id;
  std::string author_user_id;
  FeedbackVoteValue vote{};
  std::optional<std::string> reason;
  bool shared_with_labs = false;
  std::optional<Timestamp> shared_at;
  std::optional<std::string> consent_version;
  std::optional<RawJson> redaction_summary;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(FeedbackVote, (),
                      (id, company_id, issue_id, target_type, target_id, author_user_id, vote, reason, shared_with_labs,
                       shared_at, consent_version, redaction_summary, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<FeedbackVote> = "feedback_votes";

enum class FeedbackExportStatus { local_only, pending, sent, failed };
BOOST_DESCRIBE_ENUM(FeedbackExportStatus, local_only, pending, sent, failed)

/// What would be, or was, shared of a vote.
struct FeedbackExport {
  FeedbackExportId id;
  CompanyId company_id;
  FeedbackVoteId feedback_vote_id;
  IssueId issue_id;
  std::optional<ProjectId> project_id;
  std::string author_user_id;
  FeedbackTarget target_type{};
  std::string target_id;
  FeedbackVoteValue vote{};
  FeedbackExportStatus status = FeedbackExportStatus::local_only;
  std::optional<std::string> destination;
  std::optional<std::string> export_id;
  std::optional<std::string> consent_version;
  std::string schema_version = "paperclip-feedback-envelope-v2";
  std::string bundle_version = "paperclip-feedback-bundle-v2";
  std::string payload_version = "paperclip-feedback-v1";
  std::optional<std::string> payload_digest;
  std::optional<RawJson> payload_snapshot;
  RawJson target_summary;
  std::optional<RawJson> redaction_summary;
  int attempt_count = 0;
  std::optional<Timestamp> last_attempted_at;
  std::optional<Timestamp> exported_at;
  std::optional<std::string> failure_reason;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(FeedbackExport, (),
                      (id, company_id, feedback_vote_id, issue_id, project_id, author_user_id, target_type, target_id,
                       vote, status, destination, export_id, consent_version, schema_version, bundle_version,
                       payload_version, payload_digest, payload_snapshot, target_summary, redaction_summary,
                       attempt_count, last_attempted_at, exported_at, failure_reason, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<FeedbackExport> = "feedback_exports";

}  // namespace paperclip::domain
