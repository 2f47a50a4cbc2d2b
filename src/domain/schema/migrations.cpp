#include "domain/schema/migrations.h"

#include <string>

#include "domain/schema/parts.h"

namespace paperclip::domain {

const std::vector<store::Migration>& domain_migrations() {
  static const std::vector<store::Migration> migrations{
      {2, "accounts", std::string(schema::accounts)},
      {3, "companies", std::string(schema::companies)},
      {4, "access", std::string(schema::access)},
      {5, "projects", std::string(schema::projects)},
      {6, "runs", std::string(schema::runs)},
      {7, "issues", std::string(schema::issues)},
      {8, "issue_threads", std::string(schema::issue_threads)},
      {9, "money", std::string(schema::money)},
      {10, "routines", std::string(schema::routines)},
      {11, "plugins", std::string(schema::plugins)},
      {12, "issue_activity", std::string(schema::issue_activity)},
      {20, "exclusive_leases", std::string(schema::exclusive_leases)},
      {25, "plugin_grants", std::string(schema::plugin_grants)},
      {35, "waiting", std::string(schema::waiting)},
      {47, "held_directories", std::string(schema::held_directories)},
  };
  return migrations;
}

}  // namespace paperclip::domain
