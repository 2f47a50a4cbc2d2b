#pragma once

#include <boost/describe/class.hpp>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// What a user arranged for themselves (spec/work-domain.md 7).
namespace paperclip::domain {

/// The order of companies in one user's sidebar.
struct UserSidebarPreferences {
  AnyId id;
  std::string user_id;
  RawJson company_order{std::string("[]")};
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(UserSidebarPreferences, (), (id, user_id, company_order, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<UserSidebarPreferences> = "user_sidebar_preferences";

/// The order of a company's projects in one user's sidebar.
struct CompanyUserSidebarPreferences {
  AnyId id;
  CompanyId company_id;
  std::string user_id;
  RawJson project_order{std::string("[]")};
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(CompanyUserSidebarPreferences, (),
                      (id, company_id, user_id, project_order, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<CompanyUserSidebarPreferences> = "company_user_sidebar_preferences";

/// An inbox item that a user put away; newer activity brings it back.
struct InboxDismissal {
  AnyId id;
  CompanyId company_id;
  std::string user_id;
  std::string item_key;
  Timestamp dismissed_at;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(InboxDismissal, (), (id, company_id, user_id, item_key, dismissed_at, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<InboxDismissal> = "inbox_dismissals";

}  // namespace paperclip::domain
