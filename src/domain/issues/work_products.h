#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "base/read_json.h"
#include "domain/access/scope.h"
#include "domain/issues/work_product.h"
#include "store/transaction.h"

/// What an issue produced (spec/issues.md 5.10).
namespace paperclip::domain {

struct NewWorkProduct {
  std::optional<ProjectId> project_id;
  std::optional<ExecutionWorkspaceId> execution_workspace_id;
  std::optional<RuntimeServiceId> runtime_service_id;
  WorkProductType type{};
  Text<1> provider;
  std::optional<std::string> external_id;
  Text<1> title;
  std::optional<Url> url;
  Default<WorkProductStatus> status{WorkProductStatus::active};
  Default<WorkProductReviewState> review_state{WorkProductReviewState::none};
  Default<bool> is_primary{false};
  Default<HealthStatus> health_status{HealthStatus::unknown};
  std::optional<std::string> summary;
  std::optional<JsonObject> metadata;
  std::optional<RunId> created_by_run_id;
};
BOOST_DESCRIBE_STRUCT(NewWorkProduct, (),
                      (project_id, execution_workspace_id, runtime_service_id, type, provider, external_id, title, url,
                       status, review_state, is_primary, health_status, summary, metadata, created_by_run_id))

struct WorkProductPatch {
  Patch<ProjectId> project_id;
  Patch<ExecutionWorkspaceId> execution_workspace_id;
  Patch<RuntimeServiceId> runtime_service_id;
  Omit<WorkProductType> type;
  Omit<Text<1>> provider;
  Patch<std::string> external_id;
  Omit<Text<1>> title;
  Patch<Url> url;
  Omit<WorkProductStatus> status;
  Omit<WorkProductReviewState> review_state;
  Omit<bool> is_primary;
  Omit<HealthStatus> health_status;
  Patch<std::string> summary;
  Patch<JsonObject> metadata;
  Patch<RunId> created_by_run_id;
};
BOOST_DESCRIBE_STRUCT(WorkProductPatch, (),
                      (project_id, execution_workspace_id, runtime_service_id, type, provider, external_id, title, url,
                       status, review_state, is_primary, health_status, summary, metadata, created_by_run_id))

/// Primary ones first, then the newest.
std::vector<IssueWorkProduct> work_products_of(store::Reader& reader, CompanyId company, IssueId issue);
Result<IssueWorkProduct> create_work_product(store::Transaction& tx, const CompanyScope& scope, IssueId issue,
                                             const NewWorkProduct& body);
Result<IssueWorkProduct> update_work_product(store::Transaction& tx, const CompanyScope& scope, WorkProductId id,
                                             const WorkProductPatch& patch);
Result<IssueWorkProduct> delete_work_product(store::Transaction& tx, const CompanyScope& scope, WorkProductId id);

}  // namespace paperclip::domain
