#include "domain/documents/issue_documents.h"
#include "domain/issues/blocker_attention.h"
#include "domain/issues/blockers.h"
#include "domain/issues/comments.h"
#include "domain/issues/create_issue.h"
#include "domain/issues/delete_issue.h"
#include "domain/issues/issue_detail.h"
#include "domain/issues/issue_list.h"
#include "domain/issues/monitor_check.h"
#include "domain/issues/patch_issue.h"
#include "work_fixture.h"

namespace paperclip::domain {
namespace {

template <class T>
::testing::AssertionResult worked(const Result<T>& result) {
  if (result.ok()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << result.error().message;
}

class IssueRules : public test::Work {
 protected:
  CompanyScope board() { return *authorise_company(local_board(), company_.id, true); }
  CompanyScope as(AgentId agent) {
    Actor actor;
    actor.kind = ActorKind::agent;
    actor.source = ActorSource::agent_key;
    actor.agent_id = agent;
    actor.company_id = company_.id;
    return *authorise_company(actor, company_.id, true);
  }
  template <class Body>
  static Body body(const std::string& text) {
    const json::value value = parse_json(text).value();
    auto decoded = decode<Body>(&value);
    EXPECT_TRUE(decoded.ok()) << text << ": " << (decoded.ok() ? "" : to_string(decoded.error().details));
    return decoded.ok() ? *std::move(decoded) : Body{};
  }
  Issue make(const std::string& text) {
    auto made =
        database_->write([&](store::Transaction& tx) { return create_issue(tx, board(), body<NewIssueBody>(text)); });
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
    return made.ok() ? *std::move(made) : Issue{};
  }
  Result<PatchedIssue> patch(const CompanyScope& scope, IssueId id, const std::string& text) {
    return database_->write(
        [&](store::Transaction& tx) { return patch_issue(tx, scope, id, body<IssuePatchBody>(text)); });
  }
  Result<IssueComment> say(const CompanyScope& scope, IssueId id, const std::string& text) {
    return database_->write(
        [&](store::Transaction& tx) { return post_comment(tx, scope, id, body<CommentBody>(text)); });
  }
  json::value list(const IssueFilter& filter) {
    std::string out;
    database_->read([&](store::Reader& reader) {
      append_issue_list(out, reader, company_.id, filter);
      return 0;
    });
    return parse_json(out).value();
  }
  std::vector<std::string> titles(const IssueFilter& filter) {
    std::vector<std::string> found;
    const json::value rows = list(filter);
    for (const auto& row : rows.as_array()) found.emplace_back(row.at("title").as_string());
    return found;
  }
  std::vector<std::string> wake_reasons(AgentId agent) {
    return database_->read([&](store::Reader& reader) {
      return reader.column<std::string>(
          "select coalesce(reason, '') from agent_wakeup_requests where agent_id = :1 order by requested_at, id",
          agent);
    });
  }
  std::vector<std::string> actions(IssueId id) {
    return database_->read([&](store::Reader& reader) {
      return reader.column<std::string>(
          "select action from activity_log where entity_id = :1 order by created_at, ordinal", id.view());
    });
  }
  static std::string quoted(const auto& id) { return '"' + id.str() + '"'; }
};

using Texts = std::vector<std::string>;

TEST_P(IssueRules, Numbers_are_given_in_order_and_a_counter_that_fell_behind_is_repaired) {
  EXPECT_EQ(make(R"({"title":"a"})").identifier, company_.issue_prefix + "-1");
  EXPECT_EQ(make(R"({"title":"b"})").issue_number, 2);
  ASSERT_TRUE(worked(execute("update companies set issue_counter = 0")));
  EXPECT_EQ(make(R"({"title":"c"})").issue_number, 3);
}

TEST_P(IssueRules, A_refused_issue_uses_no_number) {
  const auto refused = database_->write([&](store::Transaction& tx) {
    return create_issue(tx, board(),
                        body<NewIssueBody>(R"({"title":"x","labelIds":["6f1c2d3e-4b5a-4c6d-8e7f-000000000001"]})"));
  });
  EXPECT_EQ(refused.error().message, "One or more labels are invalid for this company");
  EXPECT_EQ(make(R"({"title":"a"})").issue_number, 1);
}

TEST_P(IssueRules, Blockers_make_no_circle_and_block_until_done) {
  const auto a = make(R"({"title":"a"})"), b = make(R"({"title":"b"})"), c = make(R"({"title":"c"})");
  ASSERT_TRUE(worked(patch(board(), b.id, R"({"blockedByIssueIds":[)" + quoted(a.id) + "]}")));
  ASSERT_TRUE(worked(patch(board(), c.id, R"({"blockedByIssueIds":[)" + quoted(b.id) + "]}")));
  EXPECT_EQ(patch(board(), a.id, R"({"blockedByIssueIds":[)" + quoted(c.id) + "]}").error().message,
            "Blocking relations cannot contain cycles");
  EXPECT_EQ(patch(board(), a.id, R"({"blockedByIssueIds":[)" + quoted(a.id) + "]}").error().message,
            "Issue cannot be blocked by itself");
  EXPECT_EQ(
      patch(board(), b.id, R"({"status":"in_progress","assigneeAgentId":)" + quoted(agent_.id) + "}").error().message,
      "Issue is blocked by unresolved blockers");
  ASSERT_TRUE(worked(patch(board(), a.id, R"({"status":"done"})")));
  EXPECT_TRUE(worked(patch(board(), b.id, R"({"status":"in_progress","assigneeAgentId":)" + quoted(agent_.id) + "}")));
}

TEST_P(IssueRules, The_last_blocker_done_wakes_who_waited) {
  const auto a = make(R"({"title":"a"})"), b = make(R"({"title":"b"})");
  const auto waiting = make(R"({"title":"w","status":"blocked","assigneeAgentId":)" + quoted(agent_.id) +
                            R"(,"blockedByIssueIds":[)" + quoted(a.id) + "," + quoted(b.id) + "]}");
  ASSERT_TRUE(worked(execute("delete from agent_wakeup_requests")));
  ASSERT_TRUE(worked(patch(board(), a.id, R"({"status":"done"})")));
  EXPECT_TRUE(wake_reasons(agent_.id).empty());
  ASSERT_TRUE(worked(patch(board(), b.id, R"({"status":"done"})")));
  EXPECT_EQ(wake_reasons(agent_.id), Texts{"issue_blockers_resolved"});
}

TEST_P(IssueRules, The_last_child_closed_wakes_the_parents_agent) {
  const auto parent = make(R"({"title":"p","status":"in_progress","assigneeAgentId":)" + quoted(agent_.id) + "}");
  const auto one = make(R"({"title":"1","parentId":)" + quoted(parent.id) + "}"),
             two = make(R"({"title":"2","parentId":)" + quoted(parent.id) + "}");
  ASSERT_TRUE(worked(execute("delete from heartbeat_runs")));
  ASSERT_TRUE(worked(execute("delete from agent_wakeup_requests")));
  ASSERT_TRUE(worked(patch(board(), one.id, R"({"status":"cancelled"})")));
  EXPECT_TRUE(wake_reasons(agent_.id).empty());
  ASSERT_TRUE(worked(patch(board(), two.id, R"({"status":"done"})")));
  EXPECT_EQ(wake_reasons(agent_.id), Texts{"issue_children_completed"});
}

TEST_P(IssueRules, A_comment_with_an_assignment_wakes_once) {
  const auto issue = make(R"({"title":"a","status":"todo"})");
  const auto patched =
      patch(board(), issue.id, R"({"assigneeAgentId":)" + quoted(agent_.id) + R"(,"comment":"for you"})");
  ASSERT_TRUE(patched.ok()) << patched.error().message;
  EXPECT_EQ(wake_reasons(agent_.id), Texts{"issue_assigned"});
  const auto payload = value<RawJson>("select payload from agent_wakeup_requests where agent_id = :1", agent_.id);
  EXPECT_EQ(payload->parse().at("commentId").as_string(), patched->comment->id.view());
}

TEST_P(IssueRules, A_person_reopens_by_speaking_and_the_agent_itself_does_not) {
  const auto issue = make(R"({"title":"a","status":"done","assigneeAgentId":)" + quoted(agent_.id) + "}");
  ASSERT_TRUE(worked(execute("delete from heartbeat_runs")));
  ASSERT_TRUE(worked(execute("delete from agent_wakeup_requests")));
  ASSERT_TRUE(worked(say(as(agent_.id), issue.id, R"({"body":"by the way"})")));
  EXPECT_EQ(this->issue(issue.id).status, IssueStatus::done);
  EXPECT_TRUE(wake_reasons(agent_.id).empty());
  ASSERT_TRUE(worked(say(board(), issue.id, R"({"body":"not yet"})")));
  EXPECT_EQ(this->issue(issue.id).status, IssueStatus::todo);
  EXPECT_EQ(wake_reasons(agent_.id), Texts{"issue_reopened_via_comment"});
}

TEST_P(IssueRules, A_mention_reaches_agents_of_the_company_only) {
  const auto ben = hire("Ben");
  const auto issue = make(R"({"title":"a"})");
  ASSERT_TRUE(
      worked(say(board(), issue.id, R"x({"body":"@ben and [x](agent://6f1c2d3e-4b5a-4c6d-8e7f-000000000001)"})x")));
  EXPECT_EQ(wake_reasons(ben.id), Texts{"issue_comment_mentioned"});
  EXPECT_EQ(wakeups("queued"), 1);
}

TEST_P(IssueRules, What_was_changed_is_on_record_with_what_it_was) {
  const auto issue = make(R"({"title":"a","priority":"low"})");
  ASSERT_TRUE(worked(patch(board(), issue.id, R"({"title":"b","priority":"low"})")));
  const auto details = value<RawJson>("select details from activity_log where action = 'issue.updated'")->parse();
  EXPECT_EQ(details.at("title").as_string(), "b");
  EXPECT_EQ(details.at("priority").as_string(), "low");
  EXPECT_EQ(to_string(details.at("_previous")), R"({"title":"a"})");
  EXPECT_EQ(actions(issue.id), (Texts{"issue.created", "issue.updated"}));
}

TEST_P(IssueRules, A_monitor_is_scheduled_shown_and_cleared_by_the_end_of_the_issue) {
  const auto issue = make(R"({"title":"a","status":"in_progress","assigneeAgentId":)" + quoted(agent_.id) + "}");
  const std::string monitor =
      R"({"executionPolicy":{"monitor":{"nextCheckAt":"2040-05-03T12:00:00.000Z","scheduledBy":"board","externalRef":"secret"}}})";
  const auto scheduled = patch(board(), issue.id, monitor);
  ASSERT_TRUE(scheduled.ok()) << scheduled.error().message;
  EXPECT_TRUE(scheduled->issue.monitor_next_check_at.has_value());
  EXPECT_EQ(scheduled->issue.execution_policy->text.find("secret"), std::string::npos);
  const auto titled = patch(board(), issue.id, R"({"title":"b"})");
  ASSERT_TRUE(titled.ok());
  EXPECT_TRUE(titled->issue.monitor_next_check_at.has_value());
  const auto done = patch(board(), issue.id, R"({"status":"done"})");
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_FALSE(done->issue.monitor_next_check_at.has_value());
  EXPECT_EQ(done->issue.execution_state->parse().at("monitor").at("clearReason").as_string(), "done");
  EXPECT_EQ(patch(board(), make(R"({"title":"c"})").id, monitor).error().message,
            "Monitor can only be scheduled on issues assigned to an agent in in_progress or in_review");
}

TEST_P(IssueRules, A_due_monitor_fires_once_and_must_be_armed_again) {
  const auto issue = make(R"({"title":"a","status":"in_progress","assigneeAgentId":)" + quoted(agent_.id) + "}");
  ASSERT_TRUE(execute("delete from heartbeat_runs").ok());
  ASSERT_TRUE(execute("delete from agent_wakeup_requests").ok());
  ASSERT_TRUE(worked(
      patch(board(), issue.id,
            R"({"executionPolicy":{"monitor":{"nextCheckAt":"2020-05-03T12:00:00.000Z","scheduledBy":"board"}}})")));
  const auto claim = [&] {
    return *database_->write(
        [](store::Transaction& tx) -> Result<std::vector<IssueId>> { return claim_due_monitors(tx); });
  };
  ASSERT_EQ(claim(), std::vector<IssueId>{issue.id});
  EXPECT_TRUE(claim().empty());  // somebody is at it
  ASSERT_TRUE(worked(database_->write([&](store::Transaction& tx) -> Result<> {
    fire_monitor(tx, issue.id);
    return {};
  })));
  EXPECT_EQ(wake_reasons(agent_.id), Texts{"issue_monitor_due"});
  const auto after = this->issue(issue.id);
  EXPECT_FALSE(after.monitor_next_check_at.has_value());
  EXPECT_FALSE(after.execution_policy.has_value());
  EXPECT_EQ(after.monitor_attempt_count, 1);
  EXPECT_EQ(after.execution_state->parse().at("monitor").at("status").as_string(), "triggered");
  EXPECT_TRUE(claim().empty());
}

TEST_P(IssueRules, A_monitor_out_of_attempts_goes_the_way_of_its_recovery_policy) {
  const auto issue = make(R"({"title":"a","status":"in_progress","assigneeAgentId":)" + quoted(agent_.id) + "}");
  ASSERT_TRUE(
      worked(patch(board(), issue.id,
                   R"({"executionPolicy":{"monitor":{"nextCheckAt":"2020-05-03T12:00:00.000Z","scheduledBy":"board",
      "maxAttempts":1,"recoveryPolicy":"create_recovery_issue"}}})")));
  ASSERT_TRUE(execute("update issues set monitor_attempt_count = 1 where id = :1", issue.id).ok());
  ASSERT_TRUE(worked(database_->write([&](store::Transaction& tx) -> Result<> {
    fire_monitor(tx, issue.id);
    return {};
  })));
  EXPECT_EQ(value<std::string>("select title from issues where origin_kind = 'stranded_issue_recovery'"),
            "Recover external-service monitor for " + *issue.identifier);
  EXPECT_EQ(actions(issue.id).back(), "issue.monitor_recovery_issue_created");
}

TEST_P(IssueRules, A_document_is_written_on_the_revision_it_was_read_at) {
  const auto issue = make(R"({"title":"a"})");
  const auto put = [&](const std::string& text) {
    return database_->write(
        [&](store::Transaction& tx) { return put_document(tx, board(), issue.id, "plan", body<DocumentBody>(text)); });
  };
  const auto first = put(R"({"format":"markdown","body":"one"})");
  ASSERT_TRUE(first.ok()) << first.error().message;
  EXPECT_TRUE(first->created);
  EXPECT_EQ(put(R"({"format":"markdown","body":"x"})").error().message, "Document update requires baseRevisionId");
  const auto second =
      put(R"({"format":"markdown","body":"two","baseRevisionId":)" + quoted(*first->document.latest_revision_id) + "}");
  ASSERT_TRUE(second.ok()) << second.error().message;
  EXPECT_EQ(
      put(R"({"format":"markdown","body":"x","baseRevisionId":)" + quoted(*first->document.latest_revision_id) + "}")
          .error()
          .message,
      "Document was updated by someone else");
  const auto restored = database_->write([&](store::Transaction& tx) {
    return restore_document(tx, board(), issue.id, "plan", first->document.latest_revision_id->view());
  });
  ASSERT_TRUE(restored.ok()) << restored.error().message;
  EXPECT_EQ(restored->body, "one");
  EXPECT_EQ(restored->latest_revision_number, 3);
}

TEST_P(IssueRules, Covered_stalled_and_neglected_blockers_are_told_apart) {
  const auto neglected = make(R"({"title":"n","status":"todo"})");
  const auto review = make(R"({"title":"r","status":"in_review","assigneeAgentId":)" + quoted(agent_.id) + "}");
  const auto person = make(R"({"title":"p","status":"in_review"})");
  ASSERT_TRUE(worked(execute("update issues set assignee_user_id = 'ann' where id = :1", person.id)));
  const auto judged = [&](const std::string& blockers) {
    const auto blocked = make(R"({"title":"x","status":"blocked","blockedByIssueIds":[)" + blockers + "]}");
    return database_->read([&](store::Reader& reader) { return blocker_attention(reader, blocked); });
  };
  EXPECT_EQ(judged("").state, AttentionState::needs_attention);
  const auto bad = judged(quoted(neglected.id) + "," + quoted(person.id));
  EXPECT_EQ(bad.state, AttentionState::needs_attention);
  EXPECT_EQ(bad.sample_blocker_identifier, neglected.identifier);
  EXPECT_EQ(bad.covered_blocker_count, 1);
  EXPECT_EQ(judged(quoted(review.id)).state, AttentionState::stalled);
  const auto covered = judged(quoted(person.id));
  EXPECT_EQ(covered.state, AttentionState::covered);
  EXPECT_EQ(covered.reason, AttentionReason::active_dependency);
}

TEST_P(IssueRules, The_list_filters_orders_and_searches) {
  const auto low = make(R"({"title":"Low","priority":"low","status":"todo"})");
  make(R"({"title":"Critical quokka","priority":"critical","description":"d"})");
  make(R"({"title":"Child","parentId":)" + quoted(low.id) + R"(,"description":"a QUOKKA 100%"})");
  EXPECT_EQ(titles({}), (Texts{"Critical quokka", "Child", "Low"}));
  IssueFilter filter;
  filter.statuses = {"todo", "nonsense"};
  EXPECT_EQ(titles(filter), Texts{"Low"});
  filter = {};
  filter.descendant_of = low.id.str();
  EXPECT_EQ(titles(filter), Texts{"Child"});
  filter = {};
  filter.search = "quokka";
  EXPECT_EQ(titles(filter), (Texts{"Critical quokka", "Child"}));
  filter.search = "0%";
  EXPECT_EQ(titles(filter), Texts{"Child"});
  filter = {};
  filter.participant_agent_id = agent_.id.str();
  EXPECT_TRUE(titles(filter).empty());
  filter.participant_agent_id = "no id";
  EXPECT_TRUE(titles(filter).empty());
  filter = {};
  filter.limit = 1;
  filter.offset = 1;
  EXPECT_EQ(titles(filter), Texts{"Child"});
}

TEST_P(IssueRules, A_long_description_is_cut_between_characters_in_lists) {
  std::string description;
  for (int i = 0; i < 1300; ++i) description += "ä";
  make(R"({"title":"a","description":")" + description + R"("})");
  const auto shown = std::string(list({}).as_array().at(0).at("description").as_string());
  EXPECT_EQ(shown.size(), 2400u);
  EXPECT_EQ(shown, description.substr(0, 2400));
}

TEST_P(IssueRules, Unread_is_what_somebody_else_said_after_my_last_touch) {
  const auto issue = make(R"({"title":"a"})");
  IssueFilter filter;
  filter.unread_for_user_id = "local-board";
  EXPECT_TRUE(titles(filter).empty());
  ASSERT_TRUE(worked(execute("update issues set created_at = :1, updated_at = :1", Timestamp{1'000})));
  ASSERT_TRUE(worked(say(as(agent_.id), issue.id, R"({"body":"look"})")));
  EXPECT_EQ(titles(filter), Texts{"a"});
  EXPECT_TRUE(list(filter).as_array().at(0).at("isUnreadForMe").as_bool());
  filter = {};
  filter.touched_by_user_id = "nobody";
  EXPECT_TRUE(titles(filter).empty());
}

TEST_P(IssueRules, A_detail_of_a_circle_of_parents_ends) {
  const auto a = make(R"({"title":"a"})");
  const auto b = make(R"({"title":"b","parentId":)" + quoted(a.id) + "}");
  ASSERT_TRUE(worked(execute("update issues set parent_id = :1 where id = :2", b.id, a.id)));
  const auto detail =
      database_->read([&](store::Reader& reader) { return issue_detail_json(reader, company_.id, a.id, "/nowhere"); });
  ASSERT_TRUE(detail.ok());
  EXPECT_EQ(parse_json(*detail)->at("ancestors").as_array().size(), 1u);
}

TEST_P(IssueRules, Deleting_takes_the_conversation_along_and_spares_parents) {
  const auto parent = make(R"({"title":"p"})");
  const auto child = make(R"({"title":"c","parentId":)" + quoted(parent.id) + "}");
  ASSERT_TRUE(worked(say(board(), child.id, R"({"body":"hm"})")));
  const auto remove = [&](IssueId id) {
    return database_->write([&](store::Transaction& tx) { return delete_issue(tx, board(), id); });
  };
  EXPECT_EQ(remove(parent.id).error().kind, ErrorKind::conflict);
  EXPECT_TRUE(worked(remove(child.id)));
  EXPECT_EQ(value<std::int64_t>("select count(*) from issue_comments"), 0);
  EXPECT_TRUE(worked(remove(parent.id)));
}

TEST_P(IssueRules, Another_companys_project_goal_and_parent_are_refused) {
  Company other = company_;
  other.id = fresh<CompanyId>();
  other.issue_prefix = "OTH";
  add(other);
  const auto scope = *authorise_company(local_board(), other.id, true);
  const auto foreign = *database_->write(
      [&](store::Transaction& tx) { return create_issue(tx, scope, body<NewIssueBody>(R"({"title":"theirs"})")); });
  const auto mine = make(R"({"title":"mine"})");
  EXPECT_EQ(patch(board(), mine.id, R"({"parentId":)" + quoted(foreign.id) + "}").error().kind,
            ErrorKind::unprocessable);
  EXPECT_EQ(patch(board(), foreign.id, R"({"title":"x"})").error().message, "Issue not found");
  EXPECT_EQ(database_
                ->write([&](store::Transaction& tx) {
                  return create_issue(tx, board(),
                                      body<NewIssueBody>(R"({"title":"x","parentId":)" + quoted(foreign.id) + "}"));
                })
                .error()
                .message,
            "Workspace inheritance issue not found");
}

INSTANTIATE_TEST_SUITE_P(Engines, IssueRules, ::testing::Values(store::Engine::sqlite, store::Engine::postgresql),
                         test::engine_name);

}  // namespace
}  // namespace paperclip::domain
