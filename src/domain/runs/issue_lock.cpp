#include "domain/runs/issue_lock.h"

#include "base/text.h"
#include "domain/wakeups/invokable.h"

namespace paperclip::domain {

std::string agent_name_key(std::string_view name) { return lower(trim(name)); }

bool is_run_over(store::Reader& reader, CompanyId company, RunId run) {
  const auto status = reader.value<RunStatus>("select status from heartbeat_runs where id = :1 and company_id = :2", run, company);
  return !status || !is_live(*status);
}

void stamp_execution_lock(store::Transaction& tx, CompanyId company, IssueId issue, RunId run, std::string_view name_key) {
  tx.execute("update issues set execution_run_id = :1, execution_agent_name_key = :2, execution_locked_at = :3, "
             "lock_fence = lock_fence + 1, updated_at = :3 where id = :4 and company_id = :5",
             run, name_key, tx.now(), issue, company);
}

void clear_execution_lock(store::Transaction& tx, CompanyId company, IssueId issue, RunId run) {
  tx.execute("update issues set execution_run_id = null, execution_agent_name_key = null, execution_locked_at = null, "
             "updated_at = :1 where id = :2 and company_id = :3 and execution_run_id = :4",
             tx.now(), issue, company, run);
}

}  // namespace paperclip::domain
