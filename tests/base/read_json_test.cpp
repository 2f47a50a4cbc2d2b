#include "base/read_json.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

using namespace paperclip;

namespace {

enum class Status { todo, in_progress, public_ };
BOOST_DESCRIBE_ENUM(Status, todo, in_progress, public_)

template <class T>
Result<T> read(std::string_view text) {
  const auto body = parse_json(text);
  return decode<T>(&*body);
}

/// The issues of a body that does not fit, or `[]` when it fits.
template <class T>
json::value issues_of(std::string_view text) {
  auto result = read<T>(text);
  if (result.ok()) return json::array();
  EXPECT_EQ(result.error().kind, ErrorKind::validation);
  EXPECT_EQ(result.error().message, "Validation error");
  return result.error().details;
}

/// Compares as JSON values, so that key order does not matter.
template <class T>
void expect_issues(std::string_view body, std::string_view expected) {
  EXPECT_EQ(issues_of<T>(body), json::parse(expected)) << body;
}

struct Named {
  Trimmed<1, 5> name;
};
BOOST_DESCRIBE_STRUCT(Named, (), (name))

struct Presence {
  Omit<std::string> omitted;
  std::optional<std::string> nullish;
  Patch<std::string> patched;
  Default<std::int64_t> count = 3;
};
BOOST_DESCRIBE_STRUCT(Presence, (), (omitted, nullish, patched, count))

struct Constrained {
  Omit<Int<1, 10>> level;
  Omit<Url> link;
  Omit<Status> status;
  Omit<IssueId> issue_id;
  Omit<Timestamp> due_at;
  Omit<List<Named, 1, 2>> people;
  Omit<JsonObject> config;
  Omit<std::map<std::string, bool>> flags;
  Omit<Multiline<0, 20>> note;
};
BOOST_DESCRIBE_STRUCT(Constrained, (), (level, link, status, issue_id, due_at, people, config, flags, note))

struct Strict {
  static constexpr bool strict = true;
  Omit<std::string> first_name;
  Flat<Named> inner;
};
BOOST_DESCRIBE_STRUCT(Strict, (), (first_name, inner))

struct Range {
  int from = 0;
  int to = 0;
  void check(SchemaIssues& issues) const {
    if (from <= to) return;
    SchemaIssues::Step step(issues, "to");
    issues.add("custom", "to must not be before from");
  }
};
BOOST_DESCRIBE_STRUCT(Range, (), (from, to))

}  // namespace

TEST(ReadJson, A_missing_body_or_field_is_required) {
  const auto nothing = decode<Named>(nullptr);
  EXPECT_EQ(
      nothing.error().details,
      json::parse(
          R"j([{"code":"invalid_type","expected":"object","received":"undefined","path":[],"message":"Required"}])j"));
  expect_issues<Named>(
      "{}",
      R"j([{"code":"invalid_type","expected":"string","received":"undefined","path":["name"],"message":"Required"}])j");
}

TEST(ReadJson, A_wrong_type_names_both) {
  expect_issues<Named>(
      R"({"name":null})",
      R"j([{"code":"invalid_type","expected":"string","received":"null","path":["name"],"message":"Expected string, received null"}])j");
  expect_issues<Named>(
      "[]",
      R"j([{"code":"invalid_type","expected":"object","received":"array","path":[],"message":"Expected object, received array"}])j");
}

TEST(ReadJson, Trimmed_text_is_measured_after_trimming_in_UTF16_units) {
  EXPECT_EQ(read<Named>(R"({"name":"  abcde "})")->name, "abcde");
  expect_issues<Named>(R"({"name":"   "})",
                       R"j([{"code":"too_small","minimum":1,"type":"string","inclusive":true,"exact":false,
    "path":["name"],"message":"String must contain at least 1 character(s)"}])j");
  EXPECT_TRUE(read<Named>("{\"name\":\"\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\"}").ok());
  expect_issues<Named>("{\"name\":\"\xF0\x9F\x93\x8E\xF0\x9F\x93\x8E\xF0\x9F\x93\x8E\"}",
                       R"j([{"code":"too_big","maximum":5,"type":"string","inclusive":true,"exact":false,
    "path":["name"],"message":"String must contain at most 5 character(s)"}])j");
}

