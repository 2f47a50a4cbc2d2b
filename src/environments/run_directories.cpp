#include "environments/run_directories.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/files.h"
#include "runner/run_directory.h"

namespace paperclip::environments {
namespace {

constexpr std::string_view spare_prefix = "spare.";
constexpr std::size_t most_spares = 128;
constexpr const char* kept_files[] = {runner::file::run, runner::file::pids, runner::file::output, runner::file::exit};

std::string spare_name(const char* name) { return std::string(name) + runner::file::fresh_suffix; }

/// Puts the files aside under the names that the next runner reuses. False if anything is not as a runner leaves it.
bool empty_out(int directory) {
  if (::unlinkat(directory, runner::file::control, 0) != 0 && errno != ENOENT) return false;
  for (const char* name : kept_files) {
    const std::string aside = spare_name(name);
    if (::renameat(directory, name, directory, aside.c_str()) != 0) {
      if (errno != ENOENT) return false;
      continue;  // never written, or put aside before
    }
    const os::Descriptor file(::openat(directory, aside.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW));
    if (!file) return false;
  }
  return true;
}

bool is_empty(int directory) {
  struct stat there {};
  for (const char* name : kept_files)
    if (::fstatat(directory, name, &there, AT_SYMLINK_NOFOLLOW) == 0) return false;
  return ::fstatat(directory, runner::file::control, &there, AT_SYMLINK_NOFOLLOW) != 0;
}

}  // namespace

Result<std::unique_ptr<RunDirectories>> RunDirectories::open(std::filesystem::path root) {
  TRY(os::make_directories(root));
  std::unique_ptr<RunDirectories> directories(new RunDirectories(std::move(root)));
  const auto names = TRY(os::list_directory(directories->root_));
  for (const auto& name : names)
    if (name.starts_with(spare_prefix)) directories->spares_.push_back(name);
  return directories;
}

// A runner may still be at its last sync in the spare: then it holds the lock, and the next one is tried.
os::Descriptor RunDirectories::take_spare(RunId run) {
  std::string name;
  {
    std::lock_guard lock(mutex_);
    if (spares_.empty()) return {};
    name = std::move(spares_.front());
    spares_.pop_front();
  }
  const auto path = root_ / name;
  os::Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!directory) return {};
  if (::flock(directory.get(), LOCK_EX | LOCK_NB) != 0) {
    std::lock_guard lock(mutex_);
    spares_.push_back(std::move(name));
    return {};
  }
  if (!is_empty(directory.get())) {
    (void)os::remove_tree(path);
    return {};
  }
  if (::renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, path_of(run).c_str(), RENAME_NOREPLACE) == 0) return directory;
  std::lock_guard lock(mutex_);
  spares_.push_back(std::move(name));
  return {};
}

Result<os::Descriptor> RunDirectories::make_locked(RunId run) {
  const auto path = path_of(run);
  if (auto spare = take_spare(run)) return spare;
  if (::mkdir(path.c_str(), 0700) != 0) return os::file_error("Cannot make run directory", path, errno);
  os::Descriptor directory = TRY(os::open_directory(path));
  if (::flock(directory.get(), LOCK_EX | LOCK_NB) != 0) return os::file_error("Cannot lock run directory", path, errno);
  return directory;
}

Result<> RunDirectories::retire(RunId run) {
  const auto path = path_of(run);
  std::string name = std::string(spare_prefix) + run.str();
  {
    std::lock_guard lock(mutex_);
    if (spares_.size() >= most_spares) name.clear();
  }
  if (name.empty()) return os::remove_tree(path);
  // First the name: whoever looks for the run from now on finds nothing, not half of it.
  const auto spare = root_ / name;
  if (::rename(path.c_str(), spare.c_str()) != 0) return errno == ENOENT ? Result<>() : os::remove_tree(path);
  const os::Descriptor directory(::open(spare.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!directory || !empty_out(directory.get())) return os::remove_tree(spare);
  std::lock_guard lock(mutex_);
  spares_.push_back(std::move(name));
  return {};
}

std::vector<RunId> RunDirectories::known() const {
  std::vector<RunId> runs;
  const auto names = os::list_directory(root_);
  if (!names) return runs;
  for (const std::string& name : *names)
    if (const auto run = RunId::parse(name)) runs.push_back(*run);
  return runs;
}

}  // namespace paperclip::environments
