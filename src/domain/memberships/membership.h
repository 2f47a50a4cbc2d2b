#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/actor_type.h"
#include "domain/schema/table_of.h"

/// Who may act in a company (spec/platform.md 4.1).
namespace paperclip::domain {

enum class MembershipStatus { pending, active, suspended, archived };
BOOST_DESCRIBE_ENUM(MembershipStatus, pending, active, suspended, archived)

/// A human or an agent in a company. The role is text: old rows say `member`.
struct CompanyMembership {
  MembershipId id;
  CompanyId company_id;
  PrincipalType principal_type{};
  std::string principal_id;
  MembershipStatus status = MembershipStatus::active;
  std::optional<std::string> membership_role;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(CompanyMembership, (),
                      (id, company_id, principal_type, principal_id, status, membership_role, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<CompanyMembership> = "company_memberships";

/// One permission that a member holds.
struct PrincipalPermissionGrant {
  AnyId id;
  CompanyId company_id;
  PrincipalType principal_type{};
  std::string principal_id;
  std::string permission_key;
  std::optional<RawJson> scope;
  std::optional<std::string> granted_by_user_id;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(PrincipalPermissionGrant, (),
                      (id, company_id, principal_type, principal_id, permission_key, scope, granted_by_user_id,
                       created_at, updated_at))
template <>
inline constexpr std::string_view table_of<PrincipalPermissionGrant> = "principal_permission_grants";

}  // namespace paperclip::domain
