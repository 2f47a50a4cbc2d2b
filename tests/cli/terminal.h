#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/program.h"
#include "os/files.h"
#include "server/server.h"

namespace paperclip::cli {

struct Ran {
  int exit_code = 0;
  std::string out, err;

  json::value json() const {
    auto parsed = parse_json(out);
    if (!parsed) ADD_FAILURE() << "not JSON: " << out << err;
    return parsed ? *parsed : json::value(nullptr);
  }
};

/// A person at a terminal: a home of their own, nothing of this process's environment but PATH.
class Terminal {
 public:
  Terminal() : home_(*os::TemporaryDirectory::create("paperclip-cli-")) {
    variables["HOME"] = home_.path().string();
    variables["PATH"] = std::getenv("PATH");
  }

  Ran run(std::vector<std::string> arguments, const std::string& typed = {}) {
    std::istringstream in(typed);
    std::ostringstream out, err;
    const Surroundings around{.environment = [this](const std::string& name) -> std::optional<std::string> {
                                const auto at = variables.find(name);
                                return at == variables.end() ? std::nullopt : std::optional(at->second);
                              },
                              .working_directory = home_.path(),
                              .in = in,
                              .out = out,
                              .err = err,
                              .interactive = !typed.empty()};
    Ran ran;
    ran.exit_code = cli::run(std::move(arguments), around);
    ran.out = out.str();
    ran.err = err.str();
    return ran;
  }
  std::filesystem::path path(const std::string& below) const { return home_.path() / below; }
  std::filesystem::path instance(const std::string& below) const {
    return home_.path() / ".paperclip/instances/default" / below;
  }

  std::map<std::string, std::string> variables;

 private:
  os::TemporaryDirectory home_;
};

/// With a real server that the terminal's variables point at.
class WithServer : public ::testing::Test {
 protected:
  void SetUp() override {
    server_home_.emplace(*os::TemporaryDirectory::create("paperclip-cli-server-"));
    start_server(server_home_->path());
  }
  void TearDown() override { server_.reset(); }

  /// In place of the one that ran.
  void start_server(const std::filesystem::path& home) {
    server_.reset();
    const std::map<std::string, std::string> settings{{"PAPERCLIP_HOME", home.string()}, {"PORT", "0"}};
    auto config = server::load_config(
        [&](const std::string& name) -> std::optional<std::string> {
          const auto at = settings.find(name);
          return at == settings.end() ? std::nullopt : std::optional(at->second);
        },
        home);
    ASSERT_TRUE(config.ok()) << config.error().message;
    auto server = server::Server::start(*std::move(config));
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = *std::move(server);
    base_ = "http://127.0.0.1:" + std::to_string(server_->port());
    terminal_.variables["PAPERCLIP_API_URL"] = base_;
  }

  Ran run(std::vector<std::string> arguments, const std::string& typed = {}) {
    return terminal_.run(std::move(arguments), typed);
  }
  /// With `--json`, which must succeed.
  json::value get(std::vector<std::string> arguments) {
    arguments.push_back("--json");
    const Ran ran = run(std::move(arguments));
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    return ran.json();
  }
  std::string text(const json::value& object, std::string_view key) { return string_at(object, key).value_or(""); }
  /// A company that all later commands mean.
  std::string found(const std::string& name) {
    const std::string id = text(get({"company", "create", "--name", name}), "id");
    terminal_.variables["PAPERCLIP_COMPANY_ID"] = id;
    return id;
  }
  json::value hire(const std::string& name, const std::string& script) {
    return get(
        {"agent", "create", "--name", name, "--command", "/bin/sh", "--arg", "-c", "--arg", script, "--cwd", "/"});
  }

  Terminal terminal_;
  std::optional<os::TemporaryDirectory> server_home_;
  std::unique_ptr<server::Server> server_;
  std::string base_;
};

}  // namespace paperclip::cli
