#include "adapters/output.h"

#include "base/text.h"
#include "support.h"

namespace paperclip::adapters {
namespace {

std::vector<std::string> lines_of(const std::string& text, std::mt19937* random, std::size_t limit = 1 << 20) {
  std::vector<std::string> lines;
  LineReader reader([&](std::string_view line) { lines.emplace_back(line); }, limit);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = random == nullptr ? text.size() : 1 + (*random)() % 7;
    reader.feed(std::string_view(text).substr(at, length));
    at += length;
  }
  reader.finish();
  return lines;
}

TEST(LineReader, Lines_do_not_depend_on_where_chunks_are_cut) {
  std::mt19937 random(5);
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (std::size_t i = random() % 60; i > 0; --i) text += random() % 5 == 0 ? "\n" : random() % 4 == 0 ? "ü✓" : "x";
    EXPECT_EQ(lines_of(text, &random), lines_of(text, nullptr)) << text;
  }
}

TEST(LineReader, A_line_that_is_too_long_is_dropped_and_the_next_one_read) {
  std::mt19937 random(1);
  const std::string text = "short\n" + std::string(100, 'x') + "\nafter\n" + std::string(50, 'y');
  for (auto* r : {&random, static_cast<std::mt19937*>(nullptr)})
    EXPECT_EQ(lines_of(text, r, 20), (std::vector<std::string>{"short", "after"}));
}

TEST(LineReader, The_last_line_needs_no_newline) {
  EXPECT_EQ(lines_of("a\n\nb", nullptr), (std::vector<std::string>{"a", "b"}));
}

TEST(OutputTail, Keeps_the_end_and_never_half_a_character) {
  std::mt19937 random(9);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (std::size_t i = random() % 80; i > 0; --i) text += random() % 2 ? "✓" : random() % 2 ? "😀" : "a";
    OutputTail tail(10);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t length = 1 + random() % 30;
      tail.feed(std::string_view(text).substr(at, length));
      at += length;
    }
    const std::string kept = tail.text();
    EXPECT_TRUE(text.ends_with(kept)) << text << " / " << kept;
    EXPECT_LE(kept.size(), 10u);
    EXPECT_GE(kept.size(), std::min<std::size_t>(text.size(), 7));
  }
}

TEST(OutputTail, Broken_bytes_are_replaced_and_nul_left_out) {
  OutputTail tail;
  tail.feed(std::string("a\xFF") + '\0' + "b\xC3");
  EXPECT_EQ(tail.text(),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD");
  EXPECT_TRUE(valid_utf8(tail.text()));
}

TEST(StorableText, Is_valid_whatever_comes) {
  std::mt19937 random(2);
  for (int round = 0; round < 2000; ++round) {
    std::string noise;
    for (std::size_t i = random() % 12; i > 0; --i)
      noise += static_cast<char>(random() % 3 ? 0x80 + random() % 128 : random() % 128);
    EXPECT_TRUE(valid_utf8(storable_text(noise)));
    if (valid_utf8(noise) && noise.find('\0') == std::string::npos) { EXPECT_EQ(storable_text(noise), noise); }
  }
}

}  // namespace
}  // namespace paperclip::adapters
