#include "environments/git_worktree.h"

#include <algorithm>

#include "base/text.h"
#include "os/files.h"

namespace paperclip::environments {

namespace fs = std::filesystem;
using domain::WorkspaceOperationPhase;

namespace {

struct Registered {
  fs::path path;
  std::string branch;  // empty: detached
};

fs::path real(const fs::path& path) {
  std::error_code ec;
  const auto out = fs::weakly_canonical(path, ec);
  return ec ? path : out;
}

Result<std::vector<Registered>> registered_worktrees(const Git& git, Deadline deadline) {
  const auto listing = TRY(git.text({"worktree", "list", "--porcelain"}, deadline));
  std::vector<Registered> out;
  for (const auto& line : split(listing, '\n')) {
    constexpr std::string_view worktree = "worktree ", branch = "branch refs/heads/";
    if (line.starts_with(worktree)) out.push_back({line.substr(worktree.size()), {}});
    else if (line.starts_with(branch) && !out.empty()) out.back().branch = line.substr(branch.size());
  }
  return out;
}

/// Why the folder is not the worktree of that branch; empty if it is.
std::string why_not_reusable(const Git& git, const std::vector<Registered>& known, const fs::path& path, const std::string& branch, Deadline deadline) {
  const auto found = std::find_if(known.begin(), known.end(), [&](const Registered& one) { return real(one.path) == real(path); });
  if (found == known.end()) return "path is not registered in `git worktree list`";
  const auto top = git.at(path).text({"rev-parse", "--show-toplevel"}, deadline);
  if (!top || real(*top) != real(path)) return "git resolves this path to a different repository root";
  if (found->branch != branch) return "worktree HEAD is on \"" + (found->branch.empty() ? "(detached)" : found->branch) + "\" instead of \"" + branch + "\"";
  return {};
}

fs::path expanded(const std::string& directory, const fs::path& repository) {
  if (directory == "~" || directory.starts_with("~/")) {
    const char* home = ::getenv("HOME");
    return fs::path(home == nullptr ? "/" : home) / directory.substr(std::min<std::size_t>(directory.size(), 2));
  }
  return repository / directory;  // an absolute one replaces it
}

bool says(const os::CommandOutput& output, std::string_view words) { return output.stderr_text.find(words) != std::string::npos; }

}  // namespace

std::string sanitised_branch(std::string_view text) {
  std::string out;
  for (char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '/' || c == '-';
    const char next = plain ? c : '-';
    if (next == '-' && !out.empty() && out.back() == '-') continue;
    out += next;
  }
  const auto trimmed = [](std::string value) {
    constexpr std::string_view edges = "-/.";
    while (!value.empty() && edges.find(value.back()) != std::string_view::npos) value.pop_back();
    const auto start = value.find_first_not_of(edges);
    return start == std::string::npos ? std::string() : value.substr(start);
  };
  out = trimmed(std::move(out));
  if (out.size() > 120) out = trimmed(out.substr(0, 120));
  // OURS: what git refuses in a ref even of plain characters; `..` would also climb out of the folder of worktrees.
  for (std::string_view bad : {"..", "//", "/.", "./", ".lock"}) {
    for (auto at = out.find(bad); at != std::string::npos; at = out.find(bad)) out.replace(at, bad.size(), "-");
  }
  out = trimmed(std::move(out));
  return out.empty() ? "paperclip-work" : out;
}

Result<Worktree> realise_worktree(const Git& base, const WorktreeWish& wish, OperationRecorder& recorder, Deadline deadline) {
  Worktree out;
  out.branch = wish.branch;
  out.repository = TRY(repository_root(base, deadline));
  const Git git = base.at(out.repository);
  out.path = (wish.parent_directory ? expanded(*wish.parent_directory, out.repository) : out.repository / ".paperclip" / "worktrees") / wish.branch;
  const auto known = TRY(registered_worktrees(git, deadline));
  const auto step = [&](std::string command, bool reused) {
    return OperationRecorder::Step{WorkspaceOperationPhase::worktree_prepare, std::move(command), out.repository.string(),
                                   json::object{{"worktreePath", out.path.string()}, {"branchName", out.branch}, {"created", !reused}}};
  };
  const auto reuse = [&]() -> Result<Worktree> {
    TRY(recorder.record(step("reuse existing worktree", true), [&]() -> Result<os::CommandOutput> {
      os::CommandOutput said;
      said.stdout_text = "Reused the worktree of branch \"" + out.branch + "\" at \"" + out.path.string() + "\".\n";
      return said;
    }));
    return out;
  };

  std::error_code ec;
  if (fs::symlink_status(out.path, ec).type() != fs::file_type::not_found) {
    if (const auto reason = why_not_reusable(git, known, out.path, out.branch, deadline); !reason.empty())
      return unprocessable("Configured worktree path \"" + out.path.string() + "\" already exists and is not a reusable git worktree (" + reason + ").");
    return reuse();
  }
  const auto elsewhere = [&](const std::vector<Registered>& worktrees) {
    return std::find_if(worktrees.begin(), worktrees.end(), [&](const Registered& one) { return one.branch == out.branch && fs::exists(one.path, ec); });
  };
  const auto reuse_elsewhere = [&](const Registered& one) -> Result<Worktree> {
    out.path = one.path;
    if (const auto reason = why_not_reusable(git, known, out.path, out.branch, deadline); !reason.empty())
      return unprocessable("Registered worktree for branch \"" + out.branch + "\" at \"" + out.path.string() + "\" is not reusable (" + reason + ").");
    return reuse();
  };
  if (const auto found = elsewhere(known); found != known.end()) return reuse_elsewhere(*found);

  std::string from = wish.base_ref.value_or("");
  if (from.empty()) from = default_branch(git, deadline).value_or("HEAD");
  TRY(os::make_directories(out.path.parent_path(), 0755));
  (void)git.run({"worktree", "prune"}, deadline);
  std::vector<std::string> add{"worktree", "add", "-b", out.branch, "--", out.path.string(), from};
  if (!git.succeeds({"rev-parse", "--verify", "--quiet", "--end-of-options", from + "^{commit}"}, deadline))
    return unprocessable("The base \"" + from + "\" of a new worktree names no commit of \"" + out.repository.string() + "\".");
  if (git.succeeds({"show-ref", "--verify", "--quiet", "refs/heads/" + out.branch}, deadline)) add = {"worktree", "add", "--", out.path.string(), out.branch};
  auto added = TRY(recorder.record(step(Git::shown(add), false), [&] { return git.run(add, deadline); }));
  if (!added.ok()) {
    // Somebody else made it meanwhile.
    const auto now = TRY(registered_worktrees(git, deadline));
    if (const auto found = elsewhere(now); found != now.end() && (says(added, "already checked out") || says(added, "already used by worktree")))
      return reuse_elsewhere(*found);
    return unprocessable("Cannot make a worktree for branch \"" + out.branch + "\" at \"" + out.path.string() + "\": " + reason_of(added));
  }
  out.created = true;
  return out;
}

Result<> restore_worktree(const Git& git, const fs::path& path, const std::string& branch, const std::optional<std::string>& base_ref,
                          OperationRecorder& recorder, Deadline deadline) {
  TRY(os::make_directories(path.parent_path(), 0755));
  (void)git.run({"worktree", "prune"}, deadline);
  std::vector<std::string> add{"worktree", "add", "--", path.string(), branch};
  if (!git.succeeds({"show-ref", "--verify", "--quiet", "refs/heads/" + branch}, deadline))
    add = {"worktree", "add", "-b", branch, "--", path.string(), base_ref ? *base_ref : default_branch(git, deadline).value_or("HEAD")};
  const OperationRecorder::Step step{WorkspaceOperationPhase::worktree_prepare, Git::shown(add), git.directory().string(),
                                     json::object{{"worktreePath", path.string()}, {"branchName", branch}, {"restored", true}}};
  const auto added = TRY(recorder.record(step, [&] { return git.run(add, deadline); }));
  if (!added.ok()) return unprocessable("Cannot restore the worktree at \"" + path.string() + "\": " + reason_of(added));
  return {};
}

std::vector<std::string> remove_worktree(const Git& git, const fs::path& path, const std::optional<std::string>& branch, OperationRecorder& recorder,
                                         Deadline deadline) {
  std::vector<std::string> warnings;
  const auto run = [&](std::vector<std::string> arguments) {
    const OperationRecorder::Step step{WorkspaceOperationPhase::worktree_cleanup, Git::shown(arguments), git.directory().string(),
                                       json::object{{"worktreePath", path.string()}}};
    return recorder.record(step, [&] { return git.run(arguments, deadline); });
  };
  std::error_code ec;
  if (fs::exists(path, ec)) {
    const auto removed = run({"worktree", "remove", "--force", "--", path.string()});
    if (!removed) warnings.push_back(removed.error().message);
    else if (!removed->ok()) warnings.push_back("Could not remove worktree \"" + path.string() + "\": " + reason_of(*removed));
  }
  if (branch) {
    // Only what is merged: -d and never -D.
    const auto deleted = run({"branch", "-d", "--", *branch});
    if (!deleted) warnings.push_back(deleted.error().message);
    else if (!deleted->ok()) warnings.push_back("Skipped deleting branch \"" + *branch + "\": " + reason_of(*deleted));
  }
  return warnings;
}

}  // namespace paperclip::environments
