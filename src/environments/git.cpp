#include "environments/git.h"

#include "base/text.h"
#include "os/child_environment.h"
#include "os/files.h"

namespace paperclip::environments {

namespace fs = std::filesystem;

Git::Git(fs::path directory, const os::Environment& host) : directory_(std::move(directory)) {
  auto environment = os::ChildEnvironment::from_host(host);
  environment.allow(host, {"GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_CONFIG_*", "GIT_AUTHOR_*", "GIT_COMMITTER_*"});
  environment.set("GIT_TERMINAL_PROMPT", "0").set("LC_ALL", "C");
  environment_ = std::move(environment).variables();
}

Git Git::at(fs::path directory) const {
  Git other;
  other.directory_ = std::move(directory);
  other.environment_ = environment_;
  return other;
}

Result<os::CommandOutput> Git::run(const std::vector<std::string>& arguments, Deadline deadline) const {
  os::Command command;
  command.argv = {"git", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.cwd = directory_.string();
  command.environment = environment_;
  return os::run_command(command, deadline);
}

Result<std::string> Git::text(const std::vector<std::string>& arguments, Deadline deadline) const {
  auto output = TRY(run(arguments, deadline));
  if (!output.ok()) return unprocessable(shown(arguments) + " failed: " + reason_of(output));
  if (output.stdout_text.ends_with('\n')) output.stdout_text.pop_back();
  return std::move(output.stdout_text);
}

bool Git::succeeds(const std::vector<std::string>& arguments, Deadline deadline) const {
  const auto output = run(arguments, deadline);
  return output.ok() && output->ok();
}

std::string Git::shown(const std::vector<std::string>& arguments) {
  std::string out = "git";
  for (const auto& argument : arguments) (out += ' ') += argument;
  return out;
}

std::string reason_of(const os::CommandOutput& output) {
  for (const auto* text : {&output.stderr_text, &output.stdout_text})
    for (const auto& line : split(*text, '\n'))
      if (const auto words = trim(line); !words.empty() && !words.starts_with("Cloning into") && !words.starts_with("Preparing worktree")) return std::string(words);
  return "exit code " + std::to_string(output.exit_code);
}

std::string without_credentials(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto scheme = text.find("://", at);
    if (scheme == std::string_view::npos) return out += text.substr(at);
    const auto start = scheme + 3;
    out += text.substr(at, start - at);
    const auto end = std::min(text.find_first_of("/ \t\n\"'", start), text.size());
    const auto host = text.substr(start, end - start).rfind('@');
    at = host == std::string_view::npos ? start : start + host + 1;
  }
  return out;
}

Result<fs::path> repository_root(const Git& git, Deadline deadline) {
  const auto common = TRY(git.text({"rev-parse", "--path-format=absolute", "--git-common-dir"}, deadline));
  std::error_code ec;
  const fs::path directory = fs::weakly_canonical(common, ec);
  if (directory.filename() == ".git") return directory.parent_path();
  // A bare repository, or a .git that is kept elsewhere: then the checkout itself is the root.
  return fs::path(TRY(git.text({"rev-parse", "--show-toplevel"}, deadline)));
}

std::optional<std::string> default_branch(const Git& git, Deadline deadline) {
  if (auto head = git.text({"symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD"}, deadline); head && !head->empty()) return *std::move(head);
  for (const char* name : {"origin/main", "origin/master"})
    if (git.succeeds({"rev-parse", "--verify", "--quiet", std::string("refs/remotes/") + name}, deadline)) return name;
  return std::nullopt;
}

Result<> clone_repository(const std::string& url, const fs::path& directory, const os::Environment& host, Deadline deadline) {
  TRY(os::make_directories(directory.parent_path()));
  const fs::path beside = directory.parent_path() / ("." + directory.filename().string() + ".cloning");
  TRY(os::remove_tree(beside));
  const Git git(directory.parent_path(), host);
  auto output = git.run({"clone", "--", url, beside.string()}, deadline);
  if (!output || !output->ok()) {
    (void)os::remove_tree(beside);
    if (!output) return std::move(output).error();
    return unprocessable(without_credentials(reason_of(*output)));
  }
  std::error_code ec;
  fs::remove(directory, ec);  // an empty one
  fs::rename(beside, directory, ec);
  if (ec) {
    (void)os::remove_tree(beside);
    return internal_error("Cannot move the clone to \"" + directory.string() + "\": " + ec.message());
  }
  return {};
}

}  // namespace paperclip::environments