TEST(ReadJson, Absent_null_and_value_are_told_apart_as_the_type_says) {
  const auto absent = *read<Presence>("{}");
  EXPECT_FALSE(absent.omitted.has_value());
  EXPECT_FALSE(absent.nullish.has_value());
  EXPECT_FALSE(absent.patched.present());
  EXPECT_EQ(absent.count.value, 3);

  const auto null = *read<Presence>(R"({"nullish":null,"patched":null})");
  EXPECT_FALSE(null.nullish.has_value());
  EXPECT_TRUE(null.patched.is_null());

  const auto value = *read<Presence>(R"({"omitted":"a","nullish":"b","patched":"c","count":4})");
  EXPECT_EQ(*value.omitted, "a");
  EXPECT_EQ(*value.nullish, "b");
  EXPECT_EQ(*value.patched, "c");
  EXPECT_EQ(value.count.value, 4);

  expect_issues<Presence>(R"({"omitted":null,"count":null})", R"j([
    {"code":"invalid_type","expected":"string","received":"null","path":["omitted"],"message":"Expected string, received null"},
    {"code":"invalid_type","expected":"number","received":"null","path":["count"],"message":"Expected number, received null"}])j");
}

TEST(ReadJson, A_patch_applies_only_what_was_sent) {
  std::optional<std::string> field = "old";
  Patch<std::string>().apply(field);
  EXPECT_EQ(field, "old");
  Patch<std::string>("new").apply(field);
  EXPECT_EQ(field, "new");
  Patch<std::string>::null().apply(field);
  EXPECT_EQ(field, std::nullopt);
}

TEST(ReadJson, Whole_numbers_have_bounds) {
  EXPECT_EQ((*read<Constrained>(R"({"level":7.0})")->level).value, 7);
  expect_issues<Constrained>(
      R"({"level":1.5})",
      R"j([{"code":"invalid_type","expected":"integer","received":"float","path":["level"],"message":"Expected integer, received float"}])j");
  expect_issues<Constrained>(
      R"({"level":0})",
      R"j([{"code":"too_small","minimum":1,"type":"number","inclusive":true,"exact":false,"path":["level"],"message":"Number must be greater than or equal to 1"}])j");
  for (const char* large : {R"({"level":11})", R"({"level":1e300})", R"({"level":18446744073709551615})"})
    expect_issues<Constrained>(
        large,
        R"j([{"code":"too_big","maximum":10,"type":"number","inclusive":true,"exact":false,"path":["level"],"message":"Number must be less than or equal to 10"}])j");
  expect_issues<Constrained>(
      R"({"level":"3"})",
      R"j([{"code":"invalid_type","expected":"number","received":"string","path":["level"],"message":"Expected number, received string"}])j");
}

TEST(ReadJson, An_enum_lists_its_words) {
  EXPECT_EQ(*read<Constrained>(R"({"status":"public"})")->status, Status::public_);
  expect_issues<Constrained>(
      R"({"status":"doing"})",
      R"j([{"code":"invalid_enum_value","received":"doing","options":["todo","in_progress","public"],
    "path":["status"],"message":"Invalid enum value. Expected 'todo' | 'in_progress' | 'public', received 'doing'"}])j");
  expect_issues<Constrained>(
      R"({"status":3})", R"j([{"code":"invalid_type","expected":"'todo' | 'in_progress' | 'public'","received":"number",
    "path":["status"],"message":"Expected 'todo' | 'in_progress' | 'public', received number"}])j");
}

