#include <boost/describe.hpp>

#include "both_engines.h"

namespace paperclip::store {
namespace {

enum class Mood { calm, very_cross, public_ };
BOOST_DESCRIBE_ENUM(Mood, calm, very_cross, public_)

struct Named {
  AgentId id;
  std::string name;
  bool operator==(const Named&) const = default;
};
BOOST_DESCRIBE_STRUCT(Named, (), (id, name))

struct Everything : Named {
  bool flag = false;
  int small = 0;
  std::int64_t big = 0;
  double real = 0;
  Timestamp at;
  RawJson json;
  Mood mood = Mood::calm;
  std::optional<std::string> maybe_text;
  std::optional<bool> maybe_flag;
  std::optional<std::int64_t> maybe_big;
  std::optional<double> maybe_real;
  std::optional<Timestamp> maybe_at;
  std::optional<AgentId> maybe_id;
  std::optional<Mood> maybe_mood;
  RawJson maybe_json;
  std::string default_;
  bool operator==(const Everything&) const = default;
};
BOOST_DESCRIBE_STRUCT(Everything, (Named),
                      (flag, small, big, real, at, json, mood, maybe_text, maybe_flag, maybe_big, maybe_real, maybe_at,
                       maybe_id, maybe_mood, maybe_json, default_))

constexpr const char* schema = R"(
  create table things (
    id {id} primary key not null, name {text} not null, flag {bool} not null default {false}, small {int} not null,
    big {bigint} not null, real {double} not null, at {timestamp} not null, json {json} not null default '{}',
    mood {text} not null, maybe_text {text}, maybe_flag {bool}, maybe_big {bigint}, maybe_real {double},
    maybe_at {timestamp}, maybe_id {id}, maybe_mood {text}, maybe_json {json}, "default" {text} not null
  ){strict};
  create unique index things_name on things (name) where flag = {true};
)";

class Rows : public test::BothEngines {
 protected:
  void SetUp() override {
    BothEngines::SetUp();
    if (!IsSkipped()) open(schema);
  }
  Everything full() {
    Everything e;
    e.id = Random::system().id<AgentId>();
    e.name = "Zoë \"quoted\" 'single' : :1 {} ? $1 \xF0\x9F\x93\x8E";
    e.flag = true;
    e.small = -2147483648;
    e.big = 9007199254740993;
    e.real = 0.1;
    e.at = *parse_iso("2026-05-03T03:09:37.120Z");
    e.json = RawJson(std::string(R"({"a": 1})"));
    e.mood = Mood::public_;
    e.maybe_text = "";
    e.maybe_flag = false;
    e.maybe_big = -1;
    e.maybe_real = 1e300;
    e.maybe_at = *parse_iso("1969-12-31T23:59:59.999Z");
    e.maybe_id = Random::system().id<AgentId>();
    e.maybe_mood = Mood::very_cross;
    e.maybe_json = RawJson(std::string("[1, 2]"));
    e.default_ = "x";
    return e;
  }
  Everything empty() {
    Everything e;
    e.id = Random::system().id<AgentId>();
    e.name = "empty";
    e.json = RawJson(std::string("null"));
    return e;
  }
  void insert(const Everything& e) {
    const auto done = database_->write([&](Transaction& tx) -> Result<void> {
      tx.insert("things", e);
      return {};
    });
    ASSERT_TRUE(done.ok()) << done.error().message;
  }
};
ON_BOTH_ENGINES(Rows);

TEST_P(Rows, Every_type_comes_back_as_it_went) {
  const auto first = full(), second = empty();
  insert(first);
  insert(second);
  const auto rows =
      database_->read([](Reader& r) { return r.all<Everything>("select {} from things order by small"); });
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0], first);
  EXPECT_EQ(rows[1], second);
  EXPECT_TRUE(rows[1].maybe_json.is_null());
}

