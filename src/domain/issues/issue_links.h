#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// How issues hang together and who has seen them (spec/issues.md 1.2).
namespace paperclip::domain {

enum class IssueRelationType { blocks };
BOOST_DESCRIBE_ENUM(IssueRelationType, blocks)

/// `issue_id` blocks `related_issue_id`.
struct IssueRelation {
  AnyId id;
  CompanyId company_id;
  IssueId issue_id;
  IssueId related_issue_id;
  IssueRelationType type = IssueRelationType::blocks;
  std::optional<AgentId> created_by_agent_id;
  std::optional<std::string> created_by_user_id;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(IssueRelation, (),
                      (id, company_id, issue_id, related_issue_id, type, created_by_agent_id, created_by_user_id,
                       created_at, updated_at))
template <>
inline constexpr std::string_view table_of<IssueRelation> = "issue_relations";

/// An issue carries a label.
struct IssueLabel {
  IssueId issue_id;
  LabelId label_id;
  CompanyId company_id;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(IssueLabel, (), (issue_id, label_id, company_id, created_at))
template <>
inline constexpr std::string_view table_of<IssueLabel> = "issue_labels";

/// An approval concerns an issue.
struct IssueApproval {
  CompanyId company_id;
  IssueId issue_id;
  ApprovalId approval_id;
  std::optional<AgentId> linked_by_agent_id;
  std::optional<std::string> linked_by_user_id;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(IssueApproval, (),
                      (company_id, issue_id, approval_id, linked_by_agent_id, linked_by_user_id, created_at))
template <>
inline constexpr std::string_view table_of<IssueApproval> = "issue_approvals";

/// Where an issue mentions another.
enum class ReferenceSource { title, description, comment, document };
BOOST_DESCRIBE_ENUM(ReferenceSource, title, description, comment, document)

/// A text of one issue mentions another.
struct IssueReferenceMention {
  AnyId id;
  CompanyId company_id;
  IssueId source_issue_id;
  IssueId target_issue_id;
  ReferenceSource source_kind{};
  std::optional<AnyId> source_record_id;
  std::optional<std::string> document_key;
  std::optional<std::string> matched_text;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(IssueReferenceMention, (),
                      (id, company_id, source_issue_id, target_issue_id, source_kind, source_record_id, document_key,
                       matched_text, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<IssueReferenceMention> = "issue_reference_mentions";

/// When a user last read an issue.
struct IssueReadState {
  AnyId id;
  CompanyId company_id;
  IssueId issue_id;
  std::string user_id;
  Timestamp last_read_at;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(IssueReadState, (), (id, company_id, issue_id, user_id, last_read_at, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<IssueReadState> = "issue_read_states";

/// A user put an issue away; newer activity brings it back.
struct IssueInboxArchive {
  AnyId id;
  CompanyId company_id;
  IssueId issue_id;
  std::string user_id;
  Timestamp archived_at;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(IssueInboxArchive, (), (id, company_id, issue_id, user_id, archived_at, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<IssueInboxArchive> = "issue_inbox_archives";

}  // namespace paperclip::domain
