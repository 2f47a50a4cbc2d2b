#include "domain/runs/continuation_summary.h"

#include "work_fixture.h"

/// What a run leaves for the next one (spec/work-domain.md 15).
namespace paperclip::domain {
namespace {

class ContinuationSummary : public test::Work {
 protected:
  std::optional<std::string> summary(IssueId issue) {
    return value<std::string>("select d.latest_body from issue_documents i join documents d on d.id = i.document_id where i.issue_id = :1 and i.key = 'continuation-summary'", issue);
  }
};

TEST_P(ContinuationSummary, Each_run_of_an_issue_rewrites_it_and_the_next_run_gets_it) {
  const auto id = open_issue(IssueStatus::todo, agent_.id);
  wake(agent_.id, about(id, "issue_assigned"));
  auto first = claim(agent_.id);
  EXPECT_FALSE(first.at(0).continuation_summary);
  RunReport report;
  report.result = json::object{{"summary", "Wrote src/main.cpp and ran `make test`"}};
  report.stdout_excerpt = "$ git status\nNext action: add the missing test\n";
  ASSERT_TRUE(finish(first[0], report).ok());
  const auto text = summary(id);
  ASSERT_TRUE(text);
  EXPECT_TRUE(text->starts_with("# Continuation Summary\n")) << *text;
  for (const char* part : {"- Issue: ACM-1 Ship it\n", "- Current mode: implementation\n", "- Run ended as `succeeded`", "- Wrote src/main.cpp", "- `src/main.cpp`", "- `make test`", "- `git status`"})
    EXPECT_NE(text->find(part), std::string::npos) << part << " is not in\n" << *text;
  EXPECT_NE(text->find("- Last run: " + first[0].run.id.str()), std::string::npos);

  wake(agent_.id, about(id, "issue_commented"));
  auto second = claim(agent_.id);
  ASSERT_TRUE(second.at(0).continuation_summary);
  EXPECT_EQ(second[0].continuation_summary->latest_body, *text);
  ASSERT_TRUE(finish(second[0], failure("no such model")).ok());
  EXPECT_NE(summary(id)->find("- Error: no such model"), std::string::npos) << *summary(id);
  EXPECT_EQ(value<std::int64_t>("select count(*) from document_revisions"), 2);
  EXPECT_EQ(value<std::string>("select change_summary from document_revisions where created_by_run_id = :1", first[0].run.id),
            "Refresh continuation summary after run " + first[0].run.id.str());
}

TEST_P(ContinuationSummary, It_is_no_trace_of_work) {
  const auto id = open_issue(IssueStatus::todo, agent_.id);
  wake(agent_.id, about(id, "issue_commented"));
  const auto claimed = claim(agent_.id);
  ASSERT_TRUE(finish(claimed.at(0)).ok());
  EXPECT_EQ(run(claimed[0].run.id).liveness_state, RunLivenessState::empty_response);
  ASSERT_TRUE(summary(id));
}

TEST_P(ContinuationSummary, A_run_without_an_issue_leaves_none) {
  wake(agent_.id, request());
  ASSERT_TRUE(finish(claim(agent_.id).at(0)).ok());
  EXPECT_EQ(value<std::int64_t>("select count(*) from documents"), 0);
}

ON_BOTH_ENGINES(ContinuationSummary);

TEST(ContinuationSummaryText, Sections_of_the_description_are_used_and_everything_has_a_limit) {
  SummaryFacts facts;
  facts.issue = "ACM-7 Pay";
  facts.description = "Long story.\n\n## Objective\n\nPay by card.\n\n## Acceptance Criteria\n- refunds\n\n## Notes\nnothing";
  facts.run_status = "succeeded";
  facts.outcome = std::string(5000, 'x');
  facts.blockers = {"ACM-3 Bank account (todo)"};
  const auto text = continuation_summary_text(facts);
  EXPECT_NE(text.find("## Objective\n\nPay by card.\n"), std::string::npos) << text;
  EXPECT_NE(text.find("## Acceptance Criteria\n\n- refunds\n"), std::string::npos) << text;
  EXPECT_NE(text.find("- Waits for ACM-3 Bank account (todo)"), std::string::npos);
  EXPECT_NE(text.find("x\n[truncated]\n"), std::string::npos);
  EXPECT_EQ(text.find(std::string(1201, 'x')), std::string::npos);
  EXPECT_LE(text.size(), 8000u);
}

TEST(ContinuationSummaryText, Paths_are_found_and_phrases_are_not) {
  EXPECT_EQ(paths_in("See src/a/b.cpp, README.md and /api/issues/{id}; and/or 3.14 https://example.com/x.html. src/a/b.cpp again", 12),
            (std::vector<std::string>{"src/a/b.cpp", "README.md", "/api/issues/{id}"}));
  EXPECT_EQ(paths_in("a.c b.c c.c dd.c ee.c", 1).size(), 1u);
  EXPECT_EQ(commands_in("$ npm test\nran `git commit -m x` and `x`\n$ npm test", 8), (std::vector<std::string>{"npm test", "git commit -m x"}));
}

}  // namespace
}  // namespace paperclip::domain
