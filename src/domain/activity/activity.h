#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "domain/access/actor.h"
#include "store/transaction.h"

namespace paperclip::domain {

struct ActivityEntry {
  std::string_view action;
  std::string_view entity_type;
  std::string entity_id;
  /// Null means no details. Secrets in it are redacted before it is stored (spec/platform.md 10).
  json::value details = nullptr;
};

/// Notes on an issue that something was done with it, which is what lists sort by; who has read it is no news. Nothing for
/// other kinds of entity.
void note_activity(store::Transaction& tx, CompanyId company, std::string_view action, std::string_view entity_type, const std::string& entity_id);

/// Writes one row of the audit trail and emits `activity.logged` (spec/platform.md 9.2).
void log_activity(store::Transaction& tx, CompanyId company, const Author& author, ActivityEntry entry);

}  // namespace paperclip::domain
