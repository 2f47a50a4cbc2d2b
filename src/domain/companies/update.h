#pragma once

#include "base/fields.h"
#include "base/read_json.h"
#include "domain/access/scope.h"
#include "domain/companies/company.h"
#include "store/transaction.h"

/// Changing and removing companies (spec/organisation.md 1.4).
namespace paperclip::domain {

/// `#RRGGBB`.
struct BrandColor {
  std::string value;
  static void read(const json::value* value, BrandColor& out, SchemaIssues& issues);
};

struct CompanyPatch {
  Omit<Text<1>> name;
  Patch<std::string> description;
  Omit<CompanyStatus> status;
  Omit<Int<0>> budget_monthly_cents, spent_monthly_cents;
  Omit<Int<1, 1073741824>> attachment_max_bytes;
  Omit<bool> require_board_approval_for_new_agents;
  Omit<bool> feedback_data_sharing_enabled;
  Patch<Timestamp> feedback_data_sharing_consent_at;
  Patch<std::string> feedback_data_sharing_consent_by_user_id, feedback_data_sharing_terms_version;
  Patch<BrandColor> brand_color;
  Patch<AssetId> logo_asset_id;
};
BOOST_DESCRIBE_STRUCT(CompanyPatch, (), (name, description, status, budget_monthly_cents, spent_monthly_cents, attachment_max_bytes,
                                         require_board_approval_for_new_agents, feedback_data_sharing_enabled, feedback_data_sharing_consent_at,
                                         feedback_data_sharing_consent_by_user_id, feedback_data_sharing_terms_version, brand_color, logo_asset_id))

/// What a CEO agent may change as well: the face of the company. Unknown keys are refused.
struct BrandingPatch {
  static constexpr bool strict = true;
  Omit<Text<1>> name;
  Patch<std::string> description;
  Patch<BrandColor> brand_color;
  Patch<AssetId> logo_asset_id;
  void check(SchemaIssues& issues) const;
};
BOOST_DESCRIBE_STRUCT(BrandingPatch, (), (name, description, brand_color, logo_asset_id))
CompanyPatch as_company_patch(const BrandingPatch& branding);

/// `sent` is the request body, which the activity entry records under `action`. 404 `Company not found`,
/// `Logo asset not found`; 422 for another company's asset.
Result<> update_company(store::Transaction& tx, const CompanyScope& scope, const CompanyPatch& patch, std::string_view action, const json::value& sent);
Result<> archive_company(store::Transaction& tx, const CompanyScope& scope);
/// Every row of the company, in one transaction. Files of it are the caller's to remove afterwards.
Result<> delete_company(store::Transaction& tx, const CompanyScope& scope);

}  // namespace paperclip::domain
