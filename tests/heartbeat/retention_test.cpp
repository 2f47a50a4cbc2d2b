#include <sys/stat.h>

#include <fstream>

#include "domain/plugins/state.h"
#include "engine_fixture.h"
#include "heartbeat/retention.h"

/// What only grows is deleted when it is old, and nothing else.
namespace paperclip::heartbeat {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class OldRunLogs : public ::testing::Test {
 protected:
  fs::path log(const std::string& agent, RunId run, std::chrono::hours age, const std::string& ending = ".ndjson") {
    const fs::path file = base_.path() / "company" / agent / (run.str() + ending);
    fs::create_directories(file.parent_path());
    std::ofstream(file) << "{}\n";
    fs::last_write_time(file, fs::file_time_type::clock::now() - age);
    return file;
  }
  static RunId run() { return Random::system().id<RunId>(); }
  const std::chrono::system_clock::time_point before_ = std::chrono::system_clock::now() - std::chrono::hours(48);
  os::TemporaryDirectory base_ = *os::TemporaryDirectory::create();
};

TEST_F(OldRunLogs, Only_old_logs_of_runs_that_are_over_go) {
  const RunId live = run();
  const auto old = log("a", run(), std::chrono::hours(49)), fresh = log("a", run(), std::chrono::hours(47));
  const auto silent = log("a", live, std::chrono::hours(500)), strange = log("a", run(), std::chrono::hours(500), ".txt");
  EXPECT_EQ(delete_old_run_logs(base_.path(), before_, [&](RunId id) { return id == live; }), 1);
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(fresh));
  EXPECT_TRUE(fs::exists(silent)) << "its run lives and may still speak";
  EXPECT_TRUE(fs::exists(strange)) << "not ours";
}

TEST_F(OldRunLogs, Empty_directories_go_too_and_a_link_leads_nowhere) {
  const auto old = log("gone", run(), std::chrono::hours(49));
  const auto outside = base_.path() / "outside";
  std::ofstream(outside) << "precious";
  fs::create_directories(base_.path() / "company" / "linked");
  fs::create_symlink(outside, base_.path() / "company" / "linked" / (run().str() + ".ndjson"));
  EXPECT_EQ(delete_old_run_logs(base_.path(), before_, [](RunId) { return false; }), 1);
  EXPECT_FALSE(fs::exists(old.parent_path()));
  EXPECT_TRUE(fs::exists(outside));
}

TEST_F(OldRunLogs, A_portion_at_a_time) {
  for (int i = 0; i < 5; ++i) log("a", run(), std::chrono::hours(49));
  EXPECT_EQ(delete_old_run_logs(base_.path(), before_, [](RunId) { return false; }, 3), 3);
  EXPECT_EQ(delete_old_run_logs(base_.path(), before_, [](RunId) { return false; }, 3), 2);
}

using OldRows = test::Running;

TEST_P(OldRows, A_tick_prunes_events_and_plugin_logs_and_a_run_outlives_its_log) {
  const auto agent = worker("echo", "echo hello");
  const auto id = start(agent.id);
  ASSERT_TRUE(reaches(id, domain::RunStatus::succeeded));
  ASSERT_TRUE(engine_->wait_idle(Deadline::in(5s)));
  const auto figures = engine_->figures();
  EXPECT_EQ(figures.ended.at(domain::RunStatus::succeeded), 1u);
  EXPECT_EQ(figures.claim_latency.total(), 1u);
  EXPECT_EQ(figures.log_bytes, static_cast<std::uint64_t>(*run(id).log_bytes));
  EXPECT_EQ(figures.heard_event, database_->read([](store::Reader& reader) { return store::last_event(reader); }));
  EXPECT_EQ(figures.live, 0);

  const Timestamp old = Clock::system().now() - std::chrono::hours(24 * 8);
  ASSERT_TRUE(execute("update events set created_at = :1 where sequence = 1", old).ok());
  ASSERT_EQ(value<std::int64_t>("select count(*) from events where sequence = 1"), 1);
  const auto plugin = fresh<PluginId>();
  ASSERT_TRUE(execute("insert into plugins (id, plugin_key, package_name, version, manifest_json, installed_at, updated_at) values (:1, 'k', 'p', '1', :2, :3, :3)",
                      plugin, RawJson("{}"), old).ok());
  for (const Timestamp at : {old, Clock::system().now()})
    ASSERT_TRUE(execute("insert into plugin_logs (id, plugin_id, message, created_at) values (:1, :2, 'said', :3)", fresh<AnyId>(), plugin, at).ok());
  const auto log = place_.path() / "logs" / *run(id).log_ref;
  fs::last_write_time(log, fs::file_time_type::clock::now() - std::chrono::hours(24 * 91));
  engine_->tick();
  EXPECT_EQ(value<std::int64_t>("select count(*) from events where sequence = 1"), 0);
  EXPECT_EQ(value<std::int64_t>("select count(*) from plugin_logs"), 1);
  EXPECT_FALSE(fs::exists(log));
  EXPECT_EQ(run(id).status, domain::RunStatus::succeeded);
  const auto read = read_run_log(place_.path() / "logs", *run(id).log_ref, 0, 1000);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().message, "Run log not found");
}

INSTANTIATE_TEST_SUITE_P(Database, OldRows, ::testing::Values(store::Engine::sqlite), test::engine_name);

}  // namespace
}  // namespace paperclip::heartbeat
