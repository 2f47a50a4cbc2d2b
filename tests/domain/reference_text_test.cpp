#include "domain/issues/reference_text.h"

#include <gtest/gtest.h>

namespace paperclip::domain {
namespace {

std::vector<std::string> named(std::string_view text) {
  std::vector<std::string> names;
  for (const auto& reference : issue_references(text)) names.push_back(reference.identifier);
  return names;
}

using Names = std::vector<std::string>;

TEST(ReferenceText, An_identifier_is_found_in_any_case_and_named_once) {
  EXPECT_EQ(named("see acm-12, ACM-12 and (BET-7)."), (Names{"ACM-12", "BET-7"}));
}

TEST(ReferenceText, A_path_or_url_with_an_issues_segment_names_its_issue) {
  const auto found =
      issue_references("as in [this](/ACM/issues/ACM-2#comment-1) and http://host/ACM/issues/acm-3?x=1.");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].identifier, "ACM-2");
  EXPECT_EQ(found[0].matched_text, "/ACM/issues/ACM-2#comment-1");
  EXPECT_EQ(found[1].identifier, "ACM-3");
  EXPECT_EQ(found[1].matched_text, "http://host/ACM/issues/acm-3?x=1");
}

TEST(ReferenceText, A_url_without_an_issues_segment_names_nothing) {
  EXPECT_TRUE(named("https://host/ACM-2 and /a/ACM-3").empty());
}

TEST(ReferenceText, A_url_that_follows_letters_is_still_seen) {
  EXPECT_EQ(named("xhttps://host/issues/ACM-4"), Names{"ACM-4"});
}

TEST(ReferenceText, Code_is_not_looked_into) {
  EXPECT_EQ(named("`ACM-1` ACM-2 ``a `ACM-3` b``"), Names{"ACM-2"});
  EXPECT_EQ(named("```\nACM-1\n```\nACM-2\n~~~sh\nACM-3\n```\nACM-4\n~~~\n"), Names{"ACM-2"});
}

TEST(ReferenceText, An_open_fence_reaches_to_the_end) { EXPECT_TRUE(named("```\nACM-1").empty()); }

TEST(ReferenceText, Letters_without_a_number_are_no_identifier) {
  EXPECT_TRUE(named("well-known UTF- -8 8-8").empty());
  EXPECT_FALSE(is_issue_identifier("ACM"));
  EXPECT_FALSE(is_issue_identifier("ACM-1x"));
  EXPECT_TRUE(is_issue_identifier("acm-1"));
}

TEST(ReferenceText, A_mention_is_a_name_behind_an_at_sign_that_no_word_precedes) {
  EXPECT_EQ(agent_mentions("please help, @Ben! and @ada. but not x@carl").names, (Names{"ben", "ada"}));
  EXPECT_EQ(agent_mentions("@O&#39;Neil&amp;co @&unknown;").names, (Names{"o'neil&co", "&unknown;"}));
  EXPECT_EQ(agent_mentions("[Ben](agent://id-1?i=bot) [Ben](agent://id-1) agent://id-2").ids, Names{"id-1"});
}

TEST(ReferenceText, A_plan_element_is_taken_from_a_description) {
  EXPECT_EQ(legacy_plan("a <PLAN>\n do it \n</plan> b <plan>x</plan>"), "do it");
  EXPECT_EQ(legacy_plan("<plan>never closed"), "");
}

}  // namespace
}  // namespace paperclip::domain
