#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace paperclip::store {

class Session;

/// One step of the schema. Never changed once released: its text's checksum is remembered by every database.
struct Migration {
  int version;
  std::string name;
  /// Statements separated by `;`, with the type words of `expand_schema`.
  std::string sql;
};

/// The store's own: version 1, the `events` table. Everyone else's versions begin at 2.
std::span<const Migration> store_migrations();

/// Applies what is missing, in order, all in one transaction, and records it in `schema_migrations`. Errors, with a
/// message for the person who starts the server: the database is newer than this program; a migration was changed after
/// it was applied; the versions do not ascend; a statement failed (then nothing was changed).
Result<void> migrate(Session& session, std::span<const Migration> migrations, const Clock& clock);

}  // namespace paperclip::store
