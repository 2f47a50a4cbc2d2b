#pragma once

#include <initializer_list>
#include <optional>
#include <string_view>

#include "base/id.h"
#include "store/reader.h"

/// Who is asked when work needs somebody in charge (spec/execution.md 24.2, 24.3).
namespace paperclip::domain {

std::optional<AgentId> manager_of(store::Reader& reader, const std::optional<AgentId>& agent);
/// The first agent of the company with the role that takes work.
std::optional<AgentId> agent_with_role(store::Reader& reader, CompanyId company, std::string_view role);
/// The first of the candidates that takes work and that no budget stops.
std::optional<AgentId> first_able(store::Reader& reader, CompanyId company, const std::optional<ProjectId>& project,
                                  std::initializer_list<std::optional<AgentId>> candidates);

}  // namespace paperclip::domain
