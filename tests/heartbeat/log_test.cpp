#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "base/crypto.h"
#include "heartbeat/log_pipe.h"
#include "heartbeat/run_log.h"
#include "os/files.h"

/// What a run says on its way into the log (spec/execution.md 11).
namespace paperclip::heartbeat {
namespace {

using domain::OutputStream;

std::string through(LogPipe& pipe, std::initializer_list<std::string_view> chunks) {
  std::string out;
  for (auto chunk : chunks) out += pipe.feed(chunk);
  return out + pipe.finish();
}

TEST(SecretMask, Hides_a_secret_however_it_is_cut) {
  const SecretMask mask({"hidden-value-1"});
  const std::string text = "before hidden-value-1 after hidden-valu";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    LogPipe pipe(mask);
    EXPECT_EQ(through(pipe, {std::string_view(text).substr(0, cut), std::string_view(text).substr(cut)}), "before ***REDACTED*** after hidden-valu") << cut;
    EXPECT_EQ(pipe.taken(), text.size());
  }
  LogPipe bytes(mask);
  std::string out;
  for (char c : text) out += bytes.feed(std::string_view(&c, 1));
  EXPECT_EQ(out + bytes.finish(), "before ***REDACTED*** after hidden-valu");
}

TEST(SecretMask, Prefers_the_longer_of_two_secrets_and_leaves_short_ones_alone) {
  const SecretMask mask({"secret", "secret-and-more", "abc"});
  EXPECT_EQ(mask.mask("secret-and-more secret secret-and abc"), "***REDACTED*** ***REDACTED*** ***REDACTED***-and abc");
  EXPECT_EQ(SecretMask({"line\nend"}).mask(R"({"x":"line\nend"})"), R"({"x":"***REDACTED***"})") << "as JSON writes it";
}

// Any cut into any number of chunks, secrets that overlap and begin each other, and a server that dies in between: what is
// logged is the whole masked, and never a byte of a secret.
TEST(SecretMask, Hides_secrets_however_often_they_are_cut_and_whoever_goes_on) {
  const std::vector<std::string> secrets{"token-abcabc", "abcabcabd", "abcabc", "line\nwith\"quote"};
  const SecretMask mask(secrets);
  const std::string text = "x token-abcabcabd abcabcabcabd line\nwith\"quote line\\nwith\\\"quote token-abcab gr\xC3\xBC\xC3\x9F" "e abcabca";
  const std::string whole = mask.mask(text);
  for (const auto& secret : secrets) EXPECT_EQ(whole.find(secret), std::string::npos) << whole;
  std::mt19937 random(5);
  for (int round = 0; round < 3000; ++round) {
    std::string out;
    std::uint64_t logged = 0;
    for (bool over = false; !over;) {
      LogPipe pipe(mask, logged);  // the next server goes on behind what is logged
      std::size_t at = logged;
      const int chunks = 1 + static_cast<int>(random() % 6);
      for (int i = 0; i < chunks && at < text.size(); ++i) {
        const std::size_t size = 1 + random() % 20;
        out += pipe.feed(std::string_view(text).substr(at, size));
        at = std::min(text.size(), at + size);
        logged = pipe.taken();
      }
      if (at < text.size()) continue;
      out += pipe.finish();
      over = true;
    }
    ASSERT_EQ(out, whole);
  }
}

TEST(LogPipe, Keeps_characters_whole_and_replaces_what_is_none) {
  const SecretMask none;
  LogPipe pipe(none);
  EXPECT_EQ(pipe.feed("gr\xC3"), "gr");
  EXPECT_EQ(pipe.taken(), 2u);
  EXPECT_EQ(pipe.feed("\xBC\xC3\x9F"), "\xC3\xBC\xC3\x9F");
  EXPECT_EQ(pipe.feed("\xF0\x9F"), "");
  EXPECT_EQ(pipe.finish(), "\xEF\xBF\xBD\xEF\xBF\xBD") << "the end comes in the middle of a character";
}

TEST(LogPipe, Leaves_images_out_even_across_chunks) {
  const SecretMask none;
  LogPipe pipe(none);
  const std::string opening = R"({"type":"image","source":{"type":"base64","data":")";
  const std::string data(5000, 'A');
  EXPECT_EQ(through(pipe, {opening, std::string_view(data).substr(0, 3000), std::string_view(data).substr(3000), R"("}} tail)"}),
            opening + "[omitted base64 image data: 5000 chars]\"}} tail");
}

TEST(LogPipe, Cuts_the_middle_out_of_a_huge_chunk) {
  const std::string cut = bounded_log_chunk(std::string(70000, 'x'));
  EXPECT_LT(cut.size(), 60000u);
  EXPECT_NE(cut.find("[paperclip truncated run log chunk: omitted 14295 chars]"), std::string::npos);
}

class Logs : public ::testing::Test {
 protected:
  os::TemporaryDirectory place_ = *os::TemporaryDirectory::create();
  const Timestamp now_{1777773072345};
  std::string text() { return *os::read_file(place_.path() / "log.ndjson"); }
};

TEST_F(Logs, A_server_that_takes_over_cuts_the_torn_line_and_goes_on_behind_it) {
  {
    auto log = *RunLog::open(place_.path(), "log.ndjson");
    ASSERT_TRUE(log.append(now_, OutputStream::stdout_, "[paperclip] hello\n", 0).ok());
    ASSERT_TRUE(log.append(now_, OutputStream::stdout_, "one\n", 4).ok());
    ASSERT_TRUE(log.append(now_, OutputStream::stderr_, "oops\n", 5).ok());
  }
  const std::string whole = text();
  std::ofstream(place_.path() / "log.ndjson", std::ios::app) << R"({"ts":"2026-05-03T01:51:12.345Z","offset":"8","stre)";
  auto log = *RunLog::open(place_.path(), "log.ndjson");
  EXPECT_EQ(text(), whole);
  EXPECT_EQ(log.positions().out, 4u);
  EXPECT_EQ(log.positions().err, 5u);
  EXPECT_EQ(log.lines(), 3);
  EXPECT_EQ(log.tail(OutputStream::stdout_), "[paperclip] hello\none\n");
  ASSERT_TRUE(log.append(now_, OutputStream::stdout_, "two\n", 8).ok());
  EXPECT_EQ(text(), whole + R"({"ts":"2026-05-03T01:51:12.345Z","offset":"8","stream":"stdout","chunk":"two\n"})" + "\n");
  EXPECT_EQ(log.finish_sha256(), sha256_hex(text()));
  EXPECT_EQ(log.bytes(), text().size());
}

TEST_F(Logs, A_read_ends_between_characters_and_says_where_to_go_on) {
  std::ofstream(place_.path() / "log.ndjson") << "ab\xC3\xBC" << "cd";
  const auto piece = read_run_log(place_.path(), "log.ndjson", 0, 3);
  ASSERT_TRUE(piece.ok());
  EXPECT_EQ(piece->content, "ab");
  EXPECT_EQ(piece->next_offset, 2u);
  const auto rest = read_run_log(place_.path(), "log.ndjson", 2, 100);
  EXPECT_EQ(rest->content, "\xC3\xBC" "cd");
  EXPECT_FALSE(rest->next_offset);
  EXPECT_EQ(read_run_log(place_.path(), "log.ndjson", 99, 100)->content, "");
  EXPECT_EQ(read_run_log(place_.path(), "gone.ndjson", 0, 100).error().message, "Run log not found");
}

}  // namespace
}  // namespace paperclip::heartbeat
