#include "base/text.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

using namespace paperclip;

TEST(Trim, Removes_what_JavaScript_calls_white_space_at_both_ends) {
  EXPECT_EQ(trim(" \t\r\n\v\fa b\n "), "a b");
  EXPECT_EQ(trim("\xC2\xA0x\xC2\xA0"), "x");                      // no-break space
  EXPECT_EQ(trim("\xEF\xBB\xBFx\xE2\x80\xA8\xE2\x80\xA9"), "x");  // BOM, line and paragraph separator
  EXPECT_EQ(trim("\xE3\x80\x80x\xE1\x9A\x80"), "x");              // ideographic and ogham space
  EXPECT_EQ(trim(""), "");
  EXPECT_EQ(trim(" \n\t "), "");
}

TEST(Trim, Leaves_characters_that_only_share_bytes_with_white_space) {
  EXPECT_EQ(trim("\xC3\xA0"), "\xC3\xA0");          // à ends with the byte of a no-break space
  EXPECT_EQ(trim("\xE2\x80\xA6"), "\xE2\x80\xA6");  // … begins like a line separator
  EXPECT_EQ(trim("a\xC2\xA0 b"), "a\xC2\xA0 b");
}

RC_GTEST_PROP(Trim, Trimming_twice_changes_nothing, (const std::string& text)) {
  const std::string once(trim(text));
  RC_ASSERT(std::string(trim(once)) == once);
}

TEST(Case, Folds_ASCII_only) {
  EXPECT_EQ(lower("AbZ\xC3\x84"), "abz\xC3\x84");
  EXPECT_EQ(upper("aBz\xC3\xA4"), "ABZ\xC3\xA4");
  EXPECT_TRUE(equals_ignoring_case("Content-Type", "content-TYPE"));
  EXPECT_FALSE(equals_ignoring_case("a", "ab"));
  EXPECT_FALSE(equals_ignoring_case("[", "{"));  // 32 apart, but no letters
}

TEST(Utf8, Accepts_every_width_and_the_borders_of_each) {
  EXPECT_TRUE(valid_utf8(""));
  EXPECT_TRUE(valid_utf8("\x7F\xC2\x80\xDF\xBF"));
  EXPECT_TRUE(valid_utf8("\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF"));
  EXPECT_TRUE(valid_utf8("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"));
}

TEST(Utf8, Refuses_overlong_surrogate_torn_and_too_large) {
  for (const char* bad : {"\x80", "\xC0\xAF", "\xC1\xBF", "\xC3", "\xC3(", "\xE0\x9F\xBF", "\xE2\x82", "\xED\xA0\x80",
                          "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "ok\xFEok"})
    EXPECT_FALSE(valid_utf8(bad)) << bad;
}

TEST(Utf16Length, Counts_code_units_as_JavaScript_does) {
  EXPECT_EQ(utf16_length(""), 0u);
  EXPECT_EQ(utf16_length("abc"), 3u);
  EXPECT_EQ(utf16_length("\xC3\xA4\xE2\x82\xAC"), 2u);
  EXPECT_EQ(utf16_length("\xF0\x9F\x93\x8E"), 2u);  // one paper clip, two units
}

TEST(Utf16Prefix, Never_cuts_a_character) {
  EXPECT_EQ(utf16_prefix("abc", 2), "ab");
  EXPECT_EQ(utf16_prefix("abc", 9), "abc");
  EXPECT_EQ(utf16_prefix("a\xF0\x9F\x93\x8E", 2), "a");
  EXPECT_EQ(utf16_prefix("a\xF0\x9F\x93\x8E", 3), "a\xF0\x9F\x93\x8E");
  EXPECT_EQ(utf16_prefix("\xC3\xA4\xC3\xA4", 1), "\xC3\xA4");
  EXPECT_EQ(utf16_prefix("abc", 0), "");
}

TEST(Utf8Tail, Begins_at_a_character) {
  EXPECT_EQ(utf8_tail("abcdef", 3), "def");
  EXPECT_EQ(utf8_tail("ab", 3), "ab");
  EXPECT_EQ(utf8_tail("a\xE2\x82\xAC"
                      "b",
                      3),
            "b");
  EXPECT_EQ(utf8_tail("a\xE2\x82\xAC"
                      "b",
                      4),
            "\xE2\x82\xAC"
            "b");
}

TEST(Split, Keeps_empty_parts) {
  EXPECT_EQ(split("a,,b,", ','), (std::vector<std::string>{"a", "", "b", ""}));
  EXPECT_EQ(split("", ','), (std::vector<std::string>{""}));
}

TEST(ReplaceAll, Does_not_look_at_what_it_put_in) {
  EXPECT_EQ(replace_all("aaa", "a", "aa"), "aaaaaa");
  EXPECT_EQ(replace_all("a.b.c", ".", ""), "abc");
  EXPECT_EQ(replace_all("abc", "x", "y"), "abc");
}

TEST(CamelCase, Raises_the_letter_after_an_underscore) {
  EXPECT_EQ(camel_case("assignee_agent_id"), "assigneeAgentId");
  EXPECT_EQ(camel_case("id"), "id");
  EXPECT_EQ(camel_case("sha_256"), "sha256");
}

TEST(Percent, Decodes_and_refuses_malformed_escapes) {
  EXPECT_EQ(percent_decode("a%20b%2Fc%C3%A4"), "a b/c\xC3\xA4");
  EXPECT_EQ(percent_decode("a+b"), "a+b");
  EXPECT_EQ(percent_decode("a+b", true), "a b");
  EXPECT_EQ(percent_decode("%2b", true), "+");
  for (const char* bad : {"%", "%2", "a%zz", "%2g"}) EXPECT_EQ(percent_decode(bad), std::nullopt) << bad;
}

TEST(Percent, Encodes_all_but_unreserved_characters) {
  EXPECT_EQ(percent_encode("aZ09-_.~"), "aZ09-_.~");
  EXPECT_EQ(percent_encode("a b/\xC3\xA4+"), "a%20b%2F%C3%A4%2B");
}

RC_GTEST_PROP(Percent, Decoding_undoes_encoding, (const std::string& text)) {
  RC_ASSERT(percent_decode(percent_encode(text)) == text);
  RC_ASSERT(percent_decode(percent_encode(text), true) == text);
}
