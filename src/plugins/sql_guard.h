#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

/// Which SQL a plugin may use in its own schema (spec/plugins.md 14). Pure functions over text.
namespace paperclip::plugins {

/// `plugin_<slug>_<hash>`: plugins write this name into their files, so it is fixed for ever.
std::string namespace_name(std::string_view plugin_key, std::string_view slug);

/// Cut at semicolons outside of quotes and comments; empty ones dropped.
std::vector<std::string> split_statements(std::string_view sql);

struct SqlRules {
  std::string schema;                           // the plugin's
  std::vector<std::string> core_read_tables;    // of `public`, may be read
};
/// One statement of a migration.
Result<> check_migration(std::string_view statement, const SqlRules& rules);
/// The text of `db.query`.
Result<> check_query(std::string_view sql, const SqlRules& rules);
/// The text of `db.execute`.
Result<> check_execute(std::string_view sql, const SqlRules& rules);

}  // namespace paperclip::plugins
