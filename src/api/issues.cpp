#include <charconv>
#include <limits>

#include "api/all_routes.h"
#include "api/issue_kind.h"
#include "api/services.h"
#include "base/text.h"
#include "base/write_json.h"
#include "domain/issues/blockers.h"
#include "domain/issues/create_issue.h"
#include "domain/issues/delete_issue.h"
#include "domain/issues/issue_detail.h"
#include "domain/issues/issue_list.h"
#include "domain/issues/issue_rows.h"
#include "domain/issues/lock.h"
#include "domain/issues/monitor_check.h"
#include "domain/issues/patch_issue.h"
#include "domain/issues/references.h"
#include "domain/storage/object_storage.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

Result<std::optional<Located>> locate(store::Reader& reader, const Call&, std::string_view reference) {
  const auto issue = domain::locate_issue(reader, reference);
  if (!issue) return std::optional<Located>();
  return std::optional<Located>({issue->company_id, issue->id.str()});
}

constexpr int largest_page = 1000;

// Digits only; nothing for anything else. What is too large for an int is the largest one.
std::optional<int> whole_number(const std::string& text) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  int value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  return problem == std::errc() ? value : std::numeric_limits<int>::max();
}

// A user parameter; `me` is the board user who asks.
Result<std::optional<std::string>> user_of(const Call& call, const char* parameter) {
  auto value = call.query.text(parameter);
  if (value != "me") return value;
  if (!call.actor.is_board() || call.actor.user_id.empty())
    return forbidden(std::string(parameter) + "=me requires board authentication");
  return std::optional<std::string>(call.actor.user_id);
}

std::vector<std::string> comma_list(const std::optional<std::string>& text) {
  std::vector<std::string> items;
  if (!text) return items;
  for (const auto& item : split(*text, ','))
    if (const auto word = trim(item); !word.empty()) items.emplace_back(word);
  return items;
}

Result<domain::IssueFilter> filter_of(const Call& call) {
  const Query& query = call.query;
  domain::IssueFilter filter;
  filter.statuses = comma_list(query.text("status"));
  filter.assignee_agent_id = query.text("assigneeAgentId");
  filter.project_id = query.text("projectId");
  filter.parent_id = query.text("parentId");
  filter.label_id = query.text("labelId");
  filter.origin_kind = query.text("originKind");
  filter.origin_id = query.text("originId");
  filter.execution_workspace_id = query.text("executionWorkspaceId");
  filter.workspace_id = query.text("workspaceId");
  filter.descendant_of = query.text("descendantOf");
  filter.participant_agent_id = query.text("participantAgentId");
  filter.assignee_user_id = TRY(user_of(call, "assigneeUserId"));
  filter.touched_by_user_id = TRY(user_of(call, "touchedByUserId"));
  filter.inbox_user_id = TRY(user_of(call, "inboxArchivedByUserId"));
  filter.unread_for_user_id = TRY(user_of(call, "unreadForUserId"));
  filter.exclude_routine_executions = query.flag("excludeRoutineExecutions");
  filter.with_blocked_by = query.flag("includeBlockedBy");
  filter.search = trim(query.text("q").value_or(""));
  if (const auto text = query.text("limit")) {
    const auto limit = whole_number(*text);
    if (!limit || *limit == 0) return bad_request("limit must be a positive integer up to 1000");
    filter.limit = std::min(*limit, largest_page);
  }
  if (const auto text = query.text("offset")) {
    const auto offset = whole_number(*text);
    if (!offset) return bad_request("offset must be a non-negative integer");
    filter.offset = *offset;
  }
  return filter;
}

Answer list_of(Call& call, CompanyId company, const domain::IssueFilter& filter) {
  return ok_json(call.services.database.read([&](store::Reader& reader) {
    std::string body;
    domain::append_issue_list(body, reader, company, filter);
    return body;
  }));
}

Result<Answer> list_issues(Call& call) { return list_of(call, call.company_id(), TRY(filter_of(call))); }

