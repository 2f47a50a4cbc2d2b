#include "domain/schema/parts.h"

/// When something was last done with an issue, so that lists, which sort by it, walk an index (spec/issues.md 6).
/// OURS: the reference looks through the activity log for each issue of the company.
namespace paperclip::domain::schema {

const std::string_view issue_activity = R"sql(
alter table issues add column activity_at {timestamp};
update issues set activity_at = (select max(a.created_at) from activity_log a
  where a.entity_type = 'issue' and a.entity_id = cast(issues.id as text)
  and a.action not in ('issue.read_marked', 'issue.read_unmarked', 'issue.inbox_archived', 'issue.inbox_unarchived'));
-- The expressions are those of the list's query, word for word (domain/issues/issue_search.cpp).
create index issues_listed_idx on issues (company_id,
  (case priority when 'critical' then 0 when 'high' then 1 when 'medium' then 2 else 3 end),
  (case when activity_at > updated_at then activity_at else updated_at end) desc, updated_at desc, issue_number desc)
  where hidden_at is null;
)sql";

}  // namespace paperclip::domain::schema
