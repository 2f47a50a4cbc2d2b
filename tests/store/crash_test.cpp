#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <thread>

#include "both_engines.h"

namespace paperclip::store {
namespace {

constexpr const char* schema =
    "create table acknowledged (n {bigint} primary key not null, half {int} not null){strict};";

class Crash : public test::BothEngines {};
ON_BOTH_ENGINES(Crash);

/// Writes pairs of rows from four threads and says each number on the pipe once it is acknowledged; until it is killed.
[[noreturn]] void write_until_killed(const OpenOptions& options, int pipe) {
  auto opened = Database::open(options);
  if (!opened.ok()) _exit(1);
  Database& database = **opened;
  std::vector<std::thread> writers;
  for (int t = 0; t < 4; ++t)
    writers.emplace_back([&, t] {
      for (std::int64_t i = t;; i += 4) {
        const auto result = database.write([&](Transaction& tx) -> Result<void> {
          tx.execute("insert into acknowledged (n, half) values (:1, 1)", i * 2);
          tx.execute("insert into acknowledged (n, half) values (:1, 2)", i * 2 + 1);
          tx.emit({.type = "written"});
          return {};
        });
        if (result.ok() && ::write(pipe, &i, sizeof i) != sizeof i) _exit(2);
      }
    });
  for (auto& writer : writers) writer.join();
  _exit(0);
}

// kill -9 in the middle of writing: everything acknowledged is there, nothing is there by halves.
TEST_P(Crash, Acknowledged_writes_survive_kill_9) {
  open(schema);
  database_.reset();
  auto child_options = options({{2, "test", schema}});
  for (int round = 0; round < 3; ++round) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      close(ends[0]);
      write_until_killed(child_options, ends[1]);
    }
    close(ends[1]);
    std::set<std::int64_t> acknowledged;
    std::int64_t number = 0;
    while (acknowledged.size() < 200 && read(ends[0], &number, sizeof number) == sizeof number)
      acknowledged.insert(number);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    while (read(ends[0], &number, sizeof number) == sizeof number) acknowledged.insert(number);  // said before it died
    close(ends[0]);
    ASSERT_GE(acknowledged.size(), 200u);

    open(schema);
    database_->read([&](Reader& r) {
      std::set<std::int64_t> found;
      for (const auto n : r.column<std::int64_t>("select n from acknowledged")) found.insert(n);
      for (const auto i : acknowledged) {
        EXPECT_TRUE(found.contains(i * 2)) << i;
        EXPECT_TRUE(found.contains(i * 2 + 1)) << i;
      }
      for (const auto n : found) EXPECT_TRUE(found.contains(n ^ 1)) << "half of a rule: " << n;
      EXPECT_EQ(static_cast<std::size_t>(*r.value<std::int64_t>("select count(*) from events")) * 2, found.size());
      if (sqlite()) { EXPECT_EQ(r.value<std::string>("pragma integrity_check"), "ok"); }
      return 0;
    });
    ASSERT_TRUE(database_
                    ->write([](Transaction& tx) -> Result<void> {
                      tx.execute("delete from acknowledged");
                      tx.execute("delete from events");
                      return {};
                    })
                    .ok());
    database_.reset();
  }
}

// A disk that is full: SQLite may roll back the whole batch. Nobody is told a lie, and the database goes on.
TEST_P(Crash, A_full_disk_fails_with_a_clear_error_and_nothing_is_lost) {
  if (!sqlite()) GTEST_SKIP() << "needs a file of our own";
  open("create table blobs (n {int} not null, text {text} not null){strict};");
  ASSERT_TRUE(database_
                  ->write([](Transaction& tx) -> Result<void> {
                    tx.execute("insert into blobs (n, text) values (0, 'small')");
                    const auto pages = *tx.value<std::int64_t>("pragma page_count");
                    (void)tx.value<std::int64_t>("pragma max_page_count = " + std::to_string(pages + 20));
                    return {};
                  })
                  .ok());
  const auto add = [&](int n, std::size_t size) {
    return database_->write([&](Transaction& tx) -> Result<void> {
      tx.execute("insert into blobs (n, text) values (:1, :2)", n, std::string(size, 'x'));
      return {};
    });
  };
  const auto result = add(1, 1'000'000);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, ErrorKind::unavailable);
  EXPECT_NE(result.error().message.find("disk is full"), std::string::npos) << result.error().message;

  // Many at once, of which some are too large: each answer is true.
  std::vector<int> ok(12);
  {
    std::vector<std::jthread> workers;
    for (int i = 0; i < 12; ++i)
      workers.emplace_back([&, i] { ok[i] = add(100 + i, i % 4 == 3 ? 1'000'000 : 100).ok(); });
  }
  const auto found = database_->read([](Reader& r) { return r.column<int>("select n from blobs where n >= 100"); });
  const std::set<int> numbers(found.begin(), found.end());
  for (int i = 0; i < 12; ++i) EXPECT_EQ(numbers.contains(100 + i), ok[i] != 0) << i;
  for (int i = 3; i < 12; i += 4) EXPECT_FALSE(ok[i]);
  EXPECT_TRUE(add(200, 100).ok());
}

}  // namespace
}  // namespace paperclip::store
