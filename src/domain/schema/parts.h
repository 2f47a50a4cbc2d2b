#pragma once

#include <string_view>

/// The SQL of each part of the schema, in the order in which they are applied. One text for both engines, with the
/// type words of `store/migrations.h`.
namespace paperclip::domain::schema {

extern const std::string_view accounts;
extern const std::string_view companies;
extern const std::string_view access;
extern const std::string_view projects;
extern const std::string_view runs;
extern const std::string_view issues;
extern const std::string_view issue_threads;
extern const std::string_view money;
extern const std::string_view routines;
extern const std::string_view plugins;
extern const std::string_view issue_activity;
extern const std::string_view plugin_grants;
extern const std::string_view waiting;
extern const std::string_view exclusive_leases;
extern const std::string_view held_directories;

}  // namespace paperclip::domain::schema
