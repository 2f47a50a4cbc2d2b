#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace paperclip::store {

/// Copies a SQLite database that may be in use to a new file; see `Database::backup_to`.
Result<void> copy_sqlite(const std::string& database, const std::filesystem::path& file);

}  // namespace paperclip::store
