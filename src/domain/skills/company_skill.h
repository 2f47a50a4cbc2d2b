#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// Skills that a company has (spec/organisation.md 6.1).
namespace paperclip::domain {

enum class SkillSourceType { local_path, github, url, catalog, skills_sh };
BOOST_DESCRIBE_ENUM(SkillSourceType, local_path, github, url, catalog, skills_sh)

enum class SkillTrustLevel { markdown_only, assets, scripts_executables };
BOOST_DESCRIBE_ENUM(SkillTrustLevel, markdown_only, assets, scripts_executables)

enum class SkillCompatibility { compatible, unknown, invalid };
BOOST_DESCRIBE_ENUM(SkillCompatibility, compatible, unknown, invalid)

/// A skill: its text and where it came from.
struct CompanySkill {
  CompanySkillId id;
  CompanyId company_id;
  std::string key;
  std::string slug;
  std::string name;
  std::optional<std::string> description;
  std::string markdown;
  SkillSourceType source_type = SkillSourceType::local_path;
  std::optional<std::string> source_locator;
  std::optional<std::string> source_ref;
  SkillTrustLevel trust_level = SkillTrustLevel::markdown_only;
  SkillCompatibility compatibility = SkillCompatibility::compatible;
  RawJson file_inventory{std::string("[]")};
  std::optional<RawJson> metadata;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(CompanySkill, (),
                      (id, company_id, key, slug, name, description, markdown, source_type, source_locator, source_ref,
                       trust_level, compatibility, file_inventory, metadata, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<CompanySkill> = "company_skills";

}  // namespace paperclip::domain