TEST_P(Rows, Timestamps_are_stored_as_24_characters_on_sqlite) {
  if (!sqlite()) GTEST_SKIP();
  insert(full());
  const auto text = database_->read([](Reader& r) { return r.value<std::string>("select at from things"); });
  EXPECT_EQ(text, "2026-05-03T03:09:37.120Z");
}

TEST_P(Rows, An_alias_qualifies_the_columns_and_an_argument_may_be_used_twice) {
  const auto e = full();
  insert(e);
  const auto row = database_->read([&](Reader& r) {
    return r.one<Named>("select {t} from things t join things u on u.id = t.id where t.id = :1 and u.id = :1", e.id);
  });
  ASSERT_TRUE(row);
  EXPECT_EQ(*row, static_cast<const Named&>(e));
}

TEST_P(Rows, An_absent_filter_is_a_null_argument) {
  insert(full());
  insert(empty());
  const auto count = [&](std::optional<AgentId> id, std::optional<Mood> mood, std::optional<Timestamp> after,
                         std::optional<bool> flag, std::optional<int> small) {
    return database_->read([&](Reader& r) {
      return r.value<int>(
          "select count(*) from things where (:1 is null or id = :1) and (:2 is null or mood = :2) and (:3 is null or "
          "at > :3) "
          "and (:4 is null or flag = :4) and (:5 is null or small = :5)",
          id, mood, after, flag, small);
    });
  };
  EXPECT_EQ(count({}, {}, {}, {}, {}), 2);
  EXPECT_EQ(count({}, Mood::calm, {}, {}, {}), 1);
  EXPECT_EQ(count({}, {}, Timestamp{1}, {}, {}), 1);
  EXPECT_EQ(count({}, {}, {}, true, {}), 1);
  EXPECT_EQ(count({}, {}, {}, {}, 0), 1);
  EXPECT_EQ(count(AgentId(), {}, {}, {}, {}), 0);
}

TEST_P(Rows, A_list_is_one_argument) {
  const auto a = full(), b = empty();
  insert(a);
  insert(b);
  database_->read([&](Reader& r) {
    EXPECT_EQ(r.value<int>("select count(*) from things where id in {list :1}", std::vector{a.id, b.id}), 2);
    EXPECT_EQ(r.value<int>("select count(*) from things where id in {list :1}", std::vector<AgentId>{}), 0);
    EXPECT_EQ(r.value<int>("select count(*) from things where mood in {list :1}", std::vector{Mood::public_}), 1);
    EXPECT_EQ(
        r.value<int>("select count(*) from things where name in {list :1}", std::vector<std::string>{a.name, "q"}), 1);
    EXPECT_EQ(r.value<int>("select count(*) from things where small in {list :1}", std::vector<int>{0, 1}), 1);
    return 0;
  });
}

TEST_P(Rows, Values_columns_tuples_and_existence) {
  const auto a = full(), b = empty();
  insert(a);
  insert(b);
  database_->read([&](Reader& r) {
    EXPECT_EQ(r.value<int>("select max(small) from things where name = :1", "nobody"), std::nullopt);
    EXPECT_EQ(r.value<std::string>("select name from things where name = :1", "nobody"), std::nullopt);
    EXPECT_EQ(r.column<bool>("select flag from things order by flag"), (std::vector{false, true}));
    EXPECT_EQ(r.column<std::optional<double>>("select maybe_real from things order by flag"),
              (std::vector<std::optional<double>>{std::nullopt, 1e300}));
    const auto pairs =
        r.all<std::pair<Mood, std::int64_t>>("select mood, count(*) from things group by mood order by mood");
    EXPECT_EQ(pairs, (std::vector<std::pair<Mood, std::int64_t>>{{Mood::calm, 1}, {Mood::public_, 1}}));
    EXPECT_TRUE(r.exists("select 1 from things where flag = :1", true));
    EXPECT_FALSE(r.exists("select 1 from things where name = :1", std::string_view("nobody")));
    EXPECT_EQ(r.value<std::int64_t>("select sum(small) from things"), -2147483648);
    return 0;
  });
}

