#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "both_engines.h"

namespace paperclip::store {
namespace {

constexpr const char* schema = "create table pairs (n {bigint} not null, half {int} not null){strict};";

class Backup : public test::BothEngines {
 protected:
  Result<void> add(std::int64_t n) {
    return database_->write([&](Transaction& tx) -> Result<void> {
      tx.execute("insert into pairs (n, half) values (:1, 1)", n);
      tx.execute("insert into pairs (n, half) values (:1, 2)", n);
      return {};
    });
  }
};
ON_BOTH_ENGINES(Backup);

// A copy made while others write opens as a database of its own and holds no half of a rule.
TEST_P(Backup, A_copy_is_consistent_while_others_write) {
  open(schema);
  if (!sqlite()) {
    const auto refused = database_->backup_to("/tmp/never-written");
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.error().message.find("pg_dump"), std::string::npos);
    return;
  }
  ASSERT_TRUE(add(0).ok());
  std::atomic<bool> stop = false;
  std::jthread writer([&] {
    for (std::int64_t n = 1; !stop; ++n) ASSERT_TRUE(add(n).ok());
  });
  const auto file = directory_ / "it's a copy.db";
  const auto done = database_->backup_to(file);
  ASSERT_TRUE(done.ok()) << done.error().message;
  stop = true;
  writer.join();
  EXPECT_EQ(database_->backup_to(file).error().kind, ErrorKind::conflict);
  EXPECT_FALSE(std::filesystem::exists(file.string() + ".partial"));
  struct stat about{};
  ASSERT_EQ(stat(file.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);

  auto copy_options = options({{2, "test", schema}});
  copy_options.where = SqliteFile{file.string()};
  auto copy = Database::open(copy_options);
  ASSERT_TRUE(copy.ok()) << copy.error().message;
  (*copy)->read([](Reader& r) {
    EXPECT_EQ(r.value<std::string>("pragma integrity_check"), "ok");
    EXPECT_GE(*r.value<int>("select count(*) from pairs"), 2);
    EXPECT_FALSE(r.exists("select n from pairs group by n having count(*) <> 2"));
    return 0;
  });
}

TEST_P(Backup, A_copy_that_cannot_be_written_is_an_error) {
  if (!sqlite()) GTEST_SKIP();
  open(schema);
  EXPECT_FALSE(database_->backup_to(directory_ / "no" / "such" / "place.db").ok());
}

}  // namespace
}  // namespace paperclip::store
