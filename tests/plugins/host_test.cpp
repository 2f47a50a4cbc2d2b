#include <signal.h>

#include "domain/activity/activity.h"
#include "domain/plugins/jobs.h"
#include "domain/secrets/secrets.h"
#include "host_fixture.h"

namespace paperclip::test {
namespace {

using namespace std::chrono_literals;
using domain::PluginStatus;

class PluginHostTest : public HostTest {};

TEST_P(PluginHostTest, A_plugin_that_is_installed_again_keeps_id_configuration_and_state) {
  const auto path = package("keeper", R"("capabilities":["plugin.state.read","plugin.state.write"])", "");
  const auto first = install(path);
  ASSERT_TRUE(first.ok()) << first.error().message;
  EXPECT_EQ(first->status, PluginStatus::ready);
  EXPECT_EQ(install(path).error().message, "Plugin already installed: test.keeper");
  ASSERT_TRUE(host_->save_config(*first, {{"a", 1}}, domain::Author::system("test")).ok());
  EXPECT_EQ(to_string(call(*first, "config")), R"({"a":1})") << "it was told";
  ask(*first, "state.set", {{"scopeKind", "instance"}, {"stateKey", "k"}, {"value", nullptr}});
  ask(*first, "state.set", {{"scopeKind", "instance"}, {"scopeId", ""}, {"stateKey", "l"}, {"value", {{"deep", {1, 2}}}}});
  ASSERT_TRUE(host_->uninstall(row(first->id), false, domain::Author::system("test")).ok());
  EXPECT_EQ(row(first->id).status, PluginStatus::uninstalled);
  EXPECT_FALSE(host_->diagnostics(first->id));
  const auto again = install(path);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(again->id, first->id);
  EXPECT_EQ(to_string(call(*again, "config")), R"({"a":1})");
  EXPECT_EQ(to_string(ask(*again, "state.get", {{"scopeKind", "instance"}, {"stateKey", "l"}})), R"({"result":{"deep":[1,2]}})");
  EXPECT_EQ(to_string(ask(*again, "state.get", {{"scopeKind", "instance"}, {"stateKey", "none"}})), R"({"result":null})");
  ASSERT_TRUE(host_->uninstall(row(first->id), true, domain::Author::system("test")).ok());
  EXPECT_FALSE(database_->read([&](store::Reader& reader) { return reader.exists("select 1 from plugin_state"); })) << "purged";
}

TEST_P(PluginHostTest, A_plugin_that_cannot_start_is_in_error_and_can_be_tried_again) {
  const auto path = package("broken", R"("capabilities":["events.emit"])", "process.stderr.write('it is broken\\n'); process.exit(4);");
  const auto failed = install(path);
  ASSERT_FALSE(failed.ok());
  EXPECT_TRUE(failed.error().message.starts_with("Activation failed: Worker initialize failed for")) << failed.error().message;
  const auto stored = database_->read([](store::Reader& reader) { return *domain::find_plugin(reader, "test.broken"); });
  EXPECT_EQ(stored.status, PluginStatus::error);
  EXPECT_EQ(stored.last_error, failed.error().message);
  EXPECT_NE(stored.last_error->find("it is broken"), std::string::npos);
  std::ofstream(path + "/worker.js") << prelude;
  const auto enabled = host_->enable(stored, {}, domain::Author::system("test"));
  ASSERT_TRUE(enabled.ok()) << enabled.error().message;
  EXPECT_FALSE(enabled->last_error);
}

TEST_P(PluginHostTest, A_server_that_starts_again_starts_its_ready_plugins) {
  const auto plugin = install(package("back", R"("capabilities":["events.emit"])", ""));
  ASSERT_TRUE(plugin.ok()) << plugin.error().message;
  host_->stop();
  EXPECT_EQ(row(plugin->id).status, PluginStatus::ready);
  host_.reset();
  start_host();
  EXPECT_TRUE(wait_for([&] { return host_->diagnostics(plugin->id) && host_->diagnostics(plugin->id)->status == plugins::WorkerStatus::running; }));
}

TEST_P(PluginHostTest, Every_method_without_its_capability_is_refused) {
  const auto plugin = install(package("bare", R"("capabilities":["ui.page.register"])", ""));
  ASSERT_TRUE(plugin.ok()) << plugin.error().message;
  int gated = 0;
  for (const char* method :
       {"state.get", "state.set", "state.delete", "events.emit", "events.subscribe", "http.fetch", "secrets.resolve", "activity.log", "metrics.write", "telemetry.track", "companies.list",
        "companies.get", "projects.list", "projects.get", "projects.listWorkspaces", "projects.getPrimaryWorkspace", "projects.getWorkspaceForIssue", "issues.list", "issues.get",
        "issues.create", "issues.update", "issues.relations.get", "issues.relations.setBlockedBy", "issues.relations.addBlockers", "issues.relations.removeBlockers",
        "issues.requestWakeup", "issues.requestWakeups", "issues.listComments", "issues.createComment", "issues.createInteraction", "issues.documents.list", "issues.documents.get",
        "issues.documents.upsert", "issues.documents.delete", "agents.list", "agents.get", "agents.pause", "agents.resume", "agents.invoke", "goals.list", "goals.get", "goals.create",
        "goals.update", "issues.assertCheckoutOwner", "issues.getSubtree", "issues.summaries.getOrchestration", "db.namespace", "db.query", "db.execute"}) {
    const auto answer = ask(*plugin, method, {{"companyId", company_.view()}, {"issueId", company_.view()}, {"scopeKind", "instance"}, {"stateKey", "x"}, {"value", 1}});
    EXPECT_EQ(answer.as_object().if_contains("code") ? to_string(answer.at("code")) : "none", "-32001") << method << " " << to_string(answer);
    ++gated;
  }
  EXPECT_EQ(gated, 49);
  EXPECT_TRUE(asked_.empty()) << "nothing reached the API";
  EXPECT_FALSE(database_->read([](store::Reader& reader) { return reader.exists("select 1 from plugin_state"); }));
  EXPECT_EQ(to_string(ask(*plugin, "config.get")), R"({"result":{}})");
  const auto unknown = ask(*plugin, "nobody.knows");
  EXPECT_EQ(to_string(unknown.at("code")), "-32601");
  EXPECT_EQ(unknown.at("message").as_string(), "Host does not handle method \"nobody.knows\"");
}

TEST_P(PluginHostTest, Reads_go_to_the_api_as_the_plugin_and_a_missing_entity_is_null) {
  const auto plugin = install(package("reader", R"("capabilities":["issues.read"])", ""));
  ASSERT_TRUE(plugin.ok()) << plugin.error().message;
  EXPECT_EQ(to_string(ask(*plugin, "issues.get", {{"companyId", company_.view()}, {"issueId", "i"}})), R"({"result":null})");
  EXPECT_EQ(asked_, (std::vector<std::string>{"GET /api/issues/i as test.reader"}));
  EXPECT_EQ(ask(*plugin, "issues.get", {{"issueId", "i"}}).at("message").as_string(), "companyId is required for this operation");
}

TEST_P(PluginHostTest, An_event_reaches_a_subscriber_once_and_again_after_a_crash) {
  const auto plugin = install(package("listener", R"("capabilities":["events.subscribe","events.emit"])",
                                      R"js(const start = on.initialize; on.initialize = async (p) => { const r = start(p);
    for (const eventPattern of ["issue.*", "issue.comment.created", "plugin.*"]) await ask("events.subscribe", { eventPattern, filter: { companyId: p.config.company ?? null } });
    return r; };)js"));
  ASSERT_TRUE(plugin.ok()) << plugin.error().message;
  const auto happen = [&](const char* action) {
    write([&](store::Transaction& tx) { domain::log_activity(tx, company_, domain::Author::system("test"), {action, "issue", company_.str(), json::value{{"x", 1}}}); });
    EXPECT_TRUE(database_->wait_delivered(30s));
  };
  happen("issue.comment_added");
  happen("issue.not_an_event");
  const auto events = [&] { return call(*plugin, "events").as_array(); };
  ASSERT_TRUE(wait_for([&] { return !events().empty(); }));
  EXPECT_EQ(events().size(), 1u) << "two subscriptions fit, one notification";
  EXPECT_EQ(events()[0].at("eventType").as_string(), "issue.comment.created");
  EXPECT_EQ(to_string(events()[0].at("payload")), R"({"x":1,"agentId":null,"runId":null})");
  EXPECT_EQ(to_string(ask(*plugin, "events.emit", {{"name", "done"}, {"companyId", company_.view()}, {"payload", {{"y", 2}}}})), R"({"result":null})");
  ASSERT_TRUE(wait_for([&] { return events().size() == 2; }));
  EXPECT_EQ(events()[1].at("eventType").as_string(), "plugin.test.listener.done");
  ::kill(*host_->diagnostics(plugin->id)->pid, SIGKILL);
  ASSERT_TRUE(wait_for([&] { return host_->diagnostics(plugin->id)->total_crashes == 1 && host_->diagnostics(plugin->id)->status == plugins::WorkerStatus::running; }));
  EXPECT_EQ(row(plugin->id).status, PluginStatus::ready);
  happen("issue.updated");
  ASSERT_TRUE(wait_for([&] { return !events().empty(); }));
  EXPECT_EQ(events().size(), 1u);
}

TEST_P(PluginHostTest, Only_secrets_that_the_configuration_names_are_resolved) {
  const auto plugin = install(package("secretive", R"("capabilities":["secrets.read-ref"],"instanceConfigSchema":{"type":"object","properties":{"key":{"type":"string","format":"secret-ref"}}})", ""));
  ASSERT_TRUE(plugin.ok()) << plugin.error().message;
  SecretId named, other;
  write([&](store::Transaction& tx) {
    const auto scope = domain::CompanyScope::internal(company_);
    named = *domain::create_secret(tx, scope, {"named", std::nullopt, vault_->seal(SecretText(std::string("canary"))), sha256_hex("canary")});
    other = *domain::create_secret(tx, scope, {"other", std::nullopt, vault_->seal(SecretText(std::string("hidden"))), sha256_hex("hidden")});
  });
  ASSERT_TRUE(host_->save_config(*plugin, {{"key", named.view()}, {"elsewhere", other.view()}}, domain::Author::system("test")).ok());
  EXPECT_EQ(to_string(ask(*plugin, "secrets.resolve", {{"secretRef", named.view()}})), R"({"result":"canary"})");
  EXPECT_EQ(ask(*plugin, "secrets.resolve", {{"secretRef", other.view()}}).at("message").as_string(), "Secret not found: " + other.str());
  EXPECT_EQ(ask(*plugin, "secrets.resolve", {{"secretRef", "x"}}).at("message").as_string(), "Invalid secret reference: x");
  for (int attempt = 4; attempt <= 30; ++attempt) ask(*plugin, "secrets.resolve", {{"secretRef", "x"}});
  EXPECT_EQ(ask(*plugin, "secrets.resolve", {{"secretRef", named.view()}}).at("message").as_string(), "Rate limit exceeded for secret resolution");
}

TEST_P(PluginHostTest, The_worker_sees_five_variables_and_those_the_board_confirmed) {
  host_->stop();
  host_.reset();
  environment_.emplace_back("E2B_API_KEY", "from-the-host");
  environment_.emplace_back("OTHER_KEY", "never");
  start_host();
  const auto path = package("wanting", R"("capabilities":["events.emit"],"hostVariables":["E2B_API_KEY"])", "");
  EXPECT_EQ(install(path, {"OTHER_KEY"}).error().message, "Plugin test.wanting does not ask for the host variable OTHER_KEY");
  const auto plugin = install(path);
  ASSERT_TRUE(plugin.ok()) << plugin.error().message;
  EXPECT_EQ(to_string(call(*plugin, "environment")), R"(["NODE_ENV","NODE_PATH","PAPERCLIP_PLUGIN_ID","PATH","TZ"])") << "wanted, not confirmed";
  ASSERT_TRUE(host_->disable(row(plugin->id), std::nullopt, domain::Author::system("test")).ok());
  ASSERT_TRUE(host_->enable(row(plugin->id), {"E2B_API_KEY"}, domain::Author::system("test")).ok());
  EXPECT_EQ(to_string(call(*plugin, "environment")), R"(["E2B_API_KEY","NODE_ENV","NODE_PATH","PAPERCLIP_PLUGIN_ID","PATH","TZ"])");
}

TEST_P(PluginHostTest, Jobs_run_when_due_and_by_hand_and_end_with_the_plugin) {
  const auto plugin = install(package("worker", R"("capabilities":["jobs.schedule"],"jobs":[{"jobKey":"often","displayName":"O","schedule":"* * * * *"},{"jobKey":"hand","displayName":"H"},
    {"jobKey":"never","displayName":"N"}])",
                                      R"js(on.runJob = (p) => { if (p.job.jobKey === "hand") throw new Error("no hand"); if (p.job.jobKey === "never") return new Promise(() => {}); return null; };)js"));
  ASSERT_TRUE(plugin.ok()) << plugin.error().message;
  const auto job = [&](const char* key) { return *database_->read([&](store::Reader& reader) { return reader.one<domain::PluginJob>("select {} from plugin_jobs where job_key = :1", key); }); };
  const auto last_run = [&](const char* key) {
    return database_->read([&](store::Reader& reader) { return reader.one<domain::PluginJobRun>("select {} from plugin_job_runs where job_id = :1 order by created_at desc limit 1", job(key).id); });
  };
  EXPECT_TRUE(job("often").next_run_at);
  EXPECT_FALSE(job("often").last_run_at) << "no date of 1970";
  EXPECT_FALSE(job("hand").next_run_at);
  const auto due = Clock::system().now() - 1s;
  write([&](store::Transaction& tx) { tx.execute("update plugin_jobs set next_run_at = :1 where job_key = 'often'", due); });
  ASSERT_TRUE(wait_for([&] { return last_run("often") && last_run("often")->status == domain::PluginJobRunStatus::succeeded; }));
  EXPECT_EQ(last_run("often")->trigger, domain::PluginJobTrigger::schedule);
  EXPECT_GT(*job("often").next_run_at, due);
  ASSERT_TRUE(host_->trigger_job(*plugin, job("hand").id).ok());
  ASSERT_TRUE(wait_for([&] { return last_run("hand")->status == domain::PluginJobRunStatus::failed; }));
  EXPECT_EQ(last_run("hand")->error, "no hand");
  ASSERT_TRUE(host_->trigger_job(*plugin, job("never").id).ok());
  EXPECT_EQ(host_->trigger_job(*plugin, job("never").id).error().message, "Job \"never\" already has a running execution — cannot trigger while in progress");
  ASSERT_TRUE(host_->disable(row(plugin->id), "enough", domain::Author::system("test")).ok());
  ASSERT_TRUE(wait_for([&] { return last_run("never")->status != domain::PluginJobRunStatus::running; }));
}

