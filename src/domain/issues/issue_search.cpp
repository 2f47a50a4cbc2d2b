#include "domain/issues/issue_search.h"

#include "base/write_json.h"

namespace paperclip::domain {

namespace {

constexpr const char* description_length = "1200";

// The columns of an issue, cut to what lists show.
const std::string& listed_columns() {
  static const std::string columns = [] {
    std::string list;
    boost::mp11::mp_for_each<members_of<Issue>>([&](auto d) {
      const std::string_view name = d.name;
      if (!list.empty()) list += ", ";
      if (name == "description")
        list += std::string("substr(i.description, 1, ") + description_length + ")";
      else if (name == "execution_policy" || name == "execution_state" || name == "execution_workspace_settings")
        list += "null";
      else
        list.append("i.").append(name);
    });
    return list;
  }();
  return columns;
}

// What was done with the issue last: both expressions are those of the index `issues_listed_idx`, word for word.
constexpr const char* last_activity = "case when i.activity_at > i.updated_at then i.activity_at else i.updated_at end";
constexpr const char* priority_rank =
    "case i.priority when 'critical' then 0 when 'high' then 1 when 'medium' then 2 else 3 end";

}  // namespace

void IssueSearch::require_id(const std::optional<std::string>& text,
                             const std::function<std::string(const std::string&)>& condition) {
  if (!text) return;
  const auto id = AnyId::parse(*text);
  if (!id) {
    possible_ = false;
    return;
  }
  ids_.push_back(*id);
  require(condition(bind(ids_.back())));
}

std::string IssueSearch::my_last_touch(const std::string& user) const {
  const std::string said =
      "(select max(c.created_at) from issue_comments c where c.company_id = i.company_id and c.author_user_id = " +
      user + " and c.issue_id = i.id)";
  const std::string read =
      "(select r.last_read_at from issue_read_states r where r.issue_id = i.id and r.user_id = " + user +
      " and r.company_id = i.company_id)";
  const std::string made = "case when i.created_by_user_id = " + user + " then i.created_at end";
  const std::string has = "case when i.assignee_user_id = " + user + " then i.updated_at end";
  return dialect_.greatest(dialect_.greatest(said, read), dialect_.greatest(made, has));
}

std::string IssueSearch::last_external_comment(const std::string& user) const {
  return "(select max(c.created_at) from issue_comments c where c.issue_id = i.id and (c.author_user_id is null or "
         "c.author_user_id <> " +
         user + "))";
}

void IssueSearch::add_people(const IssueFilter& filter) {
  if (filter.assignee_user_id) require("i.assignee_user_id = " + bind(*filter.assignee_user_id));
  if (filter.touched_by_user_id) {
    const auto user = bind(*filter.touched_by_user_id);
    require("(i.created_by_user_id = " + user + " or i.assignee_user_id = " + user +
            " or exists (select 1 from issue_read_states r where r.issue_id = i.id and r.user_id = " + user +
            " and r.company_id = i.company_id)"
            " or exists (select 1 from issue_comments c where c.company_id = i.company_id and c.author_user_id = " +
            user + " and c.issue_id = i.id))");
  }
  if (filter.unread_for_user_id) {
    const auto user = bind(*filter.unread_for_user_id);
    require(last_external_comment(user) + " > " + my_last_touch(user));
  }
  if (filter.inbox_user_id) {
    const auto user = bind(*filter.inbox_user_id);
    const auto touch = my_last_touch(user);
    const auto news =
        dialect_.greatest(last_external_comment(user),
                          "case when " + touch + " is null or i.updated_at > " + touch + " then i.updated_at end");
    require("not exists (select 1 from issue_inbox_archives x where x.issue_id = i.id and x.user_id = " + user +
            " and x.company_id = i.company_id and x.archived_at >= coalesce(" + news + ", x.archived_at))");
  }
}

void IssueSearch::add_words(const IssueFilter& filter) {
  if (filter.search.empty()) return;
  const auto words = bind(filter.search);
  const auto lower_words = "lower(" + words + ")";
  const auto has = [&](const char* column) { return dialect_.contains_ci(column, words); };
  const auto begins = [&](const char* column) {
    return dialect_.starts_with(std::string("lower(") + column + ")", lower_words);
  };
  const std::string said = "exists (select 1 from issue_comments c where c.issue_id = i.id and " +
                           dialect_.contains_ci("c.body", words) + ")";
  require("(" + has("i.title") + " or " + has("i.identifier") + " or " + has("coalesce(i.description, '')") + " or " +
          said + ")");
  rank_ = "case when " + begins("i.title") + " then 0 when " + has("i.title") + " then 1 when " +
          begins("i.identifier") + " then 2 when " + has("i.identifier") + " then 3 when " + said +
          " then 4 else 5 end, ";
}

IssueSearch::IssueSearch(const store::Dialect& dialect, const CompanyId& company, const IssueFilter& filter)
    : dialect_(dialect) {
  const auto company_param = bind(company);
  if (!filter.statuses.empty()) require("i.status in {list " + bind(filter.statuses) + "}");
  const auto equals = [](const std::string& column) {
    return [column](const std::string& id) { return column + " = " + id; };
  };
  require_id(filter.assignee_agent_id, equals("i.assignee_agent_id"));
  require_id(filter.project_id, equals("i.project_id"));
  require_id(filter.parent_id, equals("i.parent_id"));
  require_id(filter.execution_workspace_id, equals("i.execution_workspace_id"));
  require_id(filter.label_id, [](const std::string& id) {
    return "exists (select 1 from issue_labels l where l.issue_id = i.id and l.label_id = " + id + ")";
  });
  if (filter.origin_kind) require("i.origin_kind = " + bind(*filter.origin_kind));
  if (filter.origin_id) require("i.origin_id = " + bind(*filter.origin_id));
  if (filter.exclude_routine_executions && !filter.origin_kind && !filter.origin_id)
    require("i.origin_kind <> 'routine_execution'");
  require_id(filter.workspace_id, [](const std::string& id) {
    return "(i.execution_workspace_id = " + id + " or i.project_workspace_id = " + id + ")";
  });
  require_id(filter.descendant_of, [&](const std::string& id) {
    return "i.id <> " + id +
           " and i.id in (with recursive tree(id) as (select t.id from issues t where t.parent_id = " + id +
           " and t.company_id = " + company_param +
           " union select t.id from issues t join tree on t.parent_id = tree.id where t.company_id = " + company_param +
           ") select id from tree)";
  });
  require_id(filter.participant_agent_id, [](const std::string& id) {
    return "(i.created_by_agent_id = " + id + " or i.assignee_agent_id = " + id +
           " or exists (select 1 from issue_comments c where c.issue_id = i.id and c.author_agent_id = " + id +
           ")"
           " or exists (select 1 from activity_log a where a.entity_type = 'issue' and a.entity_id = cast(i.id as "
           "text) and a.agent_id = " +
           id + "))";
  });
  add_people(filter);
  add_words(filter);

  sql_ = "select " + listed_columns() + ", " + last_activity + " as last_activity_at, ";
  if (const auto& user = filter.context_user()) {
    const auto param = bind(*user);
    sql_ +=
        my_last_touch(param) + " as my_last_touch_at, " + last_external_comment(param) + " as last_external_comment_at";
  } else {
    sql_ += "null as my_last_touch_at, null as last_external_comment_at";
  }
  sql_ += " from issues i where i.company_id = " + company_param + " and i.hidden_at is null" + where_ + " order by " +
          rank_ + priority_rank + ", last_activity_at desc, i.updated_at desc, i.issue_number desc limit " +
          bind(filter.limit) + " offset " + bind(filter.offset);
}

}  // namespace paperclip::domain
