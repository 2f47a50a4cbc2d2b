#pragma once

#include <boost/describe/class.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// Secrets as rows; their values are sealed in the versions (spec/platform.md 7.1).
namespace paperclip::domain {

/// A named secret of a company.
struct CompanySecret {
  SecretId id;
  CompanyId company_id;
  std::string name;
  std::string provider = "local_encrypted";
  std::optional<std::string> external_ref;
  int latest_version = 1;
  std::optional<std::string> description;
  std::optional<AgentId> created_by_agent_id;
  std::optional<std::string> created_by_user_id;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(CompanySecret, (),
                      (id, company_id, name, provider, external_ref, latest_version, description, created_by_agent_id,
                       created_by_user_id, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<CompanySecret> = "company_secrets";

/// One sealed value of a secret; old versions stay readable by number.
struct CompanySecretVersion {
  AnyId id;
  SecretId secret_id;
  int version = 0;
  RawJson material;
  std::string value_sha256;
  std::optional<AgentId> created_by_agent_id;
  std::optional<std::string> created_by_user_id;
  Timestamp created_at;
  std::optional<Timestamp> revoked_at;
};
BOOST_DESCRIBE_STRUCT(CompanySecretVersion, (),
                      (id, secret_id, version, material, value_sha256, created_by_agent_id, created_by_user_id,
                       created_at, revoked_at))
template <>
inline constexpr std::string_view table_of<CompanySecretVersion> = "company_secret_versions";

}  // namespace paperclip::domain
