#include "domain/labels/labels.h"

#include "api/all_routes.h"
#include "api/services.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

Result<std::optional<Located>> locate_label(store::Reader& reader, const Call&, std::string_view reference) {
  const auto id = LabelId::parse(reference);
  const auto company = id ? reader.value<CompanyId>("select company_id from labels where id = :1", *id) : std::nullopt;
  if (!company) return std::optional<Located>();
  return std::optional<Located>({*company, id->str()});
}
constexpr EntityKind label_kind{"Label not found", locate_label};

Result<Answer> list_labels(Call& call) {
  return ok(call.services.database.read(
      [&](store::Reader& reader) { return domain::labels_of_company(reader, call.company_id()); }));
}

Result<Answer> create_label(Call& call, const domain::NewLabel& body) {
  return created(TRY(call.services.database.write(
      [&](store::Transaction& tx) { return domain::create_label(tx, call.scope(), body); })));
}

Result<Answer> delete_label(Call& call) {
  return ok(TRY(call.services.database.write(
      [&](store::Transaction& tx) { return domain::delete_label(tx, call.scope(), call.entity<LabelId>()); })));
}

}  // namespace

void add_label_routes(Routes& routes) {
  routes.get("/api/companies/{companyId}/labels", list_labels).company();
  routes.post("/api/companies/{companyId}/labels", create_label).company();
  routes.remove("/api/labels/{id}", delete_label).entity(label_kind);
}

}  // namespace paperclip::api
