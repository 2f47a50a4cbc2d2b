#include <gmock/gmock.h>

#include <thread>

#include "domain/environments/environment_config.h"
#include "domain/environments/environments.h"
#include "domain/environments/leases.h"
#include "domain/environments/secret_fields.h"
#include "domain/environments/selection.h"
#include "domain/workspaces/execution_workspace.h"
#include "domain/projects/project.h"
#include "work_fixture.h"

namespace paperclip::domain {
namespace {

json::object parsed(const char* text) { return parse_json(text)->as_object(); }

TEST(SecretFields, Are_found_by_format_in_properties_and_branches_but_not_in_arrays) {
  const auto fields = secret_fields(parsed(R"({"properties":{"apiKey":{"format":"secret-ref"},"name":{"type":"string"},
    "auth":{"properties":{"Client.Secret":{"format":"uri"},"token":{"format":"secret-ref"}}},
    "list":{"items":{"format":"secret-ref"}}},
    "anyOf":[{"properties":{"other":{"format":"secret-ref"}}}],"allOf":[{"oneOf":[{"properties":{"deep":{"format":"secret-ref"}}}]}]})"));
  std::vector<std::string> paths, names;
  for (const auto& field : fields) {
    paths.push_back(field.path);
    names.push_back(field.name);
  }
  EXPECT_THAT(paths, ::testing::ElementsAre("apiKey", "auth.token", "deep", "other"));
  EXPECT_THAT(names, ::testing::ElementsAre("apikey", "auth-token", "deep", "other"));
}

TEST(SecretFields, Pasted_values_are_taken_out_blanks_vanish_and_references_stay) {
  const auto fields = secret_fields(parsed(R"({"properties":{"a":{"format":"secret-ref"},"b":{"format":"secret-ref"},"c":{"format":"secret-ref"},"d":{"format":"secret-ref"}}})"));
  auto config = parsed(R"({"a":" value ","b":"  ","c":" 0B1C2D3E-0000-4000-8000-000000000001 ","d":7,"image":"x"})");
  const auto pasted = take_pasted_secrets(config, fields);
  ASSERT_EQ(pasted.size(), 1u);
  EXPECT_EQ(pasted[0].value.expose(), "value");
  EXPECT_EQ(json::value(config), json::value(parsed(R"({"c":"0B1C2D3E-0000-4000-8000-000000000001","d":7,"image":"x"})")));
}

TEST(SecretFields, Metadata_loses_secrets_and_the_objects_they_leave_empty) {
  const auto fields = secret_fields(parsed(R"({"properties":{"a":{"properties":{"k":{"format":"secret-ref"}}},"b":{"properties":{"k":{"format":"secret-ref"}}}}})"));
  EXPECT_EQ(json::value(without_secrets(parsed(R"({"a":{"k":"s"},"b":{"k":"s","size":1},"c":{}})"), fields)), json::value(parsed(R"({"b":{"size":1},"c":{}})")));
}

TEST(EnvironmentConfig, Shells_other_than_the_two_known_ones_are_not_believed) {
  EXPECT_EQ(shell_of(parsed(R"({"shellCommand":"bash"})")), "bash");
  for (const char* other : {R"({})", R"({"shellCommand":"sh"})", R"({"shellCommand":"rm -rf /;"})", R"({"shellCommand":7})", R"({"shellCommand":null})"})
    EXPECT_EQ(shell_of(parsed(other)), "sh") << other;
}

TEST(EnvironmentConfig, A_lease_is_given_back_with_exactly_the_config_it_was_got_with) {
  EnvironmentLease lease;
  lease.provider = "boxes";
  lease.metadata = RawJson(std::string(R"({"driver":"sandbox","provider":"boxes","pluginId":"p","remoteCwd":"/w","image":"changed","providerConfig":{"image":"debian","apiKey":"id"}})"));
  EXPECT_EQ(json::value(acquired_config(lease, nullptr)), json::value(parsed(R"({"image":"debian","apiKey":"id"})")));
  // Of the reference's time: what its environment has now, if that is of the same provider, else what the metadata has.
  lease.metadata = RawJson(std::string(R"({"driver":"sandbox","provider":"boxes","pluginId":"p","shellCommand":"bash","image":"debian"})"));
  Environment environment;
  environment.driver = EnvironmentDriver::sandbox;
  environment.config = RawJson(std::string(R"({"provider":"boxes","image":"fedora"})"));
  EXPECT_EQ(json::value(acquired_config(lease, &environment)), json::value(parsed(R"({"image":"fedora"})")));
  environment.driver = EnvironmentDriver::local;
  EXPECT_EQ(json::value(acquired_config(lease, &environment)), json::value(parsed(R"({"image":"debian"})")));
}

class Selection : public test::Work {
 protected:
  EnvironmentId environment(const std::string& name) {
    Environment row;
    row.id = fresh<EnvironmentId>();
    row.company_id = company_.id;
    row.name = name;
    row.driver = EnvironmentDriver::ssh;
    add(row);
    return row.id;
  }
  std::optional<EnvironmentId> chosen(std::optional<IssueId> issue) {
    return database_->read([&](store::Reader& reader) { return select_environment(reader, {company_.id, issue, by_agent_}); });
  }
  void isolate(bool on) {
    ASSERT_TRUE(execute("delete from instance_settings").ok());
    ASSERT_TRUE(execute("insert into instance_settings (id, singleton_key, general, experimental, created_at, updated_at) values (:1, 'default', :2, :3, :4, :4)",
                        fresh<AnyId>(), RawJson("{}"), RawJson(std::string(on ? R"({"enableIsolatedWorkspaces":true})" : "{}")), Clock::system().now())
                    .ok());
  }
  RawJson naming(EnvironmentId id) { return RawJson(json::value(json::object{{"enabled", true}, {"environmentId", id.view()}})); }
  std::optional<EnvironmentId> by_agent_;
};

TEST_P(Selection, Workspace_then_issue_then_project_then_agent_then_this_machine) {
  const auto one = environment("workspace"), two = environment("issue"), three = environment("project"), four = environment("agent");
  Project project;
  project.id = fresh<ProjectId>();
  project.company_id = company_.id;
  project.name = "p";
  project.execution_workspace_policy = naming(three);
  add(project);
  const auto ticket = open_issue(IssueStatus::todo, agent_.id);
  EXPECT_EQ(chosen(ticket), std::nullopt);
  by_agent_ = four;
  EXPECT_EQ(chosen(ticket), four);
  EXPECT_EQ(chosen(std::nullopt), four);
  ASSERT_TRUE(execute("update issues set project_id = :1, execution_workspace_settings = :2 where id = :3", project.id, naming(two), ticket).ok());
  isolate(false);
  EXPECT_EQ(chosen(ticket), four) << "issue and project speak only where the instance lets them";
  isolate(true);
  EXPECT_EQ(chosen(ticket), two);
  ASSERT_TRUE(execute("update issues set execution_workspace_settings = :1 where id = :2", RawJson(std::string(R"({"environmentId":null})")), ticket).ok());
  EXPECT_EQ(chosen(ticket), three) << "a stored null says nothing";
  ExecutionWorkspace workspace;
  workspace.id = fresh<ExecutionWorkspaceId>();
  workspace.company_id = company_.id;
  workspace.project_id = project.id;
  workspace.name = "w";
  workspace.metadata = RawJson(json::value(json::object{{"config", json::object{{"environmentId", one.view()}}}}));
  add(workspace);
  ASSERT_TRUE(execute("update issues set execution_workspace_id = :1 where id = :2", workspace.id, ticket).ok());
  EXPECT_EQ(chosen(ticket), one);
  ASSERT_TRUE(execute("update execution_workspaces set metadata = :1", RawJson(std::string(R"({"config":{"provisionCommand":"x"}})"))).ok());
  EXPECT_EQ(chosen(ticket), std::nullopt) << "a workspace with a config that names none means this machine";
  ASSERT_TRUE(execute("update execution_workspaces set metadata = :1", RawJson(std::string("{}"))).ok());
  EXPECT_EQ(chosen(ticket), three);
}

TEST_P(Selection, A_run_whose_adapter_cannot_work_there_fails_and_does_not_run_here) {
  const auto ssh = environment("box");
  ASSERT_TRUE(execute("update agents set default_environment_id = :1, adapter_type = 'http' where id = :2", ssh, agent_.id).ok());
  wake(agent_.id, request());
  EXPECT_TRUE(claim(agent_.id).empty());
  const auto failed = runs("failed");
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_THAT(failed[0].error.value_or(""), ::testing::HasSubstr("cannot run in environment \"box\" (ssh)"));
  EXPECT_EQ(value<std::int64_t>("select count(*) from environment_leases"), 0);
}

TEST_P(Selection, First_runs_of_one_agent_at_the_same_time_all_count) {
  agent_ = hire("Many", R"({"heartbeat":{"maxConcurrentRuns":8}})");
  for (int n = 0; n < 6; ++n) wake(agent_.id, about(open_issue(IssueStatus::todo, agent_.id), "issue_assigned"));
  const auto claimed = claim(agent_.id);
  ASSERT_EQ(claimed.size(), 6u);
  std::vector<std::thread> threads;
  for (const auto& run : claimed) threads.emplace_back([&, run] {
      // As the engine does when the database is too busy.
      auto done = finish(run);
      for (int attempt = 0; attempt < 10 && !done; ++attempt) done = finish(run);
      EXPECT_TRUE(done.ok()) << done.error().message;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(runs("succeeded").size(), 6u);
  EXPECT_EQ(value<std::int64_t>("select count(*) from agent_runtime_state"), 1);
  EXPECT_EQ(value<std::int64_t>("select count(*) from environment_leases where status = 'released'"), 6);
}

ON_BOTH_ENGINES(Selection);

}  // namespace
}  // namespace paperclip::domain
