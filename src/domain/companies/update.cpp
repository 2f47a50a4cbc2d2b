#include "domain/companies/update.h"

#include <cctype>

#include "domain/activity/activity.h"
#include "domain/environments/leases.h"
#include "domain/schema/tables.h"

namespace paperclip::domain {

namespace {

// Attaches, replaces or detaches; the row of the previous logo's asset goes (the stored object stays).
Result<> change_logo(store::Transaction& tx, const CompanyScope& scope, const std::optional<AssetId>& asset) {
  if (asset) {
    const auto home = tx.value<CompanyId>("select company_id from assets where id = :1", *asset);
    if (!home) return not_found("Logo asset not found");
    if (*home != scope.company_id()) return unprocessable("Logo asset must belong to the same company");
  }
  const auto previous = tx.value<AssetId>("select asset_id from company_logos where company_id = :1", scope.company_id());
  if (previous == asset) return {};
  tx.execute("delete from company_logos where company_id = :1", scope.company_id());
  if (previous) tx.execute("delete from assets where id = :1", *previous);
  if (asset) tx.insert("company_logos", CompanyLogo{tx.new_id<AnyId>(), scope.company_id(), *asset, tx.now(), tx.now()});
  return {};
}

template <class Entity>
constexpr bool is_company_scoped = requires(Entity e) { e.company_id; };

}  // namespace

void BrandColor::read(const json::value* value, BrandColor& out, SchemaIssues& issues) {
  if (!detail::read_text(value, out.value, issues)) return;
  bool fits = out.value.size() == 7 && out.value[0] == '#';
  for (std::size_t i = 1; fits && i < 7; ++i) fits = std::isxdigit(static_cast<unsigned char>(out.value[i])) != 0;
  if (!fits) issues.add("invalid_string", "Invalid", {{"validation", "regex"}});
}

void BrandingPatch::check(SchemaIssues& issues) const {
  if (!name && !description && !brand_color && !logo_asset_id) issues.add("custom", "At least one branding field must be provided");
}

CompanyPatch as_company_patch(const BrandingPatch& branding) {
  CompanyPatch patch;
  patch.name = branding.name;
  patch.description = branding.description;
  patch.brand_color = branding.brand_color;
  patch.logo_asset_id = branding.logo_asset_id;
  return patch;
}

Result<> update_company(store::Transaction& tx, const CompanyScope& scope, const CompanyPatch& patch, std::string_view action, const json::value& sent) {
  auto company = tx.one<Company>("select {} from companies where id = :1 {for update}", scope.company_id());
  if (!company) return not_found("Company not found");
  if (patch.name) company->name = *patch.name;
  patch.description.apply(company->description);
  if (patch.status) {
    company->status = *patch.status;
    if (*patch.status == CompanyStatus::active) {
      company->pause_reason.reset();
      company->paused_at.reset();
    }
  }
  if (patch.budget_monthly_cents) company->budget_monthly_cents = patch.budget_monthly_cents->value;
  if (patch.spent_monthly_cents) company->spent_monthly_cents = patch.spent_monthly_cents->value;
  if (patch.attachment_max_bytes) company->attachment_max_bytes = static_cast<int>(patch.attachment_max_bytes->value);
  if (patch.require_board_approval_for_new_agents) company->require_board_approval_for_new_agents = *patch.require_board_approval_for_new_agents;
  patch.feedback_data_sharing_consent_at.apply(company->feedback_data_sharing_consent_at);
  patch.feedback_data_sharing_consent_by_user_id.apply(company->feedback_data_sharing_consent_by_user_id);
  patch.feedback_data_sharing_terms_version.apply(company->feedback_data_sharing_terms_version);
  if (patch.feedback_data_sharing_enabled) {
    if (*patch.feedback_data_sharing_enabled && !company->feedback_data_sharing_enabled) {
      company->feedback_data_sharing_consent_at = tx.now();
      company->feedback_data_sharing_consent_by_user_id = scope.author().id;
      if (!patch.feedback_data_sharing_terms_version) company->feedback_data_sharing_terms_version = "feedback-data-sharing-v1";
    }
    company->feedback_data_sharing_enabled = *patch.feedback_data_sharing_enabled;
  }
  if (patch.brand_color.is_null()) company->brand_color.reset();
  else if (patch.brand_color) company->brand_color = patch.brand_color->value;
  if (patch.logo_asset_id) TRY(change_logo(tx, scope, patch.logo_asset_id.optional()));
  company->updated_at = tx.now();
  tx.update("companies", *company);
  log_activity(tx, scope.company_id(), scope.author(), {action, "company", scope.company_id().str(), sent});
  return {};
}

Result<> archive_company(store::Transaction& tx, const CompanyScope& scope) {
  if (tx.execute("update companies set status = 'archived', updated_at = :1 where id = :2", tx.now(), scope.company_id()) == 0)
    return not_found("Company not found");
  log_activity(tx, scope.company_id(), scope.author(), {"company.archived", "company", scope.company_id().str(), nullptr});
  return {};
}

Result<> delete_company(store::Transaction& tx, const CompanyScope& scope) {
  if (!tx.exists("select 1 from companies where id = :1", scope.company_id())) return not_found("Company not found");
  if (tx.exists("select 1 from heartbeat_runs where company_id = :1 and status = 'running'", scope.company_id()))
    return conflict("Cannot delete a company whose agents are running. Pause or terminate them first.");
  // Its rows are all that leads to what providers still keep.
  for (const auto& lease : tx.all<EnvironmentLease>("select {} from environment_leases where company_id = :1 and provider not in ('local', 'ssh')", scope.company_id()))
    if (holds_place(lease))
      return conflict("The company still has a sandbox that could not be given back to its provider. Repair or delete the environment first.",
                      json::object{{"environmentId", lease.environment_id.view()}, {"leaseId", lease.id.view()}});
  // References that point against the order of insertion.
  tx.execute("update agents set reports_to = null where company_id = :1", scope.company_id());
  tx.execute("update issues set parent_id = null where company_id = :1", scope.company_id());
  tx.execute("update goals set parent_id = null where company_id = :1", scope.company_id());
  // Whatever was inserted last goes first.
  boost::mp11::mp_for_each<boost::mp11::mp_transform<boost::mp11::mp_identity, boost::mp11::mp_reverse<Entities>>>([&](auto wrapped) {
    using Entity = typename decltype(wrapped)::type;
    if constexpr (is_company_scoped<Entity>) {
      static const std::string sql = "delete from " + std::string(table_of<Entity>) + " where company_id = :1";
      tx.execute(sql, scope.company_id());
    }
  });
  tx.execute("delete from companies where id = :1", scope.company_id());
  return {};
}

}  // namespace paperclip::domain
