#include <chrono>

#include "cli/change_signal.h"
#include "terminal.h"

namespace paperclip::cli {
namespace {

using CommandsTest = WithServer;
using ::testing::Test;

TEST_F(CommandsTest, Companies_are_created_listed_changed_and_archived) {
  EXPECT_EQ(run({"company", "list"}).out, "(empty)\n");
  EXPECT_EQ(run({"company", "list", "--json"}).out, "[]\n");
  const json::value made = get({"company", "create", "--name", "Acme", "--budget-monthly-cents", "5000"});
  const std::string id = text(made, "id");
  EXPECT_EQ(text(made, "issuePrefix"), "ACM");
  EXPECT_EQ(run({"company", "list"}).out, "id=" + id +
                                              " name=Acme status=active budgetMonthlyCents=5000 spentMonthlyCents=0 "
                                              "requireBoardApprovalForNewAgents=false\n");
  EXPECT_EQ(text(get({"company", "update", id, "--description", "makes things"}), "description"), "makes things");
  EXPECT_EQ(text(get({"company", "archive", id}), "status"), "archived");
  EXPECT_EQ(text(get({"company", "get", id}), "status"), "archived");
}

TEST_F(CommandsTest, Deleting_a_company_takes_a_word_of_confirmation) {
  const std::string id = found("Acme");
  const Ran bare = run({"company", "delete", "ACM"});
  EXPECT_EQ(bare.exit_code, 1);
  EXPECT_NE(bare.err.find("--yes --confirm ACM"), std::string::npos) << bare.err;
  EXPECT_EQ(run({"company", "delete", "ACM", "--yes", "--confirm", "OTHER"}).exit_code, 1);
  EXPECT_EQ(run({"company", "delete", id}, "no\n").exit_code, 1);
  EXPECT_EQ(get({"company", "list"}).as_array().size(), 1u);
  const json::value gone = get({"company", "delete", "acm", "--yes", "--confirm", "ACM"});
  EXPECT_EQ(text(gone, "deletedCompanyId"), id);
  EXPECT_EQ(get({"company", "list"}).as_array().size(), 0u);
}

TEST_F(CommandsTest, The_company_is_named_by_option_variable_or_profile_and_missing_it_says_so) {
  const Ran none = run({"agent", "list"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_EQ(none.out, "");
  for (const char* way : {"--company-id", "PAPERCLIP_COMPANY_ID", "paperclip context set"})
    EXPECT_NE(none.err.find(way), std::string::npos) << way;
  const std::string first = found("First"), second = found("Second");
  terminal_.variables.erase("PAPERCLIP_COMPANY_ID");
  EXPECT_EQ(text(get({"dashboard", "get", "-C", second}), "companyId"), second);
  EXPECT_EQ(run({"context", "set", "--company-id", first, "--api-base", base_ + "/"}).exit_code, 0);
  EXPECT_EQ(text(get({"dashboard", "get"}), "companyId"), first);
  terminal_.variables.erase("PAPERCLIP_API_URL");  // the profile has the address, too
  EXPECT_EQ(text(get({"dashboard", "get"}), "companyId"), first);
  terminal_.variables["PAPERCLIP_COMPANY_ID"] = second;
  EXPECT_EQ(text(get({"dashboard", "get"}), "companyId"), second);
  EXPECT_EQ(text(get({"dashboard", "get", "--company-id", first}), "companyId"), first);
}

TEST_F(CommandsTest, Agents_are_created_paused_resumed_and_named_by_shortname) {
  found("Acme");
  const json::value agent = hire("Ada Lovelace", "true");
  const json::value& config = agent.at("adapterConfig");
  EXPECT_EQ(text(config, "command"), "/bin/sh");
  EXPECT_EQ(config.at("args"), (json::array{"-c", "true"}));
  EXPECT_EQ(text(get({"agent", "get", "ada-lovelace"}), "id"), text(agent, "id"));
  EXPECT_EQ(text(get({"agent", "pause", "ada-lovelace"}), "status"), "paused");
  EXPECT_EQ(text(get({"agent", "resume", text(agent, "id")}), "status"), "idle");
  EXPECT_NE(run({"agent", "list"}).out.find("name=\"Ada"), 0u);
  EXPECT_EQ(text(get({"agent", "terminate", "ada-lovelace"}), "status"), "terminated");
  EXPECT_EQ(run({"agent", "list"}).out, "(empty)\n");
}

TEST_F(CommandsTest, Why_an_agent_or_an_issue_does_not_run_is_told_in_sentences) {
  found("Acme");
  const json::value agent = hire("Ada", "true");
  get({"agent", "pause", "ada"});
  const Ran why = run({"agent", "why", "ada"});
  EXPECT_EQ(why.exit_code, 0) << why.err;
  EXPECT_EQ(why.out.find("Ada is paused. It ends with resuming the agent.\n"), 0u) << why.out;
  EXPECT_NE(why.out.find("- Ada is paused. [agent_paused]\n"), std::string::npos) << why.out;
  const json::value issue = get({"issue", "create", "--title", "Ship it", "--status", "todo"});
  EXPECT_EQ(run({"issue", "why", text(issue, "identifier")}).out.find("Nobody has it. It ends with assigning it to an agent.\n"), 0u);
  EXPECT_EQ(text(get({"issue", "why", text(issue, "id")}), "state"), "waiting");
}

TEST_F(CommandsTest, An_agents_key_acts_as_that_agent_and_a_wrong_one_as_nobody) {
  const std::string company = found("Acme");
  const json::value agent = hire("Bob", "true");
  const json::value key = get({"agent", "keys", "create", "bob", "--name", "test"});
  const json::value me = get({"api", "get", "/agents/me", "--api-key", text(key, "token")});
  EXPECT_EQ(text(me, "id"), text(agent, "id"));
  terminal_.variables["MY_KEY"] = text(key, "token");
  ASSERT_EQ(run({"context", "set", "--api-key-env-var-name", "MY_KEY"}).exit_code, 0);
  EXPECT_EQ(text(get({"api", "get", "/agents/me"}), "id"), text(agent, "id"));
  ASSERT_EQ(run({"context", "set", "--api-key-env-var-name", ""}).exit_code, 0);
  const Ran wrong = run({"company", "list", "--api-key", "pcp_wrong"});
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_EQ(wrong.err, "API error 401: Unauthorized\n");
  EXPECT_EQ(get({"agent", "keys", "list", "bob"}).as_array().size(), 1u);
  EXPECT_EQ(run({"agent", "keys", "revoke", "bob", text(key, "id")}).exit_code, 0);
  EXPECT_EQ(run({"api", "get", "/agents/me", "--api-key", text(key, "token")}).exit_code, 1);
}

TEST_F(CommandsTest, Local_cli_prints_what_a_shell_needs_and_links_the_skills) {
  const std::string company = found("Acme");
  const std::string agent = text(hire("Bob", "true"), "id");
  terminal_.variables["CODEX_HOME"] = terminal_.path("codex").string();
  std::filesystem::create_directories(terminal_.path(".claude/skills/paperclip"));  // the person's own of the same name
  const json::value made = get({"agent", "local-cli", "bob"});
  EXPECT_NE(text(made, "exports").find("export PAPERCLIP_AGENT_ID='" + agent + "'"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(terminal_.path("codex/skills/paperclip/SKILL.md")));
  EXPECT_TRUE(std::filesystem::is_symlink(terminal_.path("codex/skills/paperclip")));
  EXPECT_FALSE(std::filesystem::is_symlink(terminal_.path(".claude/skills/paperclip")));
  const Ran again = run({"agent", "local-cli", "bob"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(again.out.find("export PAPERCLIP_API_URL='" + base_ + "'\n"), 0u) << again.out;
  // The exported key works.
  EXPECT_EQ(text(get({"api", "get", "/agents/me", "--api-key", text(made.at("key"), "token")}), "id"), agent);
}

TEST_F(CommandsTest, Overviews_show_goals_activity_costs) {
  const std::string company = found("Acme");
  const std::string agent = text(hire("Bob", "true"), "id");
  EXPECT_EQ(text(get({"goal", "create", "--title", "Win", "--level", "company"}), "title"), "Win");
  EXPECT_NE(run({"goal", "list"}).out.find("title=Win level=company"), std::string::npos);
  EXPECT_NE(run({"activity", "list", "--entity-type", "agent"}).out.find("action=agent.created"), std::string::npos);
  get({"api", "post", "/companies/{companyId}/cost-events", "--data",
       R"({"agentId":")" + agent +
           R"(","provider":"p","model":"m","costCents":125,"occurredAt":"2026-05-03T10:00:00.000Z"})"});
  EXPECT_EQ(get({"costs", "summary"}).at("spendCents"), 125);
  EXPECT_NE(run({"costs", "by-agent"}).out.find("costCents=125"), std::string::npos);
}

TEST_F(CommandsTest, Errors_of_the_server_show_status_message_and_details) {
  found("Acme");
  const Ran missing = run({"agent", "get", "00000000-0000-4000-8000-000000000000"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_EQ(missing.err, "API error 404: Agent not found\n");
  const Ran invalid = run({"goal", "create", "--title", "x", "--level", "galaxy"});
  EXPECT_EQ(invalid.exit_code, 1);
  EXPECT_EQ(invalid.out, "");
  EXPECT_EQ(invalid.err.find("API error 400: Validation error details=[{"), 0u) << invalid.err;
}

TEST_F(CommandsTest, A_run_is_followed_to_its_end_and_its_outcome_is_the_exit_code) {
  found("Acme");
  hire("Good", "echo first line; echo to stderr >&2; printf 'no newline at the end'");
  hire("Bad", "echo about to fail; exit 3");
  const Ran good = run({"heartbeat", "run", "-a", "good"});
  EXPECT_EQ(good.exit_code, 0) << good.err;
  for (const char* line :
       {"Status: succeeded\n", "\nfirst line\n", "\n[stderr] to stderr\n", "\nno newline at the end\n"})
    EXPECT_NE(good.out.find(line), std::string::npos) << line << "\nin\n" << good.out;
  const Ran bad = run({"heartbeat", "run", "--agent-id", "bad"});
  EXPECT_EQ(bad.exit_code, 1);
  for (const char* line : {"Status: failed\n", "about to fail\n", "Error: Process exited with code 3\n"})
    EXPECT_NE(bad.out.find(line), std::string::npos) << line << "\nin\n" << bad.out;
  const Ran machine = run({"heartbeat", "run", "-a", "good", "--json"});
  EXPECT_EQ(machine.exit_code, 0);
  EXPECT_EQ(text(machine.json(), "status"), "succeeded");
  EXPECT_NE(machine.err.find("first line"), std::string::npos);
  // A run that has ended is shown as a whole.
  const Ran later = run({"heartbeat", "log", text(machine.json(), "id")});
  EXPECT_EQ(later.exit_code, 0);
  EXPECT_NE(later.out.find("\nfirst line\n"), std::string::npos) << later.out;
  EXPECT_EQ(get({"heartbeat", "list"}).as_array().size(), 3u);
}

TEST_F(CommandsTest, A_long_log_arrives_whole_and_in_order) {
  found("Acme");
  hire("Talker",
       "i=0; while [ $i -lt 3000 ]; do echo \"line $i äöü aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"; "
       "i=$((i+1)); done");
  const Ran ran = run({"heartbeat", "run", "-a", "talker"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  std::istringstream lines(ran.out);
  int next = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("line ")) continue;
    EXPECT_EQ(line, "line " + std::to_string(next++) + " äöü aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
  }
  EXPECT_EQ(next, 3000);
}

TEST_F(CommandsTest, Following_stops_at_its_own_deadline_and_the_run_goes_on) {
  found("Acme");
  hire("Slow", "sleep 600");
  const Ran ran = run({"heartbeat", "run", "-a", "slow", "--timeout-ms", "300", "--json"});
  EXPECT_EQ(ran.exit_code, 1);
  const std::string id = text(ran.json(), "id");
  EXPECT_NE(ran.err.find("heartbeat cancel " + id), std::string::npos) << ran.err;
  EXPECT_EQ(run({"heartbeat", "cancel", id}).exit_code, 0);
  const Ran log = run({"heartbeat", "log", id});
  EXPECT_EQ(log.exit_code, 1);
  EXPECT_NE(log.out.find("Status: cancelled"), std::string::npos) << log.out;
}

TEST_F(CommandsTest, Changes_are_told_by_the_live_stream) {
  const std::string company = found("Acme");
  std::istringstream in;
  std::ostringstream out;
  const Surroundings around{.environment = [](const std::string&) { return std::nullopt; },
                            .working_directory = "/",
                            .in = in,
                            .out = out,
                            .err = out};
  Client client(around, base_, {});
  ChangeSignal changes(client, company);
  ASSERT_TRUE(changes.live());
  hire("Bob", "true");
  const auto began = std::chrono::steady_clock::now();
  changes.wait(std::chrono::seconds(30));
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(15)) << "an event ends the wait";
  EXPECT_TRUE(changes.live());
}

TEST_F(CommandsTest, Issues_are_created_listed_changed_and_commented_on) {
  found("Acme");
  const std::string bob = text(hire("Bob", "true"), "id");
  const json::value issue =
      get({"issue", "create", "--title", "Fix the door", "--description", "It squeaks.", "--priority", "high"});
  EXPECT_EQ(text(issue, "identifier"), "ACM-1");
  EXPECT_EQ(text(issue, "status"), "backlog");
  const std::string second = text(get({"issue", "create", "--title", "Paint it", "--parent-id", text(issue, "id"),
                                       "--blocked-by", text(issue, "id")}),
                                  "id");
  EXPECT_EQ(text(get({"issue", "get", "acm-1"}), "title"), "Fix the door");
  EXPECT_EQ(get({"issue", "list", "--match", "SQUEAKS"}).as_array().size(), 1u);
  EXPECT_EQ(get({"issue", "list", "--parent-id", text(issue, "id")}).as_array().size(), 1u);
  EXPECT_EQ(get({"issue", "list", "--status", "todo,blocked"}).as_array().size(), 0u);
  EXPECT_EQ(run({"issue", "list", "--match", "door"}).out.find("identifier=ACM-1 id="), 0u);
  EXPECT_EQ(text(get({"issue", "comment", "ACM-1", "--body", "Where is the oil?"}), "body"), "Where is the oil?");
  EXPECT_NE(run({"issue", "comments", "ACM-1"}).out.find("body=Where is the oil?"), std::string::npos);
  const json::value changed = get({"issue", "update", "ACM-1", "--status", "done", "--comment", "Oiled."});
  EXPECT_EQ(text(changed, "status"), "done");
  EXPECT_EQ(text(changed.at("comment"), "body"), "Oiled.");
  EXPECT_EQ(run({"issue", "update", "ACM-1"}).exit_code, 1) << "nothing to change";
  const json::value taken =
      get({"issue", "checkout", second, "--agent-id", bob, "--expected-statuses", "backlog, todo"});
  EXPECT_EQ(text(taken, "status"), "in_progress");
  EXPECT_EQ(text(taken, "assigneeAgentId"), bob);
  const json::value released = get({"issue", "release", second});
  EXPECT_EQ(text(released, "status"), "todo");
  EXPECT_TRUE(released.at("assigneeAgentId").is_null());
  EXPECT_EQ(text(get({"issue", "update", second, "--parent-id", "null"}), "parentId"), "");
}

TEST_F(CommandsTest, Any_route_can_be_called) {
  const std::string company = found("Acme");
  EXPECT_EQ(text(get({"api", "get", "/api/companies/{companyId}"}), "id"), company);
  EXPECT_EQ(text(get({"api", "GET", "companies/" + company}), "id"), company);
  const Ran from_stdin =
      run({"api", "post", "/companies/{companyId}/goals", "--data", "-", "--json"}, R"({"title":"From stdin"})");
  EXPECT_EQ(from_stdin.exit_code, 0) << from_stdin.err;
  EXPECT_EQ(text(from_stdin.json(), "title"), "From stdin");
  EXPECT_EQ(run({"api", "post", "/companies/{companyId}/goals", "--data", "{not json"}).exit_code, 1);
  EXPECT_EQ(run({"api", "get", "/nowhere"}).err, "API error 404: API route not found\n");
}

TEST_F(CommandsTest, A_server_that_is_not_there_is_named_with_what_to_do) {
  terminal_.variables["PAPERCLIP_API_URL"] = base_;
  server_.reset();
  const Ran ran = run({"company", "list"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_EQ(ran.out, "");
  for (const std::string& part : {base_, std::string("GET"), std::string("/api/health"), std::string("paperclip run")})
    EXPECT_NE(ran.err.find(part), std::string::npos) << ran.err;
}

}  // namespace
}  // namespace paperclip::cli
