#pragma once

#include <optional>

#include "domain/access/scope.h"
#include "domain/issues/execution_policy.h"
#include "domain/issues/issue_views.h"
#include "store/transaction.h"

namespace paperclip::domain {

/// `issue.reviewers_updated` and `issue.approvers_updated` for participants that came or went (the first stage of each
/// kind counts, spec/work-domain.md 11.3).
void log_stage_participants(store::Transaction& tx, const CompanyScope& scope, const Issue& issue,
                            const std::optional<ExecutionPolicy>& before, const std::optional<ExecutionPolicy>& after);

}  // namespace paperclip::domain
