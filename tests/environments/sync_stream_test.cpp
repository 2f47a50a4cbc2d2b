#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "base/crypto.h"
#include "os/files.h"
#include "runner/bytes.h"
#include "runner/sync_stream.h"

/// What must not come out of a stream of files, and what a hash is (runner/sync_*).
namespace paperclip::sync {
namespace {

std::string hex(const Hash& hash) { return to_hex({reinterpret_cast<const char*>(hash.data()), hash.size()}); }

TEST(SyncHash, Is_BLAKE2b_of_256_bits) {
  EXPECT_EQ(hex(hash_of("")), "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
  EXPECT_EQ(hex(hash_of("abc")), "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
  const std::string long_text(100'000, 'q');
  Hasher pieces;
  for (std::size_t at = 0; at < long_text.size(); at += 777) pieces.add(std::string_view(long_text).substr(at, 777));
  EXPECT_EQ(pieces.finish(), hash_of(long_text));
}

TEST(SyncPaths, Only_plain_relative_paths_are_safe) {
  for (const char* path : {"a", "a/b.c", ".hidden", "..a", "a..", "a b"}) EXPECT_TRUE(is_safe_path(path)) << path;
  for (const char* path : {"", "/a", "..", "a/..", "../a", "a//b", "a/./b", "./a", "a/"}) EXPECT_FALSE(is_safe_path(path)) << path;
  EXPECT_FALSE(is_safe_path(std::string_view("a\0b", 3)));
  EXPECT_TRUE(stays_inside("a/b/link", "../../c"));
  EXPECT_FALSE(stays_inside("a/link", "../../c"));
  EXPECT_FALSE(stays_inside("link", "a/../../c"));
  EXPECT_FALSE(stays_inside("link", "/etc/passwd"));
}

class Hostile : public ::testing::Test {
 protected:
  // Gives the receiver these bytes and says whether it took them.
  bool receive(const std::string& bytes) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    Descriptor ours(ends[0]), theirs(ends[1]);
    EXPECT_TRUE(write_all(ours.get(), bytes));
    ::shutdown(ours.get(), SHUT_WR);
    const auto stage = *os::TemporaryDirectory::create();
    const auto fd = *os::open_directory(stage.path());
    delivery_ = {};
    error_.clear();
    return receive_parcel(fd.get(), theirs.get(), theirs.get(), delivery_, error_);
  }
  static std::string stream(std::string entries) { return std::string("P\1", 2) + entries + "E"; }
  static std::string file(std::string_view path, std::string_view content, bool wrong_hash = false) {
    std::string out;
    runner::ByteWriter writer(out);
    writer.number(std::uint8_t{'F'}).text(path).number(std::uint32_t{06755}).number(std::int64_t{0}).text(content).number(std::uint32_t{0});
    Hash hash = hash_of(content);
    if (wrong_hash) hash[0] ^= 1;
    out.append(reinterpret_cast<const char*>(hash.data()), hash.size());
    return out;
  }
  static std::string link(std::string_view path, std::string_view target) {
    std::string out;
    runner::ByteWriter(out).number(std::uint8_t{'L'}).text(path).text(target);
    return out;
  }
  Delivery delivery_;
  std::string error_;
};

TEST_F(Hostile, A_good_file_comes_without_set_id_bits) {
  ASSERT_TRUE(receive(stream(file("a", "content")))) << error_;
  EXPECT_EQ(delivery_.arrived.at("a").entry.mode, 0755u);
}

TEST_F(Hostile, Unsafe_paths_broken_contents_and_nonsense_are_refused) {
  for (const char* path : {"../a", "/etc/cron.d/a", "a/../../b", ".git/hooks/post-checkout", "sub/.git/config", ".paperclip-runtime/x", "a//b", ""})
    EXPECT_FALSE(receive(stream(file(path, "x")))) << path;
  EXPECT_FALSE(receive(stream(file("a", "content", true))));
  EXPECT_NE(error_.find("is not what was sent"), std::string::npos);
  EXPECT_FALSE(receive(stream(link("a", ""))));
  EXPECT_FALSE(receive(stream("Z")));
  EXPECT_FALSE(receive("P\2E"));
  EXPECT_FALSE(receive(std::string("P\1", 2) + file("a", "content"))) << "without an end it was cut off";
  std::string huge;
  runner::ByteWriter(huge).number(std::uint8_t{'F'}).text("a").number(std::uint32_t{0644}).number(std::int64_t{0}).number(std::uint32_t{0xffffffff});
  EXPECT_FALSE(receive(stream(huge)));
}

// A link and then a file "below" it: the file must not go where the link leads.
TEST_F(Hostile, Nothing_is_written_through_a_link) {
  const auto outside = *os::TemporaryDirectory::create();
  const auto root = *os::TemporaryDirectory::create();
  ASSERT_EQ(::symlink(outside.path().c_str(), (root.path() / "dir").c_str()), 0);
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  Descriptor ours(ends[0]), theirs(ends[1]);
  ASSERT_TRUE(write_all(ours.get(), stream(file("dir/file", "x"))));
  const auto fd = *os::open_directory(root.path());
  std::string name, error;
  const auto stage = make_stage(fd.get(), name, error);
  Delivery delivery;
  ASSERT_TRUE(receive_parcel(stage.get(), theirs.get(), theirs.get(), delivery, error)) << error;
  Placement placement;
  place_delivery(fd.get(), stage.get(), delivery, placement);
  EXPECT_EQ(placement.refused.size(), 1u);
  EXPECT_FALSE(std::filesystem::exists(outside.path() / "file"));
}

// The sender must not have more on the way than the window, however slow the other side is.
TEST(SyncStream, Keeps_to_the_window) {
  const auto root = *os::TemporaryDirectory::create();
  ASSERT_TRUE(os::write_file_atomically(root.path() / "big", std::string(3 * 1024 * 1024, 'x')).ok());
  const auto fd = *os::open_directory(root.path());
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  Descriptor ours(ends[0]), theirs(ends[1]);
  const int room = 8 * 1024 * 1024;
  ::setsockopt(ours.get(), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
  std::uint64_t read_so_far = 0;
  std::thread slow([&] {
    std::string buffer(1024 * 1024, '\0');
    std::uint64_t told = 0;
    for (;;) {
      const ssize_t got = ::read(theirs.get(), buffer.data(), buffer.size());
      if (got <= 0) return;
      read_so_far += static_cast<std::uint64_t>(got);
      EXPECT_LE(read_so_far - told, 64u * 1024) << "more than the window without a word from us";
      told = read_so_far;
      std::string word;
      runner::ByteWriter(word).number(std::uint8_t{'A'}).number(read_so_far);
      write_all(theirs.get(), word);
      if (read_so_far > 3 * 1024 * 1024 && buffer[static_cast<std::size_t>(got) - 1] == 'E') return answer_done(theirs.get());
    }
  });
  Tree tree;
  std::string error;
  ASSERT_TRUE(scan(fd.get(), {}, tree, error));
  const auto sent = send_parcel(fd.get(), tree, {.changed = {"big"}, .rights = {}, .removed = {}}, ours.get(), ours.get(), 64 * 1024);
  ours.reset();
  slow.join();
  EXPECT_TRUE(sent.ok()) << sent.error;
  EXPECT_EQ(sent.bytes, read_so_far);
}

}  // namespace
}  // namespace paperclip::sync
