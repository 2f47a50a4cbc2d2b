#include "os/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <thread>

namespace paperclip::os {
namespace {

class FilesTest : public ::testing::Test {
 protected:
  TemporaryDirectory directory_ = std::move(TemporaryDirectory::create()).value();
  std::filesystem::path at(const char* name) const { return directory_.path() / name; }
  static unsigned mode_of(const std::filesystem::path& path) {
    struct stat there {};
    return ::lstat(path.c_str(), &there) == 0 ? there.st_mode & 07777u : 0u;
  }
};

TEST_F(FilesTest, What_is_written_is_read) {
  const std::string bytes("a\0b\n\xff", 5);
  for (const auto durability : {Durability::visible, Durability::synced}) {
    ASSERT_TRUE(write_file_atomically(at("file"), bytes, 0640, durability));
    EXPECT_EQ(*read_file(at("file")), bytes);
    EXPECT_EQ(mode_of(at("file")), 0640u);
  }
  EXPECT_EQ(*list_directory(directory_.path()), std::vector<std::string>{"file"});  // nothing left beside it
}

TEST_F(FilesTest, The_mode_holds_whatever_the_umask_says) {
  const mode_t before = ::umask(0777);
  const auto written = write_file_atomically(at("file"), "x", 0604);
  ::umask(before);
  ASSERT_TRUE(written);
  EXPECT_EQ(mode_of(at("file")), 0604u);
}

TEST_F(FilesTest, Errors_say_what_and_where) {
  const auto missing = read_file(at("none"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::not_found);
  EXPECT_NE(missing.error().message.find(at("none").string()), std::string::npos);
  EXPECT_EQ(write_file_atomically(at("none/file"), "x").error().kind, ErrorKind::not_found);
}

TEST_F(FilesTest, A_file_beyond_the_limit_is_refused) {
  ASSERT_TRUE(write_file_atomically(at("file"), std::string(100, 'x')));
  EXPECT_EQ(read_file(at("file"), 100)->size(), 100u);
  EXPECT_EQ(read_file(at("file"), 99).error().kind, ErrorKind::too_large);
}

// Files under /proc say that they are empty and are not.
TEST_F(FilesTest, Files_without_a_size_are_read) { EXPECT_GT(read_file("/proc/self/maps")->size(), 4096u); }

// Many writers of one file: a reader sees one of them whole, and nothing is left behind.
TEST_F(FilesTest, Readers_never_see_half_a_file) {
  ASSERT_TRUE(write_file_atomically(at("file"), std::string(5000, 'z')));
  std::vector<std::thread> writers;
  for (char letter = 'a'; letter < 'e'; ++letter)
    writers.emplace_back([this, letter] {
      for (int i = 0; i < 200; ++i) EXPECT_TRUE(write_file_atomically(at("file"), std::string(5000, letter)));
    });
  for (int i = 0; i < 500; ++i) {
    const std::string seen = *read_file(at("file"));
    ASSERT_EQ(seen, std::string(5000, seen.at(0)));
  }
  for (auto& writer : writers) writer.join();
  EXPECT_EQ(list_directory(directory_.path())->size(), 1u);
}

TEST_F(FilesTest, Directories_are_made_with_their_parents) {
  ASSERT_TRUE(make_directories(at("a/b/c"), 0750));
  ASSERT_TRUE(make_directories(at("a/b/c"), 0700));
  EXPECT_EQ(mode_of(at("a")), 0750u);
  EXPECT_EQ(mode_of(at("a/b/c")), 0750u);
  std::ofstream(at("file")) << "x";
  EXPECT_EQ(make_directories(at("file")).error().kind, ErrorKind::conflict);
  EXPECT_FALSE(make_directories(at("file/below")));
}

// Removing a tree leaves alone what links in it point to, and manages read-only directories.
TEST_F(FilesTest, Removing_a_tree_follows_no_link) {
  ASSERT_TRUE(make_directories(at("outside")));
  ASSERT_TRUE(write_file_atomically(at("outside/file"), "kept"));
  ASSERT_TRUE(make_directories(at("tree/deep/deeper")));
  ASSERT_TRUE(write_file_atomically(at("tree/deep/file"), "gone"));
  std::filesystem::create_symlink(at("outside"), at("tree/link"));
  std::filesystem::create_symlink(at("outside/file"), at("tree/deep/link"));
  ::chmod(at("tree/deep").c_str(), 0500);
  ASSERT_TRUE(remove_tree(at("tree")));
  EXPECT_FALSE(std::filesystem::exists(at("tree")));
  EXPECT_EQ(*read_file(at("outside/file")), "kept");

  std::filesystem::create_symlink(at("outside"), at("link"));
  ASSERT_TRUE(remove_tree(at("link")));
  EXPECT_EQ(*read_file(at("outside/file")), "kept");
  EXPECT_TRUE(remove_tree(at("nothing")));
}

TEST_F(FilesTest, A_temporary_directory_goes_with_its_object) {
  std::filesystem::path path;
  {
    TemporaryDirectory first = std::move(TemporaryDirectory::create("test-")).value();
    path = first.path();
    EXPECT_EQ(mode_of(path), 0700u);
    ASSERT_TRUE(write_file_atomically(path / "file", "x"));
    const TemporaryDirectory second = std::move(first);
    EXPECT_TRUE(std::filesystem::exists(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace paperclip::os
