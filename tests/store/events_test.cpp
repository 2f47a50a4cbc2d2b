#include <atomic>
#include <mutex>
#include <thread>

#include <boost/json/parse.hpp>

#include "both_engines.h"

namespace paperclip::store {
namespace {

using namespace std::chrono_literals;

class Events : public test::BothEngines {
 protected:
  void SetUp() override {
    BothEngines::SetUp();
    if (!IsSkipped()) open("create table counters (n {bigint} not null){strict}; insert into counters values (0);");
  }
  Result<void> emit(std::string type, std::optional<CompanyId> company = {}) {
    return database_->write([&](Transaction& tx) -> Result<void> {
      tx.emit({.company_id = company, .type = type});
      return {};
    });
  }
};
ON_BOTH_ENGINES(Events);

TEST_P(Events, An_event_is_delivered_after_its_commit_with_everything_filled_in) {
  const CompanyId company = Random::system().id<CompanyId>();
  std::vector<Event> seen;
  bool committed = false;
  database_->subscribe([&](const Event& event) {
    committed = database_->read([](Reader& r) { return r.value<int>("select count(*) from events") == 1; });
    seen.push_back(event);
  });
  const auto before = Clock::system().now();
  ASSERT_TRUE(
      database_
          ->write([&](Transaction& tx) -> Result<void> {
            tx.emit({.company_id = company, .type = "issue.updated", .payload = RawJson(std::string(R"({"a":1})"))});
            return {};
          })
          .ok());
  ASSERT_TRUE(database_->wait_delivered(10s));
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_TRUE(committed);
  EXPECT_GT(seen[0].sequence, 0);
  EXPECT_EQ(seen[0].company_id, company);
  EXPECT_EQ(seen[0].type, "issue.updated");
  EXPECT_EQ(seen[0].payload.parse(), boost::json::parse(R"({"a":1})"));
  EXPECT_GE(seen[0].created_at, before);
  EXPECT_EQ(seen[0].origin, database_->origin());
  const auto stored = database_->read([](Reader& r) { return events_after(r, 0, 10); });
  ASSERT_EQ(stored.size(), 1u);
  EXPECT_EQ(stored[0].sequence, seen[0].sequence);
}

// Each rule counts up and emits what it counted, so the events must arrive exactly in counting order.
TEST_P(Events, Concurrent_writers_events_arrive_in_commit_order) {
  std::vector<std::int64_t> counts, sequences;
  database_->subscribe([&](const Event& event) {
    counts.push_back(event.payload.parse().to_number<std::int64_t>());
    sequences.push_back(event.sequence);
  });
  constexpr int threads = 6, each = 20;
  std::atomic<int> failures = 0;
  std::vector<std::jthread> workers;
  for (int t = 0; t < threads; ++t)
    workers.emplace_back([&] {
      for (int i = 0; i < each; ++i) {
        const auto result = database_->write([](Transaction& tx) -> Result<void> {
          const auto n = *tx.value<std::int64_t>("update counters set n = n + 1 returning n");
          tx.emit({.type = "counted", .payload = RawJson(json::value(n))});
          return {};
        });
        if (!result.ok()) ++failures;
      }
    });
  workers.clear();
  ASSERT_EQ(failures, 0);
  ASSERT_TRUE(database_->wait_delivered(20s));
  ASSERT_EQ(counts.size(), std::size_t(threads * each));
  for (std::size_t i = 0; i < counts.size(); ++i) EXPECT_EQ(counts[i], static_cast<std::int64_t>(i) + 1);
  EXPECT_TRUE(std::ranges::is_sorted(sequences));
}

TEST_P(Events, A_subscriber_that_throws_harms_nobody) {
  int seen = 0;
  database_->subscribe([](const Event&) { throw std::runtime_error("on purpose"); });
  database_->subscribe([&](const Event&) { ++seen; });
  ASSERT_TRUE(emit("a").ok());
  ASSERT_TRUE(emit("b").ok());
  ASSERT_TRUE(database_->wait_delivered(10s));
  EXPECT_EQ(seen, 2);
  EXPECT_EQ(database_->statistics().events_delivered, 2u);
}

TEST_P(Events, A_client_resumes_from_a_number) {
  const auto a = Random::system().id<CompanyId>(), b = Random::system().id<CompanyId>();
  ASSERT_TRUE(emit("1", a).ok());
  ASSERT_TRUE(emit("2", b).ok());
  ASSERT_TRUE(emit("3").ok());
  ASSERT_TRUE(emit("4", a).ok());
  const auto types = [](const std::vector<Event>& events) {
    std::string all;
    for (const auto& event : events) all += event.type;
    return all;
  };
  database_->read([&](Reader& r) {
    const auto all = events_after(r, 0, 10);
    EXPECT_EQ(types(all), "1234");
    EXPECT_EQ(last_event(r), all.back().sequence);
    EXPECT_EQ(types(events_after(r, all[1].sequence, 10)), "34");
    EXPECT_EQ(types(events_after(r, 0, 2)), "12");
    EXPECT_EQ(types(events_after(r, a, 0, 10)), "134");
    EXPECT_EQ(types(events_after(r, b, all[1].sequence, 10)), "3");
    return 0;
  });
}

TEST_P(Events, Pruning_keeps_the_newest_and_numbers_never_come_again) {
  for (const char* type : {"1", "2", "3"}) ASSERT_TRUE(emit(type).ok());
  const auto last = database_->read([](Reader& r) { return last_event(r); });
  const auto pruned = database_->write([](Transaction& tx) -> Result<std::int64_t> {
    EXPECT_EQ(prune_events(tx, tx.now() - 1h), 0);
    return prune_events(tx, tx.now() + 1h, 1) + prune_events(tx, tx.now() + 1h);
  });
  EXPECT_EQ(*pruned, 2);
  EXPECT_EQ(database_->read([](Reader& r) { return last_event(r); }), last);
  EXPECT_EQ(database_->read([](Reader& r) { return oldest_event(r); }), last);
  ASSERT_TRUE(database_
                  ->write([](Transaction& tx) -> Result<void> {
                    tx.execute("delete from events");
                    return {};
                  })
                  .ok());
  ASSERT_TRUE(emit("4").ok());
  EXPECT_GT(database_->read([](Reader& r) { return last_event(r); }), last);
}

TEST_P(Events, A_reopened_database_delivers_only_what_is_new) {
  ASSERT_TRUE(emit("old").ok());
  const auto first_origin = database_->origin();
  open("create table counters (n {bigint} not null){strict}; insert into counters values (0);");
  std::vector<std::string> seen;
  database_->subscribe([&](const Event& event) { seen.push_back(event.type); });
  ASSERT_TRUE(emit("new").ok());
  ASSERT_TRUE(database_->wait_delivered(10s));
  EXPECT_EQ(seen, std::vector<std::string>{"new"});
  EXPECT_NE(database_->origin(), first_origin);
}

TEST_P(Events, Another_server_on_the_same_postgresql_hears_them_too) {
  if (sqlite()) GTEST_SKIP() << "one server per SQLite file";
  auto other = std::move(*Database::open(
      options({{2, "test", "create table counters (n {bigint} not null){strict}; insert into counters values (0);"}})));
  std::vector<std::string> seen;
  other->subscribe([&](const Event& event) {
    seen.push_back(event.type + (event.origin == other->origin() ? " own" : " foreign"));
  });
  ASSERT_TRUE(emit("a").ok());
  ASSERT_TRUE(other
                  ->write([](Transaction& tx) -> Result<void> {
                    tx.emit({.type = "b"});
                    return {};
                  })
                  .ok());
  ASSERT_TRUE(other->wait_delivered(10s));
  EXPECT_EQ(seen, (std::vector<std::string>{"a foreign", "b own"}));
}

TEST_P(Events, A_restarted_postgresql_loses_no_event) {
  if (sqlite()) GTEST_SKIP();
  std::mutex mutex;
  std::vector<std::string> seen;
  database_->subscribe([&](const Event& event) {
    const std::lock_guard lock(mutex);
    seen.push_back(event.type);
  });
  ASSERT_TRUE(emit("before").ok());
  test::ThrowawayPostgres::get()->restart();
  // All pooled sessions are dead: a read and a write find that out and go on with fresh ones.
  EXPECT_TRUE(database_->read([](Reader& r) { return r.exists("select 1"); }));
  const auto result = emit("after");
  ASSERT_TRUE(result.ok()) << result.error().message;
  ASSERT_TRUE(database_->wait_delivered(20s));
  const std::lock_guard lock(mutex);
  EXPECT_EQ(seen, (std::vector<std::string>{"before", "after"}));
}

}  // namespace
}  // namespace paperclip::store