TEST(ReadJson, Ids_times_and_URLs_are_checked) {
  EXPECT_TRUE(
      read<Constrained>(
          R"({"issueId":"0F8FAD5B-D9CB-469F-A165-70867728950E","dueAt":"2026-05-03T10:00:00Z","link":"https://example.com/x"})")
          .ok());
  expect_issues<Constrained>(
      R"({"issueId":"x"})",
      R"j([{"code":"invalid_string","validation":"uuid","path":["issueId"],"message":"Invalid uuid"}])j");
  expect_issues<Constrained>(
      R"({"dueAt":"2026-05-03T10:00:00+02:00"})",
      R"j([{"code":"invalid_string","validation":"datetime","path":["dueAt"],"message":"Invalid datetime"}])j");
  for (const char* bad : {"", "example.com", "http://", "https:///x", "http://a b", ":x"})
    expect_issues<Constrained>(
        R"({"link":")" + std::string(bad) + R"("})",
        R"j([{"code":"invalid_string","validation":"url","path":["link"],"message":"Invalid url"}])j");
  for (const char* good : {"http://localhost:3000", "wss://h/", "mailto:a@b", "git+ssh://h/x.git"})
    EXPECT_TRUE(read<Constrained>(R"({"link":")" + std::string(good) + R"("})").ok()) << good;
}

TEST(ReadJson, Lists_and_maps_name_the_place_of_an_issue) {
  EXPECT_EQ(read<Constrained>(R"({"people":[{"name":"a"},{"name":"b"}]})")->people->size(), 2u);
  expect_issues<Constrained>(
      R"({"people":[{"name":"a"},{}]})",
      R"j([{"code":"invalid_type","expected":"string","received":"undefined","path":["people",1,"name"],"message":"Required"}])j");
  expect_issues<Constrained>(
      R"({"people":[]})",
      R"j([{"code":"too_small","minimum":1,"type":"array","inclusive":true,"exact":false,"path":["people"],"message":"Array must contain at least 1 element(s)"}])j");
  expect_issues<Constrained>(
      R"({"flags":{"a":true,"b":1}})",
      R"j([{"code":"invalid_type","expected":"boolean","received":"number","path":["flags","b"],"message":"Expected boolean, received number"}])j");
  expect_issues<Constrained>(
      R"({"config":[]})",
      R"j([{"code":"invalid_type","expected":"object","received":"array","path":["config"],"message":"Expected object, received array"}])j");
}

TEST(ReadJson, Multiline_text_turns_escaped_newlines_into_real_ones) {
  EXPECT_EQ(*read<Constrained>(R"({"note":"a\\r\\nb\\nc\\rd"})")->note, "a\nb\nc\nd");
  EXPECT_EQ(normalise_escaped_newlines("plain"), "plain");
}

TEST(ReadJson, A_strict_struct_refuses_unknown_keys_and_knows_those_of_its_flat_parts) {
  EXPECT_TRUE(read<Strict>(R"({"firstName":"x","name":"y"})").ok());
  expect_issues<Strict>(R"({"name":"y","b":1,"first_name":2})",
                        R"j([{"code":"unrecognized_keys","keys":["b","first_name"],"path":[],
    "message":"Unrecognized key(s) in object: 'b', 'first_name'"}])j");
  EXPECT_TRUE(read<Named>(R"({"name":"y","b":1})").ok());
}

TEST(ReadJson, Conditions_across_fields_are_asked_only_when_every_field_was_fine) {
  EXPECT_TRUE(read<Range>(R"({"from":1,"to":2})").ok());
  expect_issues<Range>(R"({"from":3,"to":2})",
                       R"j([{"code":"custom","path":["to"],"message":"to must not be before from"}])j");
  EXPECT_EQ(issues_of<Range>(R"({"from":3})").as_array().size(), 1u);
}

TEST(ReadJson, All_issues_are_listed_not_only_the_first) {
  EXPECT_EQ(issues_of<Constrained>(R"({"level":0,"status":"x","issueId":"y"})").as_array().size(), 3u);
}
