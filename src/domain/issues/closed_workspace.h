#pragma once

#include <optional>
#include <string>

#include "domain/issues/issue_views.h"
#include "store/reader.h"

namespace paperclip::domain {

/// 409 when the issue is linked to an isolated workspace that was closed (spec/workspaces.md 6.3).
Result<> require_open_workspace(store::Reader& reader, const Issue& issue);

/// The issue's execution workspace as clients see it; nothing if it has none.
std::optional<RawJson> execution_workspace_json(store::Reader& reader, const Issue& issue);

}  // namespace paperclip::domain