TEST_P(Rows, Each_fills_one_row_again_and_can_stop) {
  insert(full());
  insert(empty());
  database_->read([&](Reader& r) {
    std::vector<std::string> names;
    std::vector<const Everything*> addresses;
    r.each<Everything>("select {} from things order by small", [&](const Everything& row) {
      names.push_back(row.name + (row.maybe_text ? "+" : "-"));
      addresses.push_back(&row);
    });
    EXPECT_EQ(names, (std::vector<std::string>{full().name + "+", "empty-"}));
    EXPECT_EQ(addresses[0], addresses[1]);
    int seen = 0;
    r.each<Named>("select {} from things", [&](const Named&) {
      ++seen;
      return false;
    });
    EXPECT_EQ(seen, 1);
    return 0;
  });
}

TEST_P(Rows, A_query_inside_the_same_query) {
  insert(full());
  insert(empty());
  int pairs = 0;
  database_->read([&](Reader& r) {
    r.each<Named>("select {} from things",
                  [&](const Named&) { r.each<Named>("select {} from things", [&](const Named&) { ++pairs; }); });
    return 0;
  });
  EXPECT_EQ(pairs, 4);
}

TEST_P(Rows, A_null_for_a_member_that_is_not_optional_is_an_error) {
  insert(empty());
  const auto result = database_->read(
      [](Reader& r) -> Result<std::string> { return r.column<std::string>("select maybe_text from things").front(); });
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().message.find("NULL"), std::string::npos);
}

TEST_P(Rows, Sql_that_one_engine_would_forgive_is_refused_on_both) {
  insert(full());
  const auto fails = [&](auto&& query) {
    const auto result = database_->read([&](Reader& r) -> Result<void> {
      query(r);
      return {};
    });
    return result.ok() ? std::string("accepted") : result.error().message;
  };
  EXPECT_NE(fails([](Reader& r) { (void)r.all<Named>("select id from things"); }).find("1 columns, the row type 2"),
            std::string::npos);
  EXPECT_NE(fails([](Reader& r) { (void)r.all<Named>("select {}, flag from things"); }).find("3 columns"),
            std::string::npos);
  EXPECT_NE(fails([](Reader& r) { (void)r.all<Named>("select {} from things where id = :1"); }).find("no argument :1"),
            std::string::npos);
  EXPECT_NE(fails([](Reader& r) { (void)r.all<Named>("select {} from things", 1); }).find("never used"),
            std::string::npos);
  EXPECT_NE(fails([](Reader& r) { (void)r.all<Named>("select {} from things; select 1"); }).find("more than one"),
            std::string::npos);
  EXPECT_NE(fails([](Reader& r) { (void)r.all<Named>("select {} from things where id = ?"); }).find("written :1"),
            std::string::npos);
  EXPECT_EQ(
      fails([](Reader& r) { (void)r.all<Named>("select {} from things where name <> 'it''s ? {} :1;' -- ; :9\n;"); }),
      "accepted");
}

TEST_P(Rows, A_number_that_does_not_fit_its_member_is_an_error) {
  insert(full());
  const auto result = database_->read([](Reader& r) -> Result<int> { return *r.value<int>("select big from things"); });
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().message.find("9007199254740993"), std::string::npos);
}

TEST_P(Rows, A_reader_cannot_write) {
  const auto result = database_->read([](Reader& r) -> Result<int> {
    return *r.value<int>(
        "insert into things (id, name, small, big, real, at, mood, \"default\") values (:1, 'x', 1, 1, 1, :2, 'calm', "
        "'') returning small",
        AgentId(), Timestamp{});
  });
  EXPECT_FALSE(result.ok());
}

}  // namespace
}  // namespace paperclip::store
