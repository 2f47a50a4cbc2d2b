#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/time.h"
#include "domain/actor_type.h"
#include "domain/schema/table_of.h"

/// Companies (spec/organisation.md 1).
namespace paperclip::domain {

enum class CompanyStatus { active, paused, archived };
BOOST_DESCRIBE_ENUM(CompanyStatus, active, paused, archived)

/// A company of agents: the tenant that owns everything else.
struct Company {
  CompanyId id;
  std::string name;
  std::optional<std::string> description;
  CompanyStatus status = CompanyStatus::active;
  std::optional<PauseReason> pause_reason;
  std::optional<Timestamp> paused_at;
  std::string issue_prefix = "PAP";
  int issue_counter = 0;
  std::int64_t budget_monthly_cents = 0;
  std::int64_t spent_monthly_cents = 0;
  int attachment_max_bytes = 10485760;
  bool require_board_approval_for_new_agents = false;
  bool feedback_data_sharing_enabled = false;
  std::optional<Timestamp> feedback_data_sharing_consent_at;
  std::optional<std::string> feedback_data_sharing_consent_by_user_id;
  std::optional<std::string> feedback_data_sharing_terms_version;
  std::optional<std::string> brand_color;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(Company, (),
                      (id, name, description, status, pause_reason, paused_at, issue_prefix, issue_counter,
                       budget_monthly_cents, spent_monthly_cents, attachment_max_bytes,
                       require_board_approval_for_new_agents, feedback_data_sharing_enabled,
                       feedback_data_sharing_consent_at, feedback_data_sharing_consent_by_user_id,
                       feedback_data_sharing_terms_version, brand_color, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<Company> = "companies";

/// Which asset is a company's logo.
struct CompanyLogo {
  AnyId id;
  CompanyId company_id;
  AssetId asset_id;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(CompanyLogo, (), (id, company_id, asset_id, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<CompanyLogo> = "company_logos";

}  // namespace paperclip::domain
