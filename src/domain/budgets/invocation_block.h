#pragma once

#include <optional>
#include <string>

#include "base/id.h"
#include "base/result.h"
#include "store/reader.h"

namespace paperclip::domain {

/// Why no work may start: a scope that is paused or has spent its budget (spec/organisation.md 9.5).
struct InvocationBlock {
  std::string scope_type;  // company | agent | project
  std::string scope_id;
  std::string reason;
  /// OURS: the limit beside money that is used up; asking for work that it forbids is what opens its incident
  /// (`enforce_limit`).
  std::optional<BudgetPolicyId> limit{};

  /// The 409 that a caller gets.
  Error error() const;
};

/// The first block on the way company, agent, project; nothing if work may start. `project` is empty when the work
/// belongs to none.
std::optional<InvocationBlock> find_invocation_block(store::Reader& reader, CompanyId company, AgentId agent,
                                                     std::optional<ProjectId> project);

}  // namespace paperclip::domain
