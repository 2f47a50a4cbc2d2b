#include "adapters/text_signs.h"

#include <array>
#include <regex>

#include "support.h"

namespace paperclip::adapters {
namespace {

TEST(TextSigns, Match_white_space_hyphens_borders_and_case) {
  EXPECT_TRUE(line_matches("You are NOT \t logged in.", "not logged in"));
  EXPECT_FALSE(line_matches("notlogged in", "not logged in"));
  for (auto text : {"rate limited", "rate-limit", "RateLimit"}) EXPECT_TRUE(line_matches(text, "rate~limit")) << text;
  EXPECT_FALSE(line_matches("rate  limit", "rate~limit"));
  EXPECT_TRUE(line_matches("status 429.", "#429#"));
  EXPECT_FALSE(line_matches("id 14290", "#429#"));
  EXPECT_TRUE(line_matches("429", "#429#"));
  EXPECT_TRUE(line_matches("Session abc-1 was not found", "session * not found"));
  EXPECT_FALSE(line_matches("not found session", "session * not found"));
}

TEST(TextSigns, A_wildcard_stays_on_its_line) {
  constexpr std::array<std::string_view, 1> signs = {"session * not found"};
  EXPECT_FALSE(mentions("session 1\nnot found", signs));
  EXPECT_TRUE(mentions("x\nsession 1 is not found\n", signs));
  EXPECT_FALSE(mentions("", signs));
}

// The little language says what the regular expressions of the reference say.
TEST(TextSigns, Agree_with_regular_expressions) {
  const std::vector<std::pair<std::string_view, std::regex>> pairs = {{"a b", std::regex("a\\s+b")},
                                                                      {"a~b", std::regex("a[-\\s]?b")},
                                                                      {"#ab#", std::regex("\\bab\\b")},
                                                                      {"a*b a", std::regex("a.*b\\s+a")},
                                                                      {"b*a~a", std::regex("b.*a[-\\s]?a")}};
  std::mt19937 random(13);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (std::size_t i = random() % 12; i > 0; --i) text += "ab -."[random() % 5];
    for (const auto& [pattern, expression] : pairs)
      EXPECT_EQ(line_matches(text, pattern), std::regex_search(text, expression)) << '"' << text << "\" " << pattern;
  }
}

}  // namespace
}  // namespace paperclip::adapters