Result<Answer> issues_without_company(Call&) {
  return bad_request("Missing companyId in path. Use /api/companies/{companyId}/issues.");
}

Result<Answer> get_issue(Call& call) {
  return ok_json(TRY(call.services.database.read([&](store::Reader& reader) {
    return domain::issue_detail_json(reader, call.company_id(), call.entity<IssueId>(),
                                     call.services.settings.instance_root);
  })));
}

Result<Answer> get_heartbeat_context(Call& call) {
  return ok_json(TRY(call.services.database.read([&](store::Reader& reader) {
    return domain::heartbeat_context_json(reader, call.company_id(), call.entity<IssueId>(),
                                          call.query.text("wakeCommentId"));
  })));
}

void append_related_work(std::string& text, const domain::RelatedWork& work) {
  text += R"(,"relatedWork":)" + work.json + R"(,"referencedIssueIdentifiers":)";
  append_json(text, work.referenced_identifiers);
}

// Runs a rule that gives an issue, and answers with it and its labels; `more` may add members to the text.
template <class Rule, class More>
Result<Answer> answer_with_issue(Call& call, int status, Rule&& rule, More&& more) {
  std::string text;
  TRY(call.services.database.write([&](store::Transaction& tx) -> Result<> {
    const auto issue = TRY(rule(tx));
    text.clear();
    domain::append_issue_with_labels(text, tx, issue);
    text.pop_back();
    more(tx, issue, text);
    text += '}';
    return {};
  }));
  return ok_json(std::move(text), status);
}

template <class Rule>
Result<Answer> answer_with_issue(Call& call, int status, Rule&& rule) {
  return answer_with_issue(call, status, rule, [](store::Transaction&, const domain::Issue&, std::string&) {});
}

Result<Answer> create_issue(Call& call, const domain::NewIssueBody& body) {
  return answer_with_issue(
      call, 201, [&](store::Transaction& tx) { return domain::create_issue(tx, call.scope(), body); },
      [](store::Transaction& tx, const domain::Issue& issue, std::string& text) {
        const bool may_name = issue.title.find('-') != std::string::npos ||
                              (issue.description && issue.description->find('-') != std::string::npos);
        append_related_work(text,
                            may_name ? domain::related_work(tx, issue.company_id, issue.id) : domain::RelatedWork{});
      });
}

Result<Answer> create_child(Call& call, const domain::NewChildBody& body) {
  return answer_with_issue(call, 201, [&](store::Transaction& tx) {
    return domain::create_child(tx, call.scope(), call.entity<IssueId>(), body);
  });
}

Result<Answer> patch_issue(Call& call, const domain::IssuePatchBody& body) {
  std::optional<domain::IssueComment> comment;
  return answer_with_issue(
      call, 200,
      [&](store::Transaction& tx) -> Result<domain::Issue> {
        auto patched = TRY(domain::patch_issue(tx, call.scope(), call.entity<IssueId>(), body));
        comment = std::move(patched.comment);
        return std::move(patched.issue);
      },
      [&](store::Transaction& tx, const domain::Issue& issue, std::string& text) {
        if (body.blocked_by_issue_ids) {
          const auto relations = domain::relations_of(tx, issue.company_id, issue.id, false);
          text += R"(,"blockedBy":)";
          append_json(text, relations.blocked_by);
          text += R"(,"blocks":)";
          append_json(text, relations.blocks);
        }
        if (body.title || body.description || body.comment)
          append_related_work(text, domain::related_work(tx, issue.company_id, issue.id));
        text += R"(,"comment":)";
        append_json(text, comment);
      });
}

Result<Answer> delete_issue(Call& call) {
  const auto deleted = TRY(call.services.database.write(
      [&](store::Transaction& tx) { return domain::delete_issue(tx, call.scope(), call.entity<IssueId>()); }));
  // The rows are gone; a file that stays behind harms nobody.
  for (const auto& key : deleted.object_keys) (void)call.services.storage.remove(call.company_id(), key);
  std::string text;
  JsonObjectWriter(text).members(deleted.issue).field("labels", json::array()).field("labelIds", json::array()).end();
  return ok_json(std::move(text));
}

