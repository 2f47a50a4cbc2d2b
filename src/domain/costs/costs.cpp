#include "domain/costs/costs.h"

#include <cstdio>
#include <cstdlib>

#include "domain/companies/companies.h"

namespace paperclip::domain {

CostEvent record_cost(store::Transaction& tx, CostEvent event) {
  event.id = tx.new_id<CostEventId>();
  event.created_at = tx.now();
  tx.insert("cost_events", event);
  const Timestamp month = month_start(tx.now());
  // From the rows, not by adding: whatever went wrong before is right again afterwards.
  tx.execute("update agents set spent_monthly_cents = coalesce((select sum(cost_cents) from cost_events where company_id = :1 and agent_id = :2 "
             "and occurred_at >= :3), 0) where id = :2",
             event.company_id, event.agent_id, month);
  tx.execute("update companies set spent_monthly_cents = coalesce((select sum(cost_cents) from cost_events where company_id = :1 "
             "and occurred_at >= :2), 0) where id = :1",
             event.company_id, month);
  return event;
}

double percent_of(std::int64_t part, std::int64_t whole) {
  if (whole <= 0) return 0;
  char text[64];
  std::snprintf(text, sizeof text, "%.2f", static_cast<double>(part) / static_cast<double>(whole) * 100);
  return std::strtod(text, nullptr);
}

}  // namespace paperclip::domain
