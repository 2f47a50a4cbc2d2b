#pragma once

#include <optional>
#include <string>

#include "base/fields.h"
#include "domain/access/scope.h"
#include "store/transaction.h"

/// Companies (spec/organisation.md 1).
namespace paperclip::domain {

/// A company as clients see it: its row, its logo and what it spent this UTC month.
struct CompanyView {
  CompanyId id;
  std::string name;
  std::optional<std::string> description;
  std::string status;
  std::optional<std::string> pause_reason;
  std::optional<Timestamp> paused_at;
  std::string issue_prefix;
  int issue_counter = 0;
  std::int64_t budget_monthly_cents = 0, spent_monthly_cents = 0;
  std::int64_t attachment_max_bytes = 10485760;
  bool require_board_approval_for_new_agents = false;
  bool feedback_data_sharing_enabled = false;
  std::optional<Timestamp> feedback_data_sharing_consent_at;
  std::optional<std::string> feedback_data_sharing_consent_by_user_id, feedback_data_sharing_terms_version;
  std::optional<std::string> brand_color;
  std::optional<AnyId> logo_asset_id;
  std::optional<std::string> logo_url;
  Timestamp created_at, updated_at;
};
BOOST_DESCRIBE_STRUCT(CompanyView, (), (id, name, description, status, pause_reason, paused_at, issue_prefix, issue_counter,
                                        budget_monthly_cents, spent_monthly_cents, attachment_max_bytes,
                                        require_board_approval_for_new_agents, feedback_data_sharing_enabled,
                                        feedback_data_sharing_consent_at, feedback_data_sharing_consent_by_user_id,
                                        feedback_data_sharing_terms_version, brand_color, logo_asset_id, logo_url, created_at, updated_at))

struct NewCompany {
  Text<1> name;
  std::optional<std::string> description;
  Default<Int<0>> budget_monthly_cents{Int<0>(0)};
  Omit<Int<1, 1073741824>> attachment_max_bytes;
};
BOOST_DESCRIBE_STRUCT(NewCompany, (), (name, description, budget_monthly_cents, attachment_max_bytes))

/// The first free issue prefix for a name: its first three letters, then with `A`, `AA`, … appended.
std::string free_issue_prefix(store::Reader& reader, std::string_view name);

/// Makes the company, its local environment and the creator's owner membership.
Result<CompanyId> create_company(store::Transaction& tx, const Actor& creator, const NewCompany& company);

/// Nothing for an unknown id.
std::optional<CompanyView> company_view(store::Reader& reader, CompanyId id);
/// All the caller may see: every company for the local board and instance admins, else those it is a member of.
std::vector<CompanyView> visible_companies(store::Reader& reader, const Actor& actor);

/// The first moment of the UTC calendar month that holds `time`.
Timestamp month_start(Timestamp time);

}  // namespace paperclip::domain
