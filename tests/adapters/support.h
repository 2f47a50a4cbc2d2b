#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>

#include "adapters/run.h"
#include "adapters/self_test.h"
#include "base/enum.h"
#include "base/random.h"

namespace paperclip::adapters {

/// A directory of its own that goes with the test.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("paperclip-adapters-" + Random::system().hex(8))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path write(const std::string& name, std::string_view content) const {
    const auto file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
    return file;
  }

 private:
  std::filesystem::path path_;
};

inline std::string read_file(const std::filesystem::path& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

inline std::string recorded(const std::string& name) {
  const std::string text = read_file(std::filesystem::path(PAPERCLIP_TEST_DATA) / name);
  EXPECT_FALSE(text.empty()) << "no such recording: " << name;
  return text;
}

inline json::object object_of(std::string_view text) { return parse_json(text).value().get_object(); }

/// A run on this machine, woken by an assignment.
inline RunContext sample_run(const Folder& folder) {
  RunContext run;
  run.run_id = *RunId::parse("aaaaaaaa-0000-4000-8000-000000000001");
  run.agent.id = *AgentId::parse("aaaaaaaa-0000-4000-8000-000000000002");
  run.agent.company_id = *CompanyId::parse("aaaaaaaa-0000-4000-8000-000000000003");
  run.agent.name = "Ada";
  run.agent.row = {{"id", run.agent.id.view()}, {"name", "Ada"}};
  run.auth_token = "run.token.value";
  run.api_url = "http://127.0.0.1:3100";
  run.agent_home = folder.path() / "home";
  run.instance_root = folder.path() / "instance";
  run.server_cwd = folder.path();
  run.host = {{"PATH", "/usr/bin:/bin"},
              {"HOME", folder.path().string()},
              {"DATABASE_URL", "postgres://secret"},
              {"BETTER_AUTH_SECRET", "server-secret"},
              {"PAPERCLIP_SECRETS_MASTER_KEY", "server-secret"},
              {"GITHUB_TOKEN", "server-secret"}};
  run.context = object_of(R"({"issueId":"i-1","taskId":"i-1","wakeReason":"issue_assigned",
    "paperclipWake":{"reason":"issue_assigned","issue":{"id":"i-1","identifier":"ABC-1","title":"Ship","status":"todo","priority":"high"},"comments":[],"commentIds":[]}})");
  run.context["paperclipWorkspace"] = {
      {"cwd", (folder.path() / "work").string()}, {"source", "project_primary"}, {"strategy", "git_worktree"}};
  return run;
}

inline std::string value_of(const os::Environment& environment, std::string_view name) {
  return std::string(os::value_in(environment, name));
}

/// `code:level` of each finding.
inline std::string codes(const std::vector<Check>& checks) {
  std::string out;
  for (const auto& check : checks)
    out += (out.empty() ? "" : " ") + check.code + ":" + std::string(to_text(check.level));
  return out;
}

}  // namespace paperclip::adapters
