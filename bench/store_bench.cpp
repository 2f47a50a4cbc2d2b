// The database layer alone: what one statement, one list and one commit cost. Each SQLite database is a file in a
// temporary directory with synchronous=FULL, as in the server. See MEASURED in docs for the raw C API beside it.
#include <benchmark/benchmark.h>
#include <stdlib.h>
#include <boost/describe/class.hpp>

#include <atomic>
#include <filesystem>
#include <memory>
#include <stdexcept>

#include "store/database.h"

namespace {

using namespace paperclip;
using namespace paperclip::store;

/// As wide as an issue on the wire.
struct WideRow {
  IssueId id;
  CompanyId company_id;
  std::string title, description, status, priority, kind;
  std::optional<AgentId> assignee_id, created_by_id;
  std::optional<ProjectId> project_id;
  std::optional<GoalId> goal_id;
  std::optional<IssueId> parent_id;
  std::int64_t number = 0, position = 0;
  bool archived = false, pinned = false;
  RawJson settings, labels;
  std::optional<std::string> t1, t2, t3, t4, t5, t6, t7, t8;
  std::optional<Timestamp> started_at, completed_at, cancelled_at, due_at;
  std::optional<std::int64_t> n1, n2, n3, n4;
  std::optional<double> d1, d2;
  std::string s1, s2;
  Timestamp created_at, updated_at;
};
BOOST_DESCRIBE_STRUCT(WideRow, (),
                      (id, company_id, title, description, status, priority, kind, assignee_id, created_by_id,
                       project_id, goal_id, parent_id, number, position, archived, pinned, settings, labels, t1, t2, t3,
                       t4, t5, t6, t7, t8, started_at, completed_at, cancelled_at, due_at, n1, n2, n3, n4, d1, d2, s1,
                       s2, created_at, updated_at))

constexpr const char* schema = R"(
  create table wide (id {id} primary key not null, company_id {id} not null, title {text} not null, description {text} not null,
    status {text} not null, priority {text} not null, kind {text} not null, assignee_id {id}, created_by_id {id}, project_id {id},
    goal_id {id}, parent_id {id}, number {bigint} not null, position {bigint} not null, archived {bool} not null,
    pinned {bool} not null, settings {json} not null, labels {json} not null, t1 {text}, t2 {text}, t3 {text}, t4 {text}, t5 {text},
    t6 {text}, t7 {text}, t8 {text}, started_at {timestamp}, completed_at {timestamp}, cancelled_at {timestamp}, due_at {timestamp},
    n1 {bigint}, n2 {bigint}, n3 {bigint}, n4 {bigint}, d1 {double}, d2 {double}, s1 {text} not null, s2 {text} not null,
    created_at {timestamp} not null, updated_at {timestamp} not null){strict};
  create table small (id {id} primary key not null, run_id {id} not null, body {text} not null, at {timestamp} not null){strict};
  create table counter (n {bigint} not null){strict};
  insert into counter values (0);
)";

struct SmallRow {
  AnyId id;
  RunId run_id;
  std::string body;
  Timestamp at;
};
BOOST_DESCRIBE_STRUCT(SmallRow, (), (id, run_id, body, at))

/// A database in a directory that goes with it.
class Scratch {
 public:
  Scratch() {
    // Where the server's data would be: on a disk, /tmp may be memory.
    const char* base = std::getenv("PAPERCLIP_BENCH_DIRECTORY");
    std::string pattern = (std::filesystem::path(base ? base : "/var/tmp") / "paperclip-bench-XXXXXX").string();
    if (!mkdtemp(pattern.data())) throw std::runtime_error("no temporary directory");
    directory_ = pattern;
    const char* url = std::getenv("PAPERCLIP_BENCH_POSTGRES");
    OpenOptions options;
    if (url)
      options.where = PostgresUrl{url};
    else
      options.where = SqliteFile{(directory_ / "bench.db").string()};
    options.migrations = {{2, "bench", schema}};
    auto opened = Database::open(std::move(options));
    if (!opened.ok()) throw std::runtime_error(opened.error().message);
    database_ = std::move(*opened);
  }
  ~Scratch() {
    database_.reset();
    std::filesystem::remove_all(directory_);
  }
  Database& operator*() { return *database_; }
  Database* operator->() { return database_.get(); }

 private:
  std::filesystem::path directory_;
  std::unique_ptr<Database> database_;
};

