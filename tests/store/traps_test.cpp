// Where SQLite and PostgreSQL, or SOCI over them, do not do what one expects. Each was seen; see also dialect_test.cpp.
#include <boost/json/parse.hpp>

#include "both_engines.h"
#include "store/session.h"

namespace paperclip::store {
namespace {

struct Note {
  AgentId id;
  std::string body;
  RawJson extra;
  std::optional<std::int64_t> rank;
  Timestamp at;
};
BOOST_DESCRIBE_STRUCT(Note, (), (id, body, extra, rank, at))

constexpr const char* schema = R"(
  create table notes (id {id} primary key not null, body {text} not null, extra {json}, rank {bigint}, at {timestamp} not null){strict};
  create unique index notes_body on notes (lower(body));
)";

class Traps : public test::BothEngines {
 protected:
  void SetUp() override {
    BothEngines::SetUp();
    if (!IsSkipped()) open(schema);
  }
  Result<void> insert(std::string body, std::string extra = "{}", std::optional<std::int64_t> rank = {}) {
    return database_->write([&](Transaction& tx) -> Result<void> {
      tx.insert("notes", Note{tx.new_id<AgentId>(), body, RawJson(extra), rank, tx.now()});
      return {};
    });
  }
};
ON_BOTH_ENGINES(Traps);

TEST_P(Traps, Nul_is_refused_before_it_is_bound) {
  const auto result = insert(std::string("cut\0here", 8));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, ErrorKind::bad_request);
  EXPECT_EQ(result.error().message, "body: text contains U+0000, which the database cannot hold");
}

TEST_P(Traps, Nul_escaped_in_json_is_refused_and_its_lookalike_is_not) {
  const auto result = insert("a", R"({"a": "x\u0000y"})");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, ErrorKind::bad_request);
  EXPECT_TRUE(insert("b", R"({"a": "x\\u0000y"})").ok());
}

TEST_P(Traps, Invalid_utf8_is_refused_before_it_is_bound) {
  for (const char* bad : {"\xff", "\xc3", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80"}) {
    const auto result = insert(bad);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().kind, ErrorKind::bad_request);
  }
  const auto query = database_->read(
      [](Reader& r) -> Result<bool> { return r.exists("select 1 from notes where body = :1", "\xff"); });
  EXPECT_FALSE(query.ok());
}

TEST_P(Traps, A_unique_index_over_an_expression_is_recognised_too) {
  ASSERT_TRUE(insert("Same").ok());
  const auto again = insert("sAME");
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().kind, ErrorKind::conflict);
  EXPECT_NE(again.error().message.find("notes_body"), std::string::npos) << again.error().message;
}

// SOCI's what() repeats all bound values; ours must not, values can be secrets.
TEST_P(Traps, An_error_never_holds_the_values) {
  ASSERT_TRUE(insert("hunter2").ok());
  const auto again = insert("hunter2");
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().message.find("hunter2"), std::string::npos) << again.error().message;
  const auto broken = database_->write([](Transaction& tx) -> Result<std::int64_t> {
    return tx.execute("update notes set no_such_column = :1", "hunter2");
  });
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.error().kind, ErrorKind::internal);
  EXPECT_NE(broken.error().message.find("no_such_column"), std::string::npos) << broken.error().message;
  EXPECT_EQ(broken.error().message.find("hunter2"), std::string::npos) << broken.error().message;
}

// After an error SOCI's PostgreSQL binding still holds the argument's text, and would send it for the next NULL.
TEST_P(Traps, A_null_after_a_failed_statement_stays_null) {
  ASSERT_TRUE(insert("one", "{}", 1).ok());
  ASSERT_FALSE(insert("one", "{}", 2).ok());
  ASSERT_TRUE(insert("two", "", std::nullopt).ok());
  const auto row = database_->read([](Reader& r) { return r.one<Note>("select {} from notes where body = 'two'"); });
  EXPECT_EQ(row->rank, std::nullopt);
  EXPECT_TRUE(row->extra.text.empty());
}

