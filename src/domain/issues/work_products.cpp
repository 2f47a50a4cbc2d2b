#include "domain/issues/work_products.h"

#include <algorithm>

#include "domain/activity/activity.h"
#include "domain/issues/issue_rows.h"
#include "domain/issues/lock.h"

namespace paperclip::domain {

namespace {

// One primary product for each type.
void clear_other_primaries(store::Transaction& tx, const IssueWorkProduct& product) {
  if (!product.is_primary) return;
  tx.execute(
      "update issue_work_products set is_primary = false, updated_at = :4 where issue_id = :1 and type = :2 and id <> "
      ":3 and is_primary",
      product.issue_id, product.type, product.id, tx.now());
}

// OURS: what a product names must be the company's.
Result<> check_names(store::Reader& reader, CompanyId company, const IssueWorkProduct& product) {
  const auto known = [&](const char* sql, const auto& id) { return !id || reader.exists(sql, *id, company); };
  if (!known("select 1 from projects where id = :1 and company_id = :2", product.project_id))
    return unprocessable("Project must belong to same company");
  if (!known("select 1 from execution_workspaces where id = :1 and company_id = :2", product.execution_workspace_id))
    return unprocessable("Execution workspace must belong to same company");
  if (!known("select 1 from workspace_runtime_services where id = :1 and company_id = :2", product.runtime_service_id))
    return unprocessable("Runtime service must belong to same company");
  if (!known("select 1 from heartbeat_runs where id = :1 and company_id = :2", product.created_by_run_id))
    return unprocessable("Run must belong to same company");
  return {};
}

Result<IssueWorkProduct> find_product(store::Transaction& tx, CompanyId company, WorkProductId id) {
  auto product = tx.one<IssueWorkProduct>(
      "select {} from issue_work_products where id = :1 and company_id = :2 {for update}", id, company);
  if (!product) return not_found("Work product not found");
  return *std::move(product);
}

Result<> gate(store::Transaction& tx, const CompanyScope& scope, IssueId id) {
  Issue issue = TRY(lock_issue(tx, scope.company_id(), id));
  return require_mutation(tx, scope, issue);
}

}  // namespace

std::vector<IssueWorkProduct> work_products_of(store::Reader& reader, CompanyId company, IssueId issue) {
  return reader.all<IssueWorkProduct>(
      "select {} from issue_work_products where issue_id = :1 and company_id = :2 "
      "order by is_primary desc, updated_at desc, created_at desc, id",
      issue, company);
}

Result<IssueWorkProduct> create_work_product(store::Transaction& tx, const CompanyScope& scope, IssueId issue_id,
                                             const NewWorkProduct& body) {
  Issue issue = TRY(lock_issue(tx, scope.company_id(), issue_id));
  TRY(require_mutation(tx, scope, issue));
  IssueWorkProduct product;
  product.id = tx.new_id<WorkProductId>();
  product.company_id = scope.company_id();
  product.project_id = body.project_id ? body.project_id : issue.project_id;
  product.issue_id = issue_id;
  product.execution_workspace_id = body.execution_workspace_id;
  product.runtime_service_id = body.runtime_service_id;
  product.type = body.type;
  product.provider = body.provider;
  product.external_id = body.external_id;
  product.title = body.title;
  if (body.url) product.url = std::string(*body.url);
  product.status = *body.status;
  product.review_state = *body.review_state;
  product.is_primary = *body.is_primary;
  product.health_status = *body.health_status;
  product.summary = body.summary;
  if (body.metadata) product.metadata = body.metadata->raw();
  product.created_by_run_id = body.created_by_run_id;
  product.created_at = product.updated_at = tx.now();
  TRY(check_names(tx, scope.company_id(), product));
  clear_other_primaries(tx, product);
  tx.insert(table_of<IssueWorkProduct>, product);
  log_activity(
      tx, scope.company_id(), scope.author(),
      {"issue.work_product_created", "issue", issue_id.str(),
       json::value{
           {"workProductId", product.id.view()}, {"type", to_text(product.type)}, {"provider", product.provider}}});
  return product;
}

Result<IssueWorkProduct> update_work_product(store::Transaction& tx, const CompanyScope& scope, WorkProductId id,
                                             const WorkProductPatch& patch) {
  IssueWorkProduct product = TRY(find_product(tx, scope.company_id(), id));
  TRY(gate(tx, scope, product.issue_id));
  std::vector<std::string> keys;
  const auto nullable = [&](const char* key, auto& to, const auto& sent) {
    if (!sent) return;
    sent.apply(to);
    keys.push_back(key);
  };
  const auto plain = [&](const char* key, auto& to, const auto& sent) {
    if (!sent) return;
    to = *sent;
    keys.push_back(key);
  };
  nullable("projectId", product.project_id, patch.project_id);
  nullable("executionWorkspaceId", product.execution_workspace_id, patch.execution_workspace_id);
  nullable("runtimeServiceId", product.runtime_service_id, patch.runtime_service_id);
  plain("type", product.type, patch.type);
  plain("provider", product.provider, patch.provider);
  nullable("externalId", product.external_id, patch.external_id);
  plain("title", product.title, patch.title);
  nullable("url", product.url, patch.url);
  plain("status", product.status, patch.status);
  plain("reviewState", product.review_state, patch.review_state);
  plain("isPrimary", product.is_primary, patch.is_primary);
  plain("healthStatus", product.health_status, patch.health_status);
  nullable("summary", product.summary, patch.summary);
  nullable("createdByRunId", product.created_by_run_id, patch.created_by_run_id);
  if (patch.metadata) {
    product.metadata = patch.metadata.has_value() ? std::optional(patch.metadata->raw()) : std::nullopt;
    keys.push_back("metadata");
  }
  product.updated_at = tx.now();
  TRY(check_names(tx, scope.company_id(), product));
  clear_other_primaries(tx, product);
  tx.update(table_of<IssueWorkProduct>, product);
  std::sort(keys.begin(), keys.end());
  log_activity(tx, scope.company_id(), scope.author(),
               {"issue.work_product_updated", "issue", product.issue_id.str(),
                json::value{{"workProductId", id.view()}, {"changedKeys", json::array(keys.begin(), keys.end())}}});
  return product;
}

Result<IssueWorkProduct> delete_work_product(store::Transaction& tx, const CompanyScope& scope, WorkProductId id) {
  const IssueWorkProduct product = TRY(find_product(tx, scope.company_id(), id));
  TRY(gate(tx, scope, product.issue_id));
  tx.execute("delete from issue_work_products where id = :1", id);
  log_activity(tx, scope.company_id(), scope.author(),
               {"issue.work_product_deleted", "issue", product.issue_id.str(),
                json::value{{"workProductId", id.view()}, {"type", to_text(product.type)}}});
  return product;
}

}  // namespace paperclip::domain
