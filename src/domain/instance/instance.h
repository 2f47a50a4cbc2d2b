#pragma once

#include <boost/describe/class.hpp>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// The instance as a whole (spec/platform.md 4.1, 6.1).
namespace paperclip::domain {

/// The one row of settings; both objects are read through defaults.
struct InstanceSettings {
  AnyId id;
  std::string singleton_key = "default";
  RawJson general{std::string("{}")};
  RawJson experimental{std::string("{}")};
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(InstanceSettings, (), (id, singleton_key, general, experimental, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<InstanceSettings> = "instance_settings";

/// A user who administers the instance.
struct InstanceUserRole {
  AnyId id;
  std::string user_id;
  std::string role = "instance_admin";
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(InstanceUserRole, (), (id, user_id, role, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<InstanceUserRole> = "instance_user_roles";

}  // namespace paperclip::domain
