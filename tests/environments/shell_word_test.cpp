#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "environments/place_files.h"
#include "os/process.h"

/// What is put into a command for the shell of a place arrives as it was, whatever it holds.
namespace paperclip::environments {
namespace {

RC_GTEST_PROP(ShellWord, The_shell_reads_back_every_word, ()) {
  const auto words = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(rc::gen::container<std::string>(
      rc::gen::weightedOneOf<char>({{3, rc::gen::elementOf(std::string("'\"\\$`!*?~#;&|<>(){}[] \t\n-=%"))}, {1, rc::gen::distinctFrom<char>('\0')}}))));
  std::string script = "printf '%s\\0'", expected;
  for (const auto& word : words) {
    script += " " + shell_word(word);
    expected += word + '\0';
  }
  os::Command command;
  command.argv = {"/bin/sh", "-c", script};
  const auto said = os::run_command(command, Deadline::in(std::chrono::seconds(60)));
  RC_ASSERT(said.ok());
  RC_ASSERT(said->exit_code == 0);
  RC_ASSERT(said->stdout_text == expected);
}

TEST(ShellWord, Nothing_in_it_is_run) {
  os::Command command;
  command.argv = {"/bin/sh", "-c", "printf '%s' " + shell_word("'; echo broken out; '$(echo too)`echo too`")};
  const auto said = os::run_command(command, Deadline::in(std::chrono::seconds(60)));
  ASSERT_TRUE(said.ok());
  EXPECT_EQ(said->stdout_text, "'; echo broken out; '$(echo too)`echo too`");
}

}  // namespace
}  // namespace paperclip::environments
