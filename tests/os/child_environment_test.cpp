#include "os/child_environment.h"

#include <gtest/gtest.h>

namespace paperclip::os {
namespace {

const Environment host{{"PATH", "/opt/bin"},
                       {"HOME", "/home/someone"},
                       {"LC_ALL", "C.UTF-8"},
                       {"https_proxy", "http://proxy"},
                       {"DATABASE_URL", "postgres://secret"},
                       {"BETTER_AUTH_SECRET", "secret"},
                       {"PAPERCLIP_SECRETS_MASTER_KEY", "secret"},
                       {"PAPERCLIP_API_KEY", "secret"},
                       {"PAPERCLIP_LISTEN_PORT", "3100"},
                       {"CLAUDECODE", "1"},
                       {"ANTHROPIC_API_KEY", "key"},
                       {"ANTHROPIC_BASE_URL", ""},
                       {"LD_PRELOAD", "/evil.so"},
                       {"UNKNOWN", "x"}};

TEST(ChildEnvironmentTest, Only_what_is_on_the_list_comes_in) {
  const Environment expected{{"PATH", "/opt/bin"},
                             {"HOME", "/home/someone"},
                             {"LC_ALL", "C.UTF-8"},
                             {"https_proxy", "http://proxy"},
                             {"PAPERCLIP_LISTEN_PORT", "3100"}};
  EXPECT_EQ(ChildEnvironment::from_host(host).variables(), expected);
}

TEST(ChildEnvironmentTest, Without_a_path_there_is_the_usual_one) {
  EXPECT_EQ(ChildEnvironment::from_host({}).variables(), (Environment{{"PATH", std::string(default_path)}}));
  EXPECT_EQ(ChildEnvironment::empty().value("PATH"), default_path);
}

TEST(ChildEnvironmentTest, More_can_be_allowed_but_never_what_the_server_keeps) {
  ChildEnvironment child = ChildEnvironment::empty();
  child.allow(host, {"ANTHROPIC_*", "UNKNOWN", "DATABASE_URL", "PAPERCLIP_*", "CLAUDE*"});
  EXPECT_EQ(child.value("ANTHROPIC_API_KEY"), "key");
  EXPECT_EQ(child.value("UNKNOWN"), "x");
  EXPECT_EQ(child.value("DATABASE_URL"), "");
  EXPECT_EQ(child.value("PAPERCLIP_API_KEY"), "");
  EXPECT_EQ(child.value("PAPERCLIP_LISTEN_PORT"), "3100");
  EXPECT_EQ(child.value("CLAUDECODE"), "");
  for (const auto& [name, value] : child.variables()) EXPECT_NE(value, "") << name;
}

TEST(ChildEnvironmentTest, Later_values_win_and_empty_ones_remove) {
  ChildEnvironment child = ChildEnvironment::empty();
  child.set("A", "1").set("B", "2").set("A", "3").set("B", "").set("C", "").set("PAPERCLIP_API_KEY", "run token");
  EXPECT_EQ(child.variables(), (Environment{{"PATH", std::string(default_path)}, {"A", "3"}, {"PAPERCLIP_API_KEY", "run token"}}));
}

TEST(ChildEnvironmentTest, Impossible_variables_and_signs_of_nesting_are_ignored) {
  ChildEnvironment child;
  child.set("", "x").set("A=B", "x").set("C", std::string_view("a\0b", 3)).set("CLAUDE_CODE_ENTRYPOINT", "cli");
  EXPECT_TRUE(child.variables().empty());
}

}  // namespace
}  // namespace paperclip::os
