#include "domain/runs/usage.h"

#include <algorithm>
#include <cmath>

#include "base/write_json.h"

namespace paperclip::domain {

namespace {

std::int64_t count_at(const json::value& usage, std::string_view key) {
  const auto* value = member(usage, key);
  return value != nullptr && value->is_number() ? static_cast<std::int64_t>(value->to_number<double>()) : 0;
}

std::int64_t share(std::int64_t now, std::int64_t before) { return now < before ? now : now - before; }

}  // namespace

RunUsage run_usage(store::Reader& reader, AgentId agent, RunId run, const UsageReport& report,
                   const std::optional<std::string>& session) {
  RunUsage usage;
  usage.known = report.tokens.has_value() || report.cost_usd.has_value();
  if (!report.tokens) return usage;
  usage.raw = usage.tokens = *report.tokens;
  if (!report.is_session_total || !session) return usage;
  const auto earlier = reader.one<RawJson>(
      "select usage_json from heartbeat_runs where agent_id = :1 and session_id_after = :2 and id <> :3 order by created_at desc, id desc limit 1",
      agent, *session, run);
  if (!earlier) return usage;
  const auto before = earlier->parse();
  usage.is_delta = true;
  usage.tokens.input = share(usage.raw.input, count_at(before, "rawInputTokens"));
  usage.tokens.cached_input = share(usage.raw.cached_input, count_at(before, "rawCachedInputTokens"));
  usage.tokens.output = share(usage.raw.output, count_at(before, "rawOutputTokens"));
  return usage;
}

std::optional<RawJson> usage_json(const RunUsage& usage, const UsageReport& report, const SessionChoice& before, const SessionAfter& after) {
  if (!usage.known) return std::nullopt;
  const auto or_unknown = [](const std::string& text) { return text.empty() ? std::string("unknown") : text; };
  const bool reused = before.display_id.has_value();
  std::string text;
  JsonObjectWriter writer(text);
  writer.field("inputTokens", usage.tokens.input)
      .field("cachedInputTokens", usage.tokens.cached_input)
      .field("outputTokens", usage.tokens.output)
      .field("rawInputTokens", usage.raw.input)
      .field("rawCachedInputTokens", usage.raw.cached_input)
      .field("rawOutputTokens", usage.raw.output);
  if (usage.is_delta) writer.field("usageSource", "session_delta");
  if (after.display_id) writer.field("persistedSessionId", *after.display_id);
  writer.field("sessionReused", reused)
      .field("taskSessionReused", before.from_task_session)
      .field("freshSession", !reused)
      .field("sessionRotated", !before.rotation_reason.empty())
      .field("sessionRotationReason", before.rotation_reason.empty() ? std::optional<std::string>() : std::optional(before.rotation_reason))
      .field("provider", or_unknown(report.provider))
      .field("biller", !report.biller.empty() ? report.biller : or_unknown(report.provider))
      .field("model", or_unknown(report.model));
  if (report.cost_usd) writer.field("costUsd", *report.cost_usd);
  writer.field("billingType", billing_type_of(report.billing_type)).end();
  return RawJson(std::move(text));
}

BillingType billing_type_of(std::string_view reported) {
  if (reported == "api") return BillingType::metered_api;
  if (reported == "subscription") return BillingType::subscription_included;
  return parse_enum<BillingType>(reported).value_or(BillingType::unknown);
}

std::int64_t cost_cents(const UsageReport& report) {
  if (!report.cost_usd || billing_type_of(report.billing_type) == BillingType::subscription_included) return 0;
  return std::max<std::int64_t>(0, std::llround(*report.cost_usd * 100));
}

void ensure_runtime_state(store::Transaction& tx, AgentId agent, CompanyId company, std::string_view adapter_type) {
  tx.execute("insert into agent_runtime_state (agent_id, company_id, adapter_type, created_at, updated_at) values (:1, :2, :3, :4, :4) "
             "on conflict (agent_id) do nothing",
             agent, company, adapter_type, tx.now());
}

void add_to_runtime_state(store::Transaction& tx, const WakeAgent& agent, RunId run, RunStatus status,
                          const std::optional<std::string>& session_id, const std::optional<std::string>& error,
                          const TokenCounts& tokens, std::int64_t cents) {
  ensure_runtime_state(tx, agent.id, agent.company_id, agent.adapter_type);
  tx.execute("update agent_runtime_state set adapter_type = :1, session_id = :2, last_run_id = :3, last_run_status = :4, last_error = :5, "
             "total_input_tokens = total_input_tokens + :6, total_output_tokens = total_output_tokens + :7, "
             "total_cached_input_tokens = total_cached_input_tokens + :8, total_cost_cents = total_cost_cents + :9, updated_at = :10 "
             "where agent_id = :11",
             agent.adapter_type, session_id, run, status, error, tokens.input, tokens.output, tokens.cached_input, cents, tx.now(), agent.id);
}

}  // namespace paperclip::domain
