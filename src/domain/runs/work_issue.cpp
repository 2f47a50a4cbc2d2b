#include "domain/runs/work_issue.h"

namespace paperclip::domain {

std::optional<WorkIssue> find_work_issue(store::Reader& reader, CompanyId company, IssueId id) {
  return reader.one<WorkIssue>("select {} from issues where id = :1 and company_id = :2", id, company);
}

std::optional<WorkIssue> lock_work_issue(store::Reader& reader, CompanyId company, IssueId id) {
  return reader.one<WorkIssue>("select {} from issues where id = :1 and company_id = :2 {for update}", id, company);
}

std::vector<Blocker> unresolved_blockers(store::Reader& reader, CompanyId company, IssueId issue) {
  return reader.all<Blocker>(
      "select {b} from issue_relations r join issues b on b.id = r.issue_id "
      "where r.related_issue_id = :1 and r.company_id = :2 and r.type = 'blocks' and b.status <> 'done' order by b.title, b.id",
      issue, company);
}

bool is_blocked(store::Reader& reader, CompanyId company, IssueId issue) {
  return reader.exists(
      "select 1 from issue_relations r join issues b on b.id = r.issue_id "
      "where r.related_issue_id = :1 and r.company_id = :2 and r.type = 'blocks' and b.status <> 'done'",
      issue, company);
}

std::optional<PauseHold> active_pause_hold(store::Reader& reader, CompanyId company, IssueId issue) {
  // Nearly always there is none in the whole company.
  if (!reader.exists("select 1 from issue_tree_holds where company_id = :1 and status = 'active' and mode = 'pause'", company))
    return std::nullopt;
  std::optional<IssueId> at = issue;
  for (int steps = 0; at && steps < 100; ++steps) {
    auto hold = reader.one<PauseHold>(
        "select {} from issue_tree_holds where company_id = :1 and root_issue_id = :2 and status = 'active' and mode = 'pause' "
        "order by created_at desc, id desc limit 1",
        company, *at);
    if (hold) return hold;
    at = reader.value<IssueId>("select parent_id from issues where id = :1 and company_id = :2", *at, company);
  }
  return std::nullopt;
}

}  // namespace paperclip::domain
