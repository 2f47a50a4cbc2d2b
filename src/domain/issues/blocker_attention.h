#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "domain/issues/issue_views.h"
#include "store/reader.h"

/// Whether somebody has to look at what blocks an issue (spec/issues.md 10.4).
namespace paperclip::domain {

enum class AttentionState { none, covered, stalled, needs_attention };
BOOST_DESCRIBE_ENUM(AttentionState, none, covered, stalled, needs_attention)
enum class AttentionReason { active_child, active_dependency, stalled_review, attention_required };
BOOST_DESCRIBE_ENUM(AttentionReason, active_child, active_dependency, stalled_review, attention_required)

struct BlockerAttention {
  AttentionState state = AttentionState::none;
  std::optional<AttentionReason> reason;
  int unresolved_blocker_count = 0, covered_blocker_count = 0, stalled_blocker_count = 0, attention_blocker_count = 0;
  std::optional<std::string> sample_blocker_identifier, sample_stalled_blocker_identifier;
};
BOOST_DESCRIBE_STRUCT(BlockerAttention, (),
                      (state, reason, unresolved_blocker_count, covered_blocker_count, stalled_blocker_count,
                       attention_blocker_count, sample_blocker_identifier, sample_stalled_blocker_identifier))

/// For issues of status `blocked`, all of one company, in a number of queries that does not grow with their number.
std::unordered_map<IssueId, BlockerAttention> blocker_attention(store::Reader& reader, CompanyId company,
                                                                const std::vector<IssueId>& blocked);
/// The same for one issue of any status.
BlockerAttention blocker_attention(store::Reader& reader, const Issue& issue);

}  // namespace paperclip::domain