SmallRow small_row() {
  return {Random::system().id<AnyId>(), Random::system().id<RunId>(),
          "a comment of an ordinary length, one or two sentences", Timestamp{1}};
}

WideRow wide_row(int i) {
  WideRow row;
  row.id = Random::system().id<IssueId>();
  row.title = "Issue number " + std::to_string(i) + " with a title of some length";
  row.description = std::string(300, 'd');
  row.status = "in_progress";
  row.priority = "medium";
  row.kind = "task";
  row.assignee_id = Random::system().id<AgentId>();
  row.number = i;
  row.settings = RawJson(std::string(R"({"mode":"auto","limits":{"turns":20}})"));
  row.labels = RawJson(std::string(R"(["bug","ui"])"));
  row.t1 = "some text";
  row.t2 = "more text that does not fit a short string";
  row.started_at = Timestamp{1770000000000};
  row.n1 = 7;
  row.d1 = 0.5;
  row.created_at = row.updated_at = Timestamp{1770000000123};
  return row;
}

void must(const Result<void>& result) {
  if (!result.ok()) throw std::runtime_error(result.error().message);
}

void insert_kept(benchmark::State& state) {
  Scratch database;
  std::vector<SmallRow> rows;
  for (int i = 0; i < 1000; ++i) rows.push_back(small_row());
  for (auto _ : state)
    (void)database->write([&](Transaction& tx) -> Result<void> {
      for (const auto& row : rows) tx.insert("small", row);
      return conflict("rolled back, so that each round is like the first");
    });
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(insert_kept)->UseRealTime()->Unit(benchmark::kMillisecond);

void select_one_row_kept(benchmark::State& state) {
  Scratch database;
  const auto row = small_row();
  must(database->write([&](Transaction& tx) -> Result<void> {
    tx.insert("small", row);
    return {};
  }));
  database->read([&](Reader& reader) {
    for (auto _ : state) benchmark::DoNotOptimize(reader.one<SmallRow>("select {} from small where id = :1", row.id));
    return 0;
  });
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(select_one_row_kept)->Unit(benchmark::kMicrosecond);

void read_one_row_in_a_snapshot(benchmark::State& state) {
  Scratch database;
  const auto row = small_row();
  must(database->write([&](Transaction& tx) -> Result<void> {
    tx.insert("small", row);
    return {};
  }));
  for (auto _ : state)
    benchmark::DoNotOptimize(database->read(
        [&](Reader& reader) { return reader.one<SmallRow>("select {} from small where id = :1", row.id); }));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(read_one_row_in_a_snapshot)->Unit(benchmark::kMicrosecond);

void select_1000_by_40(benchmark::State& state) {
  Scratch database;
  must(database->write([&](Transaction& tx) -> Result<void> {
    for (int i = 0; i < 1000; ++i) tx.insert("wide", wide_row(i));
    return {};
  }));
  const bool streamed = state.range(0) == 1;
  database->read([&](Reader& reader) {
    for (auto _ : state) {
      std::size_t size = 0;
      if (streamed)
        reader.each<WideRow>(
            "select {} from wide order by number limit :1", [&](const WideRow& row) { size += row.title.size(); },
            1000);
      else
        size = reader.all<WideRow>("select {} from wide order by number limit :1", 1000).size();
      benchmark::DoNotOptimize(size);
    }
    return 0;
  });
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(select_1000_by_40)->ArgName("streamed")->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

/// Three statements, as a comment or a checkout would make, and an event.
Result<void> ordinary_rule(Transaction& tx) {
  const auto row = small_row();
  (void)tx.one<SmallRow>("select {} from small where id = :1", row.id);
  tx.insert("small", row);
  tx.execute("update small set at = :2 where id = :1", row.id, tx.now());
  tx.emit({.type = "comment.created"});
  return {};
}

std::unique_ptr<Scratch> shared;

void group_commit(benchmark::State& state) {
  for (auto _ : state) must((*shared)->write(ordinary_rule));
  state.SetItemsProcessed(state.iterations());
  if (state.thread_index() == 0) {
    const auto counted = (*shared)->statistics();
    state.counters["rules_per_commit"] = double(counted.rules) / double(std::max<std::uint64_t>(1, counted.commits));
  }
}
BENCHMARK(group_commit)
    ->Setup([](const benchmark::State&) { shared = std::make_unique<Scratch>(); })
    ->Teardown([](const benchmark::State&) { shared.reset(); })
    ->Threads(1)
    ->Threads(16)
    ->Threads(64)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