TEST_P(PluginHostTest, Log_lines_are_kept_and_cut) {
  const auto plugin = install(package("talker", R"("capabilities":["metrics.write"])",
                                      R"js(on.talk = () => { send({ method: "log", params: { level: "warn", message: "x".repeat(10001), meta: { pid: 1, kept: true } } }); return null; };)js"));
  ASSERT_TRUE(plugin.ok()) << plugin.error().message;
  call(*plugin, "talk");
  ask(*plugin, "metrics.write", {{"name", "count"}, {"value", 3}});
  host_->flush_logs();
  const auto rows = database_->read([](store::Reader& reader) { return reader.all<domain::PluginLog>("select {} from plugin_logs order by level"); });
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].level, "metric");
  EXPECT_EQ(to_string(rows[0].meta->parse().at("value")), "3");
  EXPECT_TRUE(rows[1].message.ends_with("...[truncated]"));
  EXPECT_EQ(to_string(rows[1].meta->parse()), R"({"kept":true})");
}

TEST_P(PluginHostTest, An_upgrade_that_wants_more_waits_for_approval_and_one_that_fails_changes_nothing) {
  const auto path = package("grower", R"("capabilities":["events.emit"])", "on.version = () => 1;");
  const auto plugin = install(path);
  ASSERT_TRUE(plugin.ok()) << plugin.error().message;
  package("grower", R"("capabilities":[])", "on.version = () => 2;");
  EXPECT_FALSE(host_->upgrade(row(plugin->id), std::nullopt, domain::Author::system("test")).ok());
  EXPECT_EQ(row(plugin->id).status, PluginStatus::ready);
  EXPECT_TRUE(host_->diagnostics(plugin->id)) << "the worker is back";
  package("grower", R"("capabilities":["events.emit","http.outbound"])", "on.version = () => 3;");
  const auto upgraded = host_->upgrade(row(plugin->id), std::nullopt, domain::Author::system("test"));
  ASSERT_TRUE(upgraded.ok()) << upgraded.error().message;
  EXPECT_EQ(upgraded->status, PluginStatus::upgrade_pending);
  EXPECT_FALSE(host_->diagnostics(plugin->id));
  ASSERT_TRUE(host_->enable(row(plugin->id), {}, domain::Author::system("test")).ok());
  EXPECT_EQ(to_string(call(*plugin, "version")), "3");
}

