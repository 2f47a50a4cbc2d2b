#include "base/json.h"

#include <gtest/gtest.h>

using namespace paperclip;

namespace {
std::string refusal(std::string_view text, JsonLimits limits = {}) {
  const auto parsed = parse_json(text, limits);
  return parsed.ok() ? "accepted" : parsed.error().message;
}
}  // namespace

TEST(ParseJson, Accepts_one_document_of_any_kind) {
  EXPECT_EQ(to_string(*parse_json(R"( {"b":1,"a":[true,null,"x"]} )")), R"({"b":1,"a":[true,null,"x"]})");
  EXPECT_EQ(to_string(*parse_json("3")), "3");
  EXPECT_EQ(to_string(*parse_json("\"\xF0\x9F\x93\x8E\"")), "\"\xF0\x9F\x93\x8E\"");
}

TEST(ParseJson, Says_what_was_wrong) {
  EXPECT_EQ(refusal("{} {}"), "Invalid JSON: text follows the value");
  EXPECT_EQ(refusal("[[[1]]]", {.max_depth = 2}), "Invalid JSON: nested deeper than 2 levels");
  EXPECT_EQ(refusal("[[1]]", {.max_depth = 2}), "accepted");
  EXPECT_TRUE(refusal("").starts_with("Invalid JSON: "));
  EXPECT_TRUE(refusal("{a:1}").starts_with("Invalid JSON: "));
  EXPECT_TRUE(refusal("[1,]").starts_with("Invalid JSON: "));
  EXPECT_EQ(parse_json("{").error().kind, ErrorKind::bad_request);
}

TEST(ParseJson, Refuses_text_that_a_database_cannot_hold) {
  constexpr auto nul = "Invalid JSON: strings must not contain U+0000";
  EXPECT_EQ(refusal(R"({"a":["x\u0000"]})"), nul);
  EXPECT_EQ(refusal(R"({"k\u0000":1})"), nul);
  EXPECT_EQ(refusal(R"({"a":"back\\u0000slash"})"), "accepted");  // an escaped backslash before u0000
  EXPECT_NE(refusal("\"\xC3(\""), "accepted");
  EXPECT_NE(refusal("\"\xED\xA0\x80\""), "accepted");
}

TEST(ParseJson, Survives_very_deep_nesting) { EXPECT_NE(refusal(std::string(1000000, '[')), "accepted"); }

TEST(RawJson, Holds_text_and_treats_empty_as_null) {
  EXPECT_TRUE(RawJson().is_null());
  EXPECT_TRUE(RawJson().parse().is_null());
  EXPECT_TRUE(RawJson(std::string("null")).is_null());
  EXPECT_EQ(RawJson(json::value{{"a", 1}}).text, R"({"a":1})");
  EXPECT_EQ(RawJson(std::string(R"({"a":[1]})")).parse().at("a").at(0).as_int64(), 1);
}

TEST(Lookups, Walk_objects_and_stop_at_anything_else) {
  const auto value = *parse_json(R"({"a":{"b":{"c":5}},"s":"  x ","blank":" ","n":1,"l":[1]})");
  ASSERT_NE(find_path(value, "a.b.c"), nullptr);
  EXPECT_EQ(*find_path(value, "a.b.c"), 5);
  EXPECT_EQ(find_path(value, "a.x.c"), nullptr);
  EXPECT_EQ(find_path(value, "s.b"), nullptr);
  EXPECT_EQ(find_path(value, "l.0"), nullptr);
  EXPECT_EQ(string_at(value, "s"), "  x ");
  EXPECT_EQ(text_at(value, "s"), "x");
  EXPECT_EQ(text_at(value, "blank"), std::nullopt);
  EXPECT_EQ(string_at(value, "n"), std::nullopt);
  EXPECT_EQ(string_at(value, "missing"), std::nullopt);
  EXPECT_EQ(member(json::value(1), "a"), nullptr);
}
