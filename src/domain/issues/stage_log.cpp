#include "domain/issues/stage_log.h"

#include <algorithm>

#include "base/write_json.h"
#include "domain/activity/activity.h"

namespace paperclip::domain {

namespace {

std::vector<Principal> participants_of(const std::optional<ExecutionPolicy>& policy, ExecutionStageType type) {
  std::vector<Principal> list;
  if (!policy) return list;
  const auto stage = std::find_if(policy->stages.begin(), policy->stages.end(),
                                  [&](const ExecutionStage& s) { return s.type == type; });
  if (stage != policy->stages.end())
    for (const auto& participant : stage->participants) list.push_back(participant.principal());
  return list;
}

std::vector<Principal> without(const std::vector<Principal>& list, const std::vector<Principal>& other) {
  std::vector<Principal> rest;
  for (const auto& who : list)
    if (std::find(other.begin(), other.end(), who) == other.end()) rest.push_back(who);
  return rest;
}

}  // namespace

void log_stage_participants(store::Transaction& tx, const CompanyScope& scope, const Issue& issue,
                            const std::optional<ExecutionPolicy>& before, const std::optional<ExecutionPolicy>& after) {
  for (const auto& [type, action] : {std::pair(ExecutionStageType::review, "issue.reviewers_updated"),
                                     std::pair(ExecutionStageType::approval, "issue.approvers_updated")}) {
    const auto old_list = participants_of(before, type);
    const auto new_list = participants_of(after, type);
    const auto added = without(new_list, old_list);
    const auto removed = without(old_list, new_list);
    if (added.empty() && removed.empty()) continue;
    log_activity(tx, scope.company_id(), scope.author(),
                 {action, "issue", issue.id.str(),
                  json::value{{"identifier", issue.identifier ? json::value(*issue.identifier) : json::value(nullptr)},
                              {"participants", to_json(new_list)},
                              {"addedParticipants", to_json(added)},
                              {"removedParticipants", to_json(removed)}}});
  }
}

}  // namespace paperclip::domain
