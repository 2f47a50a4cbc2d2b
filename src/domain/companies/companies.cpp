#include "domain/companies/companies.h"

#include <chrono>

#include "domain/activity/activity.h"
#include "domain/budgets/policies.h"
#include "domain/environments/run_lease.h"

namespace paperclip::domain {

namespace {

// The columns of CompanyView; :1 is the start of the month.
constexpr std::string_view company_columns =
    "select c.id, c.name, c.description, c.status, c.pause_reason, c.paused_at, c.issue_prefix, c.issue_counter, c.budget_monthly_cents, "
    "coalesce((select sum(e.cost_cents) from cost_events e where e.company_id = c.id and e.occurred_at >= :1), 0) as spent_monthly_cents, "
    "c.attachment_max_bytes, c.require_board_approval_for_new_agents, c.feedback_data_sharing_enabled, "
    "c.feedback_data_sharing_consent_at, c.feedback_data_sharing_consent_by_user_id, c.feedback_data_sharing_terms_version, "
    "c.brand_color, c.created_at, c.updated_at, l.asset_id as logo_asset_id, cast(null as text) as logo_url "
    "from companies c left join company_logos l on l.company_id = c.id ";

void complete(CompanyView& company) {
  if (company.logo_asset_id) company.logo_url = "/api/assets/" + company.logo_asset_id->str() + "/content";
}

}  // namespace

Timestamp month_start(Timestamp time) {
  using namespace std::chrono;
  const auto day = floor<days>(sys_time<milliseconds>(milliseconds(time.ms)));
  const year_month_day date{day};
  return {duration_cast<milliseconds>(sys_days{date.year() / date.month() / 1}.time_since_epoch()).count()};
}

std::string free_issue_prefix(store::Reader& reader, std::string_view name) {
  std::string prefix;
  for (char c : name) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    if (c >= 'A' && c <= 'Z' && prefix.size() < 3) prefix += c;
  }
  if (prefix.empty()) prefix = "CMP";
  while (reader.exists("select 1 from companies where issue_prefix = :1", prefix)) prefix += 'A';
  return prefix;
}

Result<CompanyId> create_company(store::Transaction& tx, const Actor& creator, const NewCompany& company) {
  const auto id = tx.new_id<CompanyId>();
  const std::int64_t attachment_max = company.attachment_max_bytes ? company.attachment_max_bytes->value : 10485760;
  tx.execute("insert into companies (id, name, description, issue_prefix, budget_monthly_cents, attachment_max_bytes, created_at, updated_at) "
             "values (:1, :2, :3, :4, :5, :6, :7, :8)",
             id, company.name, company.description, free_issue_prefix(tx, company.name), company.budget_monthly_cents.value.value,
             attachment_max, tx.now(), tx.now());
  ensure_local_environment(tx, id);
  if (!creator.user_id.empty())
    tx.execute("insert into company_memberships (id, company_id, principal_type, principal_id, status, membership_role, created_at, updated_at) "
               "values (:1, :2, 'user', :3, 'active', 'owner', :4, :5)",
               tx.new_id<AnyId>(), id, creator.user_id, tx.now(), tx.now());
  if (company.budget_monthly_cents.value.value > 0) {
    PolicyInput policy;
    policy.scope_type = BudgetScope::company;
    policy.scope_id = id_cast<AnyId>(id);
    policy.amount = company.budget_monthly_cents.value.value;
    TRY(upsert_policy(tx, CompanyScope::of_creator(id, creator), policy));
  }
  log_activity(tx, id, Author::of(creator), {"company.created", "company", id.str(), json::value{{"name", std::string_view(company.name)}}});
  return id;
}

std::optional<CompanyView> company_view(store::Reader& reader, CompanyId id) {
  static const std::string sql = std::string(company_columns) + "where c.id = :2";
  auto company = reader.one<CompanyView>(sql, month_start(reader.now()), id);
  if (company) complete(*company);
  return company;
}

std::vector<CompanyView> visible_companies(store::Reader& reader, const Actor& actor) {
  static const std::string all = std::string(company_columns) + "order by c.created_at, c.id limit 10000";
  static const std::string own = std::string(company_columns) +
                                 "join company_memberships m on m.company_id = c.id and m.principal_type = 'user' "
                                 "and m.principal_id = :2 and m.status = 'active' order by c.created_at, c.id limit 10000";
  const Timestamp month = month_start(reader.now());
  auto companies = actor.is_local_implicit() || actor.is_instance_admin ? reader.all<CompanyView>(all, month)
                                                                        : reader.all<CompanyView>(own, month, actor.user_id);
  for (auto& company : companies) complete(company);
  return companies;
}

}  // namespace paperclip::domain
