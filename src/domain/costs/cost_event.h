#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// What work costs (spec/organisation.md 7.1, 8).
namespace paperclip::domain {

enum class BillingType { metered_api, subscription_included, subscription_overage, credits, fixed, unknown };
BOOST_DESCRIBE_ENUM(BillingType, metered_api, subscription_included, subscription_overage, credits, fixed, unknown)

/// Tokens used and money owed for one model call or run.
struct CostEvent {
  CostEventId id;
  CompanyId company_id;
  AgentId agent_id;
  std::optional<IssueId> issue_id;
  std::optional<ProjectId> project_id;
  std::optional<GoalId> goal_id;
  std::optional<RunId> heartbeat_run_id;
  std::optional<std::string> billing_code;
  std::string provider;
  std::string biller = "unknown";
  BillingType billing_type = BillingType::unknown;
  std::string model;
  int input_tokens = 0;
  int cached_input_tokens = 0;
  int output_tokens = 0;
  int cost_cents = 0;
  Timestamp occurred_at;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(CostEvent, (),
                      (id, company_id, agent_id, issue_id, project_id, goal_id, heartbeat_run_id, billing_code,
                       provider, biller, billing_type, model, input_tokens, cached_input_tokens, output_tokens,
                       cost_cents, occurred_at, created_at))
template <>
inline constexpr std::string_view table_of<CostEvent> = "cost_events";

enum class FinanceEventKind {
  inference_charge,
  platform_fee,
  credit_purchase,
  credit_refund,
  credit_expiry,
  byok_fee,
  gateway_overhead,
  log_storage_charge,
  logpush_charge,
  provisioned_capacity_charge,
  training_charge,
  custom_model_import_charge,
  custom_model_storage_charge,
  manual_adjustment
};
BOOST_DESCRIBE_ENUM(FinanceEventKind, inference_charge, platform_fee, credit_purchase, credit_refund, credit_expiry,
                    byok_fee, gateway_overhead, log_storage_charge, logpush_charge, provisioned_capacity_charge,
                    training_charge, custom_model_import_charge, custom_model_storage_charge, manual_adjustment)

enum class FinanceDirection { debit, credit };
BOOST_DESCRIBE_ENUM(FinanceDirection, debit, credit)

enum class FinanceUnit {
  input_token,
  output_token,
  cached_input_token,
  request,
  credit_usd,
  credit_unit,
  model_unit_minute,
  model_unit_hour,
  gb_month,
  train_token,
  unknown
};
BOOST_DESCRIBE_ENUM(FinanceUnit, input_token, output_token, cached_input_token, request, credit_usd, credit_unit,
                    model_unit_minute, model_unit_hour, gb_month, train_token, unknown)

/// Money that moved for another reason than one run.
struct FinanceEvent {
  FinanceEventId id;
  CompanyId company_id;
  std::optional<AgentId> agent_id;
  std::optional<IssueId> issue_id;
  std::optional<ProjectId> project_id;
  std::optional<GoalId> goal_id;
  std::optional<RunId> heartbeat_run_id;
  std::optional<CostEventId> cost_event_id;
  std::optional<std::string> billing_code;
  std::optional<std::string> description;
  FinanceEventKind event_kind{};
  FinanceDirection direction = FinanceDirection::debit;
  std::string biller;
  std::optional<std::string> provider;
  std::optional<std::string> execution_adapter_type;
  std::optional<std::string> pricing_tier;
  std::optional<std::string> region;
  std::optional<std::string> model;
  std::optional<int> quantity;
  std::optional<FinanceUnit> unit;
  int amount_cents = 0;
  std::string currency = "USD";
  bool estimated = false;
  std::optional<std::string> external_invoice_id;
  std::optional<RawJson> metadata_json;
  Timestamp occurred_at;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(FinanceEvent, (),
                      (id, company_id, agent_id, issue_id, project_id, goal_id, heartbeat_run_id, cost_event_id,
                       billing_code, description, event_kind, direction, biller, provider, execution_adapter_type,
                       pricing_tier, region, model, quantity, unit, amount_cents, currency, estimated,
                       external_invoice_id, metadata_json, occurred_at, created_at))
template <>
inline constexpr std::string_view table_of<FinanceEvent> = "finance_events";

}  // namespace paperclip::domain