TEST_P(Traps, Nulls_go_where_the_order_says) {
  ASSERT_TRUE(insert("a", "{}", 1).ok());
  ASSERT_TRUE(insert("b", "{}").ok());
  ASSERT_TRUE(insert("c", "{}", 2).ok());
  const auto order = [&](const char* by) {
    return database_->read(
        [&](Reader& r) { return r.column<std::string>("select body from notes order by " + std::string(by)); });
  };
  EXPECT_EQ(order("rank asc nulls first"), (std::vector<std::string>{"b", "a", "c"}));
  EXPECT_EQ(order("rank asc nulls last"), (std::vector<std::string>{"a", "c", "b"}));
  EXPECT_EQ(order("rank desc nulls last"), (std::vector<std::string>{"c", "a", "b"}));
}

TEST_P(Traps, Json_may_come_back_with_its_keys_in_another_order) {
  ASSERT_TRUE(insert("a", R"({"zebra":1,"a":{"y":[1,2.50,"é"]},"zebra2":null})").ok());
  const auto row = database_->read([](Reader& r) { return r.one<Note>("select {} from notes"); });
  EXPECT_EQ(row->extra.parse(), boost::json::parse(R"({"a":{"y":[1,2.5,"é"]},"zebra2":null,"zebra":1})"));
}

TEST_P(Traps, Json_null_is_not_sql_null) {
  ASSERT_TRUE(insert("json null", "null").ok());
  ASSERT_TRUE(insert("sql null", "").ok());
  database_->read([](Reader& r) {
    EXPECT_EQ(r.column<std::string>("select body from notes where extra is null"),
              std::vector<std::string>{"sql null"});
    EXPECT_EQ(r.one<Note>("select {} from notes where body = 'json null'")->extra.text, "null");
    return 0;
  });
}

TEST_P(Traps, Comparing_ignores_no_case) {
  ASSERT_TRUE(insert("Case").ok());
  EXPECT_FALSE(database_->read([](Reader& r) { return r.exists("select 1 from notes where body = 'case'"); }));
}

TEST_P(Traps, Timestamps_compare_and_sort_as_moments) {
  const auto write = [&](const char* text) {
    ASSERT_TRUE(database_
                    ->write([&](Transaction& tx) -> Result<void> {
                      tx.insert("notes", Note{tx.new_id<AgentId>(), text, RawJson(), {}, *parse_iso(text)});
                      return {};
                    })
                    .ok());
  };
  write("2026-05-03T03:09:37.100Z");
  write("2026-05-03T03:09:37.000Z");
  write("2026-05-03T03:09:37.010Z");
  write("1969-12-31T23:59:59.999Z");
  database_->read([](Reader& r) {
    EXPECT_EQ(
        r.column<std::string>("select body from notes where at < :1 order by at", *parse_iso("2026-05-03T03:09:37.1Z")),
        (std::vector<std::string>{"1969-12-31T23:59:59.999Z", "2026-05-03T03:09:37.000Z", "2026-05-03T03:09:37.010Z"}));
    for (const auto& note : r.all<Note>("select {} from notes")) EXPECT_EQ(to_iso(note.at), note.body);
    return 0;
  });
}

TEST_P(Traps, Long_texts_and_many_rows_are_whole) {
  const std::string big = "\"" + std::string(3'000'000, 'x') + "\"";
  ASSERT_TRUE(insert("big", big).ok());
  ASSERT_TRUE(database_
                  ->write([](Transaction& tx) -> Result<void> {
                    for (int i = 0; i < 2000; ++i)
                      tx.insert("notes", Note{tx.new_id<AgentId>(), std::to_string(i), RawJson(), i, tx.now()});
                    return {};
                  })
                  .ok());
  database_->read([&](Reader& r) {
    EXPECT_EQ(r.all<Note>("select {} from notes where rank is not null").size(), 2000u);
    EXPECT_EQ(r.one<Note>("select {} from notes where rank is null")->extra.text, big);
    return 0;
  });
}

TEST_P(Traps, A_stored_word_that_is_no_id_is_an_error_that_names_the_column) {
  ASSERT_TRUE(insert("not an id").ok());
  const auto result =
      database_->read([](Reader& r) -> Result<AgentId> { return *r.value<AgentId>("select body from notes"); });
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, ErrorKind::internal);
}

// SOCI would take it for a pair without a value, and its last word for the name of no database.
TEST(PostgresUrl, One_without_parameters_connects) {
  auto* server = test::ThrowawayPostgres::get();
  if (!server) GTEST_SKIP() << test::ThrowawayPostgres::why();
  EXPECT_NO_THROW(Session::open_postgresql(server->plain_url())->script("select 1"));
}

}  // namespace
}  // namespace paperclip::store
