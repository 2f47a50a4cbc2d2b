#include "domain/issues/work_products.h"

#include "api/all_routes.h"
#include "api/issue_kind.h"
#include "api/services.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

Result<std::optional<Located>> locate_product(store::Reader& reader, const Call&, std::string_view reference) {
  const auto id = WorkProductId::parse(reference);
  const auto company =
      id ? reader.value<CompanyId>("select company_id from issue_work_products where id = :1", *id) : std::nullopt;
  if (!company) return std::optional<Located>();
  return std::optional<Located>({*company, id->str()});
}
constexpr EntityKind product_kind{"Work product not found", locate_product};

Result<Answer> list_products(Call& call) {
  return ok(call.services.database.read([&](store::Reader& reader) {
    return domain::work_products_of(reader, call.company_id(), call.entity<IssueId>());
  }));
}

Result<Answer> create_product(Call& call, const domain::NewWorkProduct& body) {
  return created(TRY(call.services.database.write([&](store::Transaction& tx) {
    return domain::create_work_product(tx, call.scope(), call.entity<IssueId>(), body);
  })));
}

Result<Answer> update_product(Call& call, const domain::WorkProductPatch& body) {
  return ok(TRY(call.services.database.write([&](store::Transaction& tx) {
    return domain::update_work_product(tx, call.scope(), call.entity<WorkProductId>(), body);
  })));
}

Result<Answer> delete_product(Call& call) {
  return ok(TRY(call.services.database.write([&](store::Transaction& tx) {
    return domain::delete_work_product(tx, call.scope(), call.entity<WorkProductId>());
  })));
}

}  // namespace

void add_work_product_routes(Routes& routes) {
  routes.get("/api/issues/{id}/work-products", list_products).entity(issue_kind);
  routes.post("/api/issues/{id}/work-products", create_product).entity(issue_kind);
  routes.patch("/api/work-products/{id}", update_product).entity(product_kind);
  routes.remove("/api/work-products/{id}", delete_product).entity(product_kind);
}

}  // namespace paperclip::api