TEST_P(PluginHostTest, A_schema_of_its_own_exists_on_PostgreSQL_and_is_refused_on_SQLite) {
  const std::string schema = "plugin_test_needy_" + sha256_hex("test.needy").substr(0, 10);
  const auto path = package("needy", R"("capabilities":["database.namespace.migrate","database.namespace.read","database.namespace.write"],
    "database":{"migrationsDir":"migrations","coreReadTables":["companies"]})", "");
  std::filesystem::create_directories(path + "/migrations");
  std::ofstream(path + "/migrations/001.sql") << "create table " << schema << ".notes (id serial primary key, body text, big bigint, extra jsonb); -- a; b\n";
  const auto plugin = install(path);
  if (sqlite()) {
    ASSERT_FALSE(plugin.ok());
    EXPECT_NE(plugin.error().message.find("DATABASE_URL"), std::string::npos) << plugin.error().message;
    EXPECT_FALSE(database_->read([](store::Reader& reader) { return reader.exists("select 1 from plugins"); })) << "nothing half-installed";
    return;
  }
  ASSERT_TRUE(plugin.ok()) << plugin.error().message;
  EXPECT_EQ(call(*plugin, "initialized").at("databaseNamespace").as_string(), schema);
  const auto sql = [&](const char* method, const std::string& text, json::array params = {}) { return to_string(ask(*plugin, method, {{"sql", text}, {"params", params}})); };
  EXPECT_EQ(sql("db.execute", "insert into " + schema + ".notes (body, big, extra) values ($1, $2, $3)", {"it's", "9007199254740993", json::object{{"a", 1}}}), R"({"result":{"rowCount":1}})");
  EXPECT_EQ(sql("db.query", "select id, body, big, extra from " + schema + ".notes where body in $1", json::array(1, json::value(json::array{"it's", "x"}))),
            R"({"result":[{"id":1,"body":"it's","big":"9007199254740993","extra":{"a":1}}]})");
  // The tests' tables are in a schema of their own; a plugin names the usual one.
  write([](store::Transaction& tx) { tx.execute("create or replace view public.companies as select * from companies"); });
  EXPECT_EQ(sql("db.query", "select name from public.companies"), R"({"result":[{"name":"Ours"}]})");
  for (const char* refused : {"select * from public.agents", "select 1 from x.y", "delete from public.companies", "select 1; select 2", "select * from public.companies, public.agents"})
    EXPECT_NE(sql("db.query", refused).find("-32603"), std::string::npos) << refused;
  write([](store::Transaction& tx) { tx.execute("drop view public.companies"); });
  EXPECT_NE(sql("db.execute", "update public.companies set name = 'x'").find("must be inside plugin namespace"), std::string::npos);
  EXPECT_NE(sql("db.query", "select $2", {1}).find("has no matching parameter"), std::string::npos);

  // A second activation does nothing; a changed file is refused; a bad one is on record and nothing of it remains.
  const auto again = [&]() -> Result<domain::Plugin> {
    if (row(plugin->id).status == PluginStatus::ready) (void)host_->disable(row(plugin->id), std::nullopt, domain::Author::system("test"));
    return host_->enable(row(plugin->id), {}, domain::Author::system("test"));
  };
  EXPECT_TRUE(again().ok());
  std::ofstream(path + "/migrations/002.sql") << "create table " << schema << ".more (id int); create table public.evil (id int);";
  EXPECT_NE(again().error().message.find("public.evil"), std::string::npos);
  EXPECT_EQ(database_->read([](store::Reader& reader) { return reader.value<std::string>("select status from plugin_migrations where migration_key = '002.sql'"); }), "failed");
  EXPECT_FALSE(database_->read([&](store::Reader& reader) { return reader.exists("select 1 from information_schema.tables where table_schema = :1 and table_name = 'more'", schema); }));
  std::filesystem::remove(path + "/migrations/002.sql");
  EXPECT_TRUE(again().ok());
  std::ofstream(path + "/migrations/001.sql") << "create table " << schema << ".other (id int);";
  EXPECT_NE(again().error().message.find("Plugin migration checksum mismatch for 001.sql"), std::string::npos);
  ASSERT_TRUE(host_->uninstall(row(plugin->id), true, domain::Author::system("test")).ok());
  EXPECT_FALSE(database_->read([&](store::Reader& reader) { return reader.exists("select 1 from information_schema.schemata where schema_name = :1", schema); })) << "purged";
}

TEST_P(PluginHostTest, A_tarball_is_installed_into_the_plugin_directory_and_taken_out_again) {
  if (!os::resolve_command("npm", "/", os::value_in(os::own_environment(), "PATH"))) GTEST_SKIP() << "no npm";
  const auto path = package("packed", R"("capabilities":["events.emit"])", "");
  // An install script would leave a trace.
  std::ofstream(path + "/package.json") << R"({"name":"packed","version":"1.0.0","type":"module","scripts":{"postinstall":"touch )" << files_->path().string() << R"(/ran"}})";
  os::Command pack{{"npm", "pack", "--silent", "--pack-destination", files_->path().string()}, path, os::own_environment(), ""};
  const auto packed = os::run_command(pack, Deadline::in(120s));
  ASSERT_TRUE(packed.ok() && packed->ok()) << packed->stderr_text;
  const auto plugin = install((files_->path() / "packed-1.0.0.tgz").string());
  ASSERT_TRUE(plugin.ok()) << plugin.error().message;
  EXPECT_EQ(plugin->package_name, "packed");
  EXPECT_FALSE(plugin->package_path);
  const auto there = files_->path() / "plugins" / "node_modules" / "packed";
  EXPECT_TRUE(std::filesystem::is_regular_file(there / "worker.js"));
  EXPECT_FALSE(std::filesystem::exists(files_->path() / "ran")) << "no scripts at install";
  ASSERT_TRUE(host_->uninstall(row(plugin->id), false, domain::Author::system("test")).ok());
  EXPECT_FALSE(std::filesystem::exists(there));
}

INSTANTIATE_TEST_SUITE_P(Engines, PluginHostTest, ::testing::Values(store::Engine::sqlite, store::Engine::postgresql), engine_name);

}  // namespace
}  // namespace paperclip::test
