#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "domain/access/scope.h"
#include "domain/issues/issue_views.h"
#include "store/reader.h"

/// One issue in full (spec/issues.md 5.2, 5.3).
namespace paperclip::domain {

/// The answer of GET. 404 `Issue not found`. `instance_root` is where managed checkouts of projects live.
Result<std::string> issue_detail_json(store::Reader& reader, CompanyId company, IssueId id,
                                      const std::filesystem::path& instance_root);

/// The answer of GET heartbeat-context. `wake_comment` is a comment's id as the caller sent it.
Result<std::string> heartbeat_context_json(store::Reader& reader, CompanyId company, IssueId id,
                                           const std::optional<std::string>& wake_comment);

/// `labels` and `labelIds` after an issue's members, as answers of writes carry them.
void append_issue_with_labels(std::string& out, store::Reader& reader, const Issue& issue);

}  // namespace paperclip::domain