Result<Answer> check_out(Call& call, const domain::CheckoutBody& body) {
  return answer_with_issue(call, 200, [&](store::Transaction& tx) {
    return domain::check_out_issue(tx, call.scope(), call.entity<IssueId>(), body);
  });
}

Result<Answer> release(Call& call) {
  return answer_with_issue(call, 200, [&](store::Transaction& tx) {
    return domain::release_issue(tx, call.scope(), call.entity<IssueId>());
  });
}

Result<Answer> force_release(Call& call) {
  if (call.actor.user_id.empty()) return forbidden("Board user context required");
  const bool clear_assignee = call.query.flag("clearAssignee");
  std::string text;
  TRY(call.services.database.write([&](store::Transaction& tx) -> Result<> {
    const auto forced = TRY(domain::force_release_issue(tx, call.scope(), call.entity<IssueId>(), clear_assignee));
    text.clear();
    JsonObjectWriter writer(text);
    domain::append_issue_with_labels(writer.begin("issue"), tx, forced.issue);
    JsonObjectWriter(writer.begin("previous"))
        .field("checkoutRunId", forced.checkout_run_id)
        .field("executionRunId", forced.execution_run_id)
        .end();
    writer.end();
    return {};
  }));
  return ok_json(std::move(text));
}

Result<Answer> check_monitor(Call& call) {
  TRY(call.services.database.write(
      [&](store::Transaction& tx) { return domain::check_monitor_now(tx, call.scope(), call.entity<IssueId>()); }));
  return ok_true();
}

Result<Answer> inbox_lite(Call& call) {
  return ok_json(call.services.database.read([&](store::Reader& reader) {
    std::string body;
    domain::append_inbox_lite(body, reader, *call.actor.company_id, *call.actor.agent_id);
    return body;
  }));
}

Result<Answer> inbox_mine(Call& call) {
  const auto user = call.query.text("userId");
  if (!user) {
    SchemaIssues issues;
    {
      SchemaIssues::Step step(issues, json::value("userId"));
      issues.invalid_type("string", nullptr);
    }
    return std::move(issues).error();
  }
  domain::IssueFilter filter;
  filter.touched_by_user_id = filter.inbox_user_id = user;
  filter.statuses = comma_list(call.query.text("status").value_or("backlog,todo,in_progress,in_review,blocked,done"));
  return list_of(call, *call.actor.company_id, filter);
}

}  // namespace

const EntityKind issue_kind{"Issue not found", locate};
const EntityKind parent_issue_kind{"Parent issue not found", locate};

void add_issue_routes(Routes& routes) {
  routes.get("/api/issues", issues_without_company).callers(anyone);
  routes.get("/api/companies/{companyId}/issues", list_issues).company();
  routes.post("/api/companies/{companyId}/issues", create_issue).company();
  routes.get("/api/issues/{id}", get_issue).entity(issue_kind);
  routes.patch("/api/issues/{id}", patch_issue).entity(issue_kind);
  routes.remove("/api/issues/{id}", delete_issue).entity(issue_kind);
  routes.get("/api/issues/{id}/heartbeat-context", get_heartbeat_context).entity(issue_kind);
  routes.post("/api/issues/{id}/children", create_child).entity(parent_issue_kind);
  routes.post("/api/issues/{id}/checkout", check_out).entity(issue_kind);
  routes.post("/api/issues/{id}/release", release).entity(issue_kind);
  routes.post("/api/issues/{id}/admin/force-release", force_release).entity(issue_kind).callers(board);
  routes.post("/api/issues/{id}/monitor/check-now", check_monitor).entity(issue_kind);
  routes.get("/api/agents/me/inbox-lite", inbox_lite).callers(agent, "Agent authentication required", 401);
  routes.get("/api/agents/me/inbox/mine", inbox_mine).callers(agent, "Agent authentication required", 401);
}

}  // namespace paperclip::api
