#include "base/write_json.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

using namespace paperclip;

namespace {

enum class Tone { calm, loud_ };
BOOST_DESCRIBE_ENUM(Tone, calm, loud_)

struct Base {
  std::string base_name = "b";
};
BOOST_DESCRIBE_STRUCT(Base, (), (base_name))

struct Part {
  int part_count = 2;
};
BOOST_DESCRIBE_STRUCT(Part, (), (part_count))

struct Whole : Base {
  IssueId issue_id;
  std::optional<std::string> parent;
  Omit<std::string> note;
  bool default_ = true;
  Tone tone = Tone::loud_;
  Timestamp created_at{0};
  std::vector<Part> parts{{}, {}};
  std::map<std::string, double> weights{{"a b", 0.5}};
  RawJson config{std::string(R"({"k":[1]})")};
  Flat<Part> own;
};
BOOST_DESCRIBE_STRUCT(Whole, (Base), (issue_id, parent, note, default_, tone, created_at, parts, weights, config, own))

}  // namespace

TEST(WriteJson, Writes_a_described_struct_with_wire_names) {
  EXPECT_EQ(
      write_json(Whole{}),
      R"({"baseName":"b","issueId":"00000000-0000-0000-0000-000000000000","parent":null,"default":true,"tone":"loud",)"
      R"("createdAt":"1970-01-01T00:00:00.000Z","parts":[{"partCount":2},{"partCount":2}],"weights":{"a b":0.5},)"
      R"("config":{"k":[1]},"partCount":2})");
}

TEST(WriteJson, Writes_an_omitted_field_only_when_it_holds_something) {
  Whole whole;
  whole.note = "seen";
  EXPECT_NE(write_json(whole).find(R"("parent":null,"note":"seen")"), std::string::npos);
}

TEST(WriteJson, An_empty_raw_text_is_null) { EXPECT_EQ(write_json(RawJson{}), "null"); }

TEST(WriteJson, Escapes_what_JSON_demands_and_leaves_the_rest) {
  EXPECT_EQ(write_json(std::string("a\"b\\c/\n\r\t\b\f\x01\x1f\x7f\xC3\xA4")),
            "\"a\\\"b\\\\c/\\n\\r\\t\\b\\f\\u0001\\u001f\x7f\xC3\xA4\"");
}

TEST(WriteJson, Writes_numbers_as_JavaScript_would_read_them) {
  EXPECT_EQ(write_json(1.0), "1");
  EXPECT_EQ(write_json(-0.25), "-0.25");
  EXPECT_EQ(write_json(0.1), "0.1");
  EXPECT_EQ(write_json(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(write_json(std::nan("")), "null");
  EXPECT_EQ(write_json(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(write_json(json::value{1.0, 1.5, 3u, nullptr}), "[1,1.5,3,null]");
}

// Boost.JSON 1.81 may miss a number of 17 digits by its last bit; what people write has fewer.
RC_GTEST_PROP(WriteJson, A_decimal_number_goes_through_both_ways_unchanged, ()) {
  const auto whole = *rc::gen::inRange<std::int64_t>(0, 1'000'000'000), thousandths = *rc::gen::inRange<std::int64_t>(0, 1000);
  const double number = static_cast<double>(whole * 1000 + thousandths) / 1000;
  const auto text = write_json(number);
  const auto back = parse_json(text);
  RC_ASSERT(back.ok());
  RC_ASSERT(back->to_number<double>() == number);
  RC_ASSERT(write_json(*back) == text);
}

RC_GTEST_PROP(WriteJson, What_is_written_reads_back_as_the_same_text, ()) {
  const auto text = *rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127));
  const auto back = parse_json(write_json(text));
  RC_ASSERT(back.ok());
  RC_ASSERT(std::string(back->as_string()) == text);
}

TEST(WriteJson, Patch_and_Default_write_what_they_hold) {
  EXPECT_EQ(write_json(Patch<int>(3)), "3");
  EXPECT_EQ(write_json(Patch<int>::null()), "null");
  EXPECT_EQ(write_json(Default<std::string>("x")), "\"x\"");
  EXPECT_EQ(write_json(Int<1, 9>(4)), "4");
}

TEST(JsonObjectWriter, Puts_commas_between_whatever_stands_in_it) {
  std::string out;
  JsonObjectWriter object(out);
  object.field("a", 1).members(Part{}).field("q\"", "x");
  append_json(object.begin("list"), std::vector<int>{1, 2});
  object.end();
  EXPECT_EQ(out, R"({"a":1,"partCount":2,"q\"":"x","list":[1,2]})");
}

TEST(JsonObjectWriter, An_object_without_fields_is_an_object) {
  std::string out;
  JsonObjectWriter(out).end();
  EXPECT_EQ(out, "{}");
}
