#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/schema/table_of.h"
#include "domain/workspaces/health.h"

/// Results and files of issues (spec/issues.md 1.4).
namespace paperclip::domain {

/// A file on an issue or on one of its comments.
struct IssueAttachment {
  AttachmentId id;
  CompanyId company_id;
  IssueId issue_id;
  AssetId asset_id;
  std::optional<CommentId> issue_comment_id;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(IssueAttachment, (),
                      (id, company_id, issue_id, asset_id, issue_comment_id, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<IssueAttachment> = "issue_attachments";

enum class WorkProductType { preview_url, runtime_service, pull_request, branch, commit, artifact, document };
BOOST_DESCRIBE_ENUM(WorkProductType, preview_url, runtime_service, pull_request, branch, commit, artifact, document)

enum class WorkProductStatus {
  active,
  ready_for_review,
  approved,
  changes_requested,
  merged,
  closed,
  failed,
  archived,
  draft
};
BOOST_DESCRIBE_ENUM(WorkProductStatus, active, ready_for_review, approved, changes_requested, merged, closed, failed,
                    archived, draft)

enum class WorkProductReviewState { none, needs_board_review, approved, changes_requested };
BOOST_DESCRIBE_ENUM(WorkProductReviewState, none, needs_board_review, approved, changes_requested)

/// Something an issue produced: a branch, a pull request, a preview.
struct IssueWorkProduct {
  WorkProductId id;
  CompanyId company_id;
  std::optional<ProjectId> project_id;
  IssueId issue_id;
  std::optional<ExecutionWorkspaceId> execution_workspace_id;
  std::optional<RuntimeServiceId> runtime_service_id;
  WorkProductType type{};
  std::string provider;
  std::optional<std::string> external_id;
  std::string title;
  std::optional<std::string> url;
  WorkProductStatus status{};
  WorkProductReviewState review_state = WorkProductReviewState::none;
  bool is_primary = false;
  HealthStatus health_status = HealthStatus::unknown;
  std::optional<std::string> summary;
  std::optional<RawJson> metadata;
  std::optional<RunId> created_by_run_id;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(IssueWorkProduct, (),
                      (id, company_id, project_id, issue_id, execution_workspace_id, runtime_service_id, type, provider,
                       external_id, title, url, status, review_state, is_primary, health_status, summary, metadata,
                       created_by_run_id, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<IssueWorkProduct> = "issue_work_products";

}  // namespace paperclip::domain
