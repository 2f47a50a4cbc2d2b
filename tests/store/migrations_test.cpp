#include <thread>

#include "both_engines.h"

namespace paperclip::store {
namespace {

class Migrations : public test::BothEngines {
 protected:
  /// The message of the refusal; empty if it opened.
  std::string attempt(std::vector<Migration> migrations) {
    database_.reset();
    auto opened = Database::open(options(std::move(migrations)));
    if (!opened.ok()) return opened.error().message;
    database_ = std::move(*opened);
    return "";
  }
  Migration two{2, "two", "create table two (n {int} not null){strict}; create index two_n on two (n);"};
  Migration three{
      3, "three",
      "alter table two add column m {text} not null default 'it''s; {braces} -- no comment'; -- done; really\n"};
};
ON_BOTH_ENGINES(Migrations);

TEST_P(Migrations, Are_applied_once_in_order_and_remembered) {
  ASSERT_EQ(attempt({two}), "");
  ASSERT_EQ(attempt({two, three}), "");
  ASSERT_EQ(attempt({two, three}), "");
  const auto versions = database_->read(
      [](Reader& r) { return r.column<int>("select version from schema_migrations order by version"); });
  EXPECT_EQ(versions, (std::vector{1, 2, 3}));
  ASSERT_TRUE(database_
                  ->write([](Transaction& tx) -> Result<void> {
                    tx.execute("insert into two (n) values (1)");
                    return {};
                  })
                  .ok());
  EXPECT_EQ(database_->read([](Reader& r) { return r.value<std::string>("select m from two"); }),
            "it's; {braces} -- no comment");
}

TEST_P(Migrations, A_database_of_a_newer_program_is_refused) {
  ASSERT_EQ(attempt({two, three}), "");
  const auto message = attempt({two});
  EXPECT_NE(message.find("newer version of this program"), std::string::npos) << message;
  EXPECT_NE(message.find("schema version 3 (three), this program knows 2"), std::string::npos) << message;
}

TEST_P(Migrations, A_migration_changed_after_it_was_applied_is_refused) {
  ASSERT_EQ(attempt({two}), "");
  two.sql += " ";
  EXPECT_NE(attempt({two}).find("was changed after it was applied"), std::string::npos);
}

TEST_P(Migrations, A_failing_one_undoes_the_whole_upgrade) {
  ASSERT_EQ(attempt({}), "");
  three.sql =
      "create table three (n {int}){strict}; insert into three values (1); insert into no_such_table values (1);";
  const auto message = attempt({two, three});
  EXPECT_NE(message.find("3 (three) failed"), std::string::npos) << message;
  EXPECT_NE(message.find("no_such_table"), std::string::npos) << message;
  ASSERT_EQ(attempt({}), "");
  EXPECT_EQ(database_->read([](Reader& r) { return r.column<int>("select version from schema_migrations"); }), std::vector{1});
  three.sql = "create table three (n {int}){strict};";
  EXPECT_EQ(attempt({two, three}), "");
}

TEST_P(Migrations, Versions_must_ascend) {
  EXPECT_NE(attempt({three, two}).find("comes after"), std::string::npos);
  EXPECT_NE(attempt({{1, "one", ""}}).find("comes after"), std::string::npos);
}

TEST_P(Migrations, An_unknown_type_word_is_refused) {
  two.sql = "create table two (n {integr})";
  EXPECT_NE(attempt({two}).find("unknown {integr}"), std::string::npos);
}

TEST_P(Migrations, Several_servers_that_start_together_migrate_once) {
  if (sqlite()) GTEST_SKIP() << "one server per SQLite file";
  std::vector<std::string> messages(4);
  {
    std::vector<std::jthread> servers;
    for (auto& message : messages)
      servers.emplace_back([&] {
        auto opened = Database::open(options({two, three}));
        if (!opened.ok()) message = opened.error().message;
      });
  }
  EXPECT_EQ(messages, std::vector<std::string>(4));
}

TEST_P(Migrations, A_database_that_cannot_be_reached_says_so) {
  OpenOptions wrong;
  if (sqlite())
    wrong.where = SqliteFile{"/nonexistent/paperclip.db"};
  else
    wrong.where = PostgresUrl{"host=/nonexistent user=x password=hunter2"};
  const auto opened = Database::open(wrong);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind, ErrorKind::unavailable);
  EXPECT_NE(opened.error().message.find("/nonexistent"), std::string::npos) << opened.error().message;
  EXPECT_EQ(opened.error().message.find("hunter2"), std::string::npos) << opened.error().message;
}

TEST_P(Migrations, Strict_tables_refuse_a_wrong_type) {
  ASSERT_EQ(attempt({two}), "");
  const auto result = database_->write([](Transaction& tx) -> Result<void> {
    tx.execute("insert into two (n) values (:1)", "no number");
    return {};
  });
  EXPECT_FALSE(result.ok());
}

}  // namespace
}  // namespace paperclip::store
