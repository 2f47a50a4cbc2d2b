#include <algorithm>

#include "both_engines.h"

namespace paperclip::store {
namespace {

constexpr const char* schema = R"(
  create table facts (n {int} not null, doc {json} not null, a {timestamp}, b {timestamp}){strict};
)";

class DialectOn : public test::BothEngines {
 protected:
  void SetUp() override {
    BothEngines::SetUp();
    if (IsSkipped()) return;
    open(schema);
    const auto done = database_->write([](Transaction& tx) -> Result<void> {
      const auto add = [&](int n, const char* doc, std::optional<Timestamp> a, std::optional<Timestamp> b) {
        tx.execute("insert into facts (n, doc, a, b) values (:1, :2, :3, :4)", n, RawJson(std::string(doc)), a, b);
      };
      add(1, R"({"s": "1", "flag": true, "num": 1.5, "o": {"deep": "x"}, "tags": ["a", "b", 3]})",
          parse_iso("2026-05-03T23:59:59.999Z"), std::nullopt);
      add(2, R"({"s": 1, "flag": "true", "num": "1.5", "tags": {}})", std::nullopt,
          parse_iso("2026-05-04T00:00:00.001Z"));
      add(3, R"({"flag": false, "num": 7, "nothing": null, "it's": "quoted"})", parse_iso("2026-05-01T00:00:00.000Z"),
          parse_iso("2026-06-01T00:00:00.000Z"));
      return {};
    });
    ASSERT_TRUE(done.ok()) << done.error().message;
  }
  /// The numbers of the facts for which the condition holds.
  template <class... Args>
  std::vector<int> where(auto&& condition, const Args&... args) {
    return database_->read([&](Reader& r) {
      return r.column<int>("select n from facts where " + condition(r.dialect()) + " order by n", args...);
    });
  }
  template <class T>
  std::vector<T> each(auto&& expression) {
    return database_->read(
        [&](Reader& r) { return r.column<T>("select " + expression(r.dialect()) + " from facts order by n"); });
  }
};
ON_BOTH_ENGINES(DialectOn);

using Ns = std::vector<int>;

TEST_P(DialectOn, A_json_string_is_compared_with_text) {
  EXPECT_EQ(where([](const Dialect& d) { return d.json_text("doc", "flag") + " = :1"; }, "x"), Ns{});
  EXPECT_EQ(where([](const Dialect& d) { return d.json_text("doc", "it's") + " = :1"; }, "quoted"), Ns{3});
  EXPECT_EQ(where([](const Dialect& d) { return d.json_text(d.json_member("doc", "o"), "deep") + " = :1"; }, "x"),
            Ns{1});
}

TEST_P(DialectOn, Json_numbers_are_numbers_only) {
  EXPECT_EQ(each<std::optional<double>>([](const Dialect& d) { return d.json_number("doc", "num"); }),
            (std::vector<std::optional<double>>{1.5, std::nullopt, 7.0}));
}

TEST_P(DialectOn, Json_true_is_the_literal_only) {
  EXPECT_EQ(where([](const Dialect& d) { return d.json_bool("doc", "flag"); }), Ns{1});
  EXPECT_EQ(where([](const Dialect& d) { return "not " + d.json_bool("doc", "flag"); }), (Ns{2, 3}));
}

TEST_P(DialectOn, Json_has_a_key_whatever_its_value) {
  EXPECT_EQ(where([](const Dialect& d) { return d.json_has("doc", "nothing"); }), Ns{3});
}

TEST_P(DialectOn, Json_strings_of_an_array) {
  EXPECT_EQ(where(
                [](const Dialect& d) {
                  return "exists (select 1 from " + d.json_strings("doc -> 'tags'") + " as tag where tag.value = :1)";
                },
                "b"),
            Ns{1});
  EXPECT_EQ(where(
                [](const Dialect& d) {
                  return "exists (select 1 from " + d.json_strings("doc -> 'tags'") + " as tag where tag.value = :1)";
                },
                "3"),
            Ns{});
}

TEST_P(DialectOn, Contains_ignores_case_and_knows_no_wildcards) {
  const auto contains = [&](const char* text, const char* part) {
    return database_->read(
        [&](Reader& r) { return *r.value<bool>("select " + r.dialect().contains_ci(":1", ":2"), text, part); });
  };
  EXPECT_TRUE(contains("Hello World", "lo wO"));
  EXPECT_FALSE(contains("Hello", "h%o"));
  EXPECT_TRUE(contains("100% sure_thing", "0% SURE_"));
  const auto equals = [&](const char* a, const char* b) {
    return database_->read(
        [&](Reader& r) { return *r.value<bool>("select " + r.dialect().equals_ci(":1", ":2"), a, b); });
  };
  EXPECT_TRUE(equals("A@b.C", "a@B.c"));
  EXPECT_FALSE(equals("a", "b"));
  const auto begins = [&](const char* a, const char* b) {
    return database_->read(
        [&](Reader& r) { return *r.value<bool>("select " + r.dialect().starts_with(":1", ":2"), a, b); });
  };
  EXPECT_TRUE(begins("PAP-12", "PAP-"));
  EXPECT_FALSE(begins("pap-12", "PAP-"));
  EXPECT_FALSE(begins("PAPx12", "PAP_"));
}

TEST_P(DialectOn, Days_and_months_are_utc) {
  using Texts = std::vector<std::optional<std::string>>;
  EXPECT_EQ(each<std::optional<std::string>>([](const Dialect& d) { return d.day("a"); }),
            (Texts{"2026-05-03", std::nullopt, "2026-05-01"}));
  EXPECT_EQ(each<std::optional<std::string>>([](const Dialect& d) { return d.day("b"); }),
            (Texts{std::nullopt, "2026-05-04", "2026-06-01"}));
  EXPECT_EQ(each<std::optional<std::string>>([](const Dialect& d) { return d.month("b"); }),
            (Texts{std::nullopt, "2026-05", "2026-06"}));
  EXPECT_EQ(each<std::optional<std::int64_t>>([](const Dialect& d) { return d.epoch_ms("b"); }),
            (std::vector<std::optional<std::int64_t>>{std::nullopt, parse_iso("2026-05-04T00:00:00.001Z")->ms,
                                                      parse_iso("2026-06-01T00:00:00.000Z")->ms}));
}

TEST_P(DialectOn, The_greater_of_two_counts_a_null_as_absent) {
  using Times = std::vector<std::optional<Timestamp>>;
  EXPECT_EQ(each<std::optional<Timestamp>>([](const Dialect& d) { return d.greatest("a", "b"); }),
            (Times{parse_iso("2026-05-03T23:59:59.999Z"), parse_iso("2026-05-04T00:00:00.001Z"),
                   parse_iso("2026-06-01T00:00:00.000Z")}));
  EXPECT_EQ(each<std::optional<Timestamp>>([](const Dialect& d) { return d.least("a", "b"); }),
            (Times{parse_iso("2026-05-03T23:59:59.999Z"), parse_iso("2026-05-04T00:00:00.001Z"),
                   parse_iso("2026-05-01T00:00:00.000Z")}));
}

TEST_P(DialectOn, A_claim_skips_what_others_hold) {
  const auto claimed = database_->write([](Transaction& tx) -> Result<std::optional<int>> {
    return tx.value<int>("select n from facts where n > :1 order by n limit 1 {for update skip locked}", 1);
  });
  ASSERT_TRUE(claimed.ok()) << claimed.error().message;
  EXPECT_EQ(**claimed, 2);
}

TEST_P(DialectOn, Booleans_are_written_as_words) {
  EXPECT_TRUE(*database_->read([](Reader& r) { return r.value<bool>("select true"); }));
  EXPECT_FALSE(*database_->read([](Reader& r) { return r.value<bool>("select 1 = 2"); }));
}

}  // namespace
}  // namespace paperclip::store
