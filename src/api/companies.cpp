#include "api/all_routes.h"
#include "api/services.h"
#include "domain/access/permissions.h"
#include "domain/companies/companies.h"
#include "domain/companies/update.h"
#include "environments/leases.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

using domain::CompanyView;

struct CompanyCounts {
  CompanyId company_id;
  std::int64_t agent_count = 0, issue_count = 0;
};
BOOST_DESCRIBE_STRUCT(CompanyCounts, (), (company_id, agent_count, issue_count))

Result<CompanyView> view(Call& call, CompanyId id) {
  auto company = call.services.database.read([&](store::Reader& reader) { return domain::company_view(reader, id); });
  if (!company) return not_found("Company not found");
  return *std::move(company);
}

Result<Answer> list_companies(Call& call) {
  return ok(call.services.database.read([&](store::Reader& reader) { return domain::visible_companies(reader, call.actor); }));
}

Result<Answer> company_stats(Call& call) {
  const auto [rows, companies] = call.services.database.read([&](store::Reader& reader) {
    return std::pair(reader.all<CompanyCounts>(
                         "select c.id as company_id, (select count(*) from agents a where a.company_id = c.id) as agent_count, "
                         "(select count(*) from issues i where i.company_id = c.id) as issue_count from companies c"),
                     domain::visible_companies(reader, call.actor));
  });
  std::string body;
  JsonObjectWriter writer(body);
  for (const auto& row : rows) {
    if (row.agent_count == 0 && row.issue_count == 0) continue;
    for (const auto& company : companies)
      if (company.id == row.company_id)
        writer.field(row.company_id.view(), json::object{{"agentCount", row.agent_count}, {"issueCount", row.issue_count}});
  }
  writer.end();
  return ok_json(std::move(body));
}

Result<Answer> issues_without_company(Call&) {
  return bad_request("Missing companyId in path. Use /api/companies/{companyId}/issues.");
}

Result<Answer> get_company(Call& call) { return ok(TRY(view(call, call.company_id()))); }

Result<Answer> create_company(Call& call, const domain::NewCompany& body) {
  const auto id = TRY(call.services.database.write([&](store::Transaction& tx) { return domain::create_company(tx, call.actor, body); }));
  return created(TRY(view(call, id)));
}

// The body's schema depends on the caller, so access comes first (spec/organisation.md 1.4).
Result<Answer> update_company(Call& call) {
  const json::value* body = call.body ? &*call.body : nullptr;
  TRY(view(call, call.company_id()));
  domain::CompanyPatch patch;
  if (call.actor.is_agent()) {
    const bool is_ceo = call.services.database.read([&](store::Reader& reader) { return domain::agent_standing(reader, *call.actor.agent_id).is_ceo; });
    if (!is_ceo) return forbidden("Only CEO agents or board users may update company settings");
    patch = domain::as_company_patch(TRY(decode<domain::BrandingPatch>(body)));
  } else {
    patch = TRY(decode<domain::CompanyPatch>(body));
  }
  TRY(call.services.database.write(
      [&](store::Transaction& tx) { return domain::update_company(tx, call.scope(), patch, "company.updated", *call.body); }));
  return ok(TRY(view(call, call.company_id())));
}

Result<Answer> update_branding(Call& call, const domain::BrandingPatch& body) {
  TRY(call.services.database.write([&](store::Transaction& tx) -> Result<> {
    if (call.actor.is_agent() && !domain::agent_standing(tx, *call.actor.agent_id).is_ceo)
      return forbidden("Only CEO agents can update company branding");
    return domain::update_company(tx, call.scope(), domain::as_company_patch(body), "company.branding_updated", *call.body);
  }));
  return ok(TRY(view(call, call.company_id())));
}

Result<Answer> archive_company(Call& call) {
  TRY(call.services.database.write([&](store::Transaction& tx) { return domain::archive_company(tx, call.scope()); }));
  return ok(TRY(view(call, call.company_id())));
}

Result<Answer> delete_company(Call& call) {
  if (!call.services.settings.company_deletion_enabled)
    return forbidden("Company deletion is disabled. Set PAPERCLIP_ENABLE_COMPANY_DELETION=true to allow it.");
  if (call.services.leases != nullptr) call.services.leases->give_back_kept(call.company_id(), Deadline::in(std::chrono::seconds(120)));
  TRY(call.services.database.write([&](store::Transaction& tx) { return domain::delete_company(tx, call.scope()); }));
  return ok_true();
}

}  // namespace

void add_company_routes(Routes& routes) {
  routes.get("/api/companies", list_companies).callers(board);
  routes.get("/api/companies/stats", company_stats).callers(board);
  routes.get("/api/companies/issues", issues_without_company).callers(anyone);
  routes.get("/api/companies/{companyId}", get_company).company();
  routes.post("/api/companies", create_company).callers(instance_admin, "Instance admin required");
  routes.patch("/api/companies/{companyId}", update_company).company().access_first();
  routes.patch("/api/companies/{companyId}/branding", update_branding).company();
  routes.post("/api/companies/{companyId}/archive", archive_company).company().callers(board);
  routes.remove("/api/companies/{companyId}", delete_company).company().callers(board);
}

}  // namespace paperclip::api
