#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "domain/wakeups/wake.h"

/// The context a wake carries and a run keeps (spec/execution.md 3, 4.1). Pure functions on JSON objects.
namespace paperclip::domain {

/// The first non-empty text of `taskKey`, `taskId`, `issueId` in the context, then in the payload.
std::optional<std::string> derive_task_key(const json::object& context, const json::object* payload = nullptr);

/// The comments a context is about, oldest first: its batch, else its single comment.
std::vector<std::string> wake_comment_ids(const json::object& context);

/// Fills what the wake's own fields say and the context does not; joins the payload's comment to the batch.
json::object enrich_wake_context(const WakeRequest& request);

/// What a run knows after another wake has been folded into it: the newer context wins, the comments join.
json::object merge_wake_context(const json::object& existing, const json::object& incoming);

/// True for a wake by a comment or a mention, which may run where other wakes may not (spec/execution.md 4.2.4).
bool is_interaction_reason(std::string_view reason);
bool is_comment_wake(const json::object& context);

/// The non-empty, trimmed text at a key of the object.
std::optional<std::string> context_text(const json::object& context, std::string_view key);
/// True only for the literal true.
bool context_flag(const json::object& context, std::string_view key);

}  // namespace paperclip::domain
