#include "runner/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <unordered_set>
#include <vector>

#include "runner/system.h"

namespace paperclip::runner {
namespace {

/// The numeric names in a directory under /proc.
template <class Visit>
void each_number_in(const char* path, Visit visit) {
  DIR* directory = opendir(path);
  if (!directory) return;
  while (const dirent* entry = readdir(directory))
    if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') visit(static_cast<pid_t>(atoi(entry->d_name)));
  closedir(directory);
}

bool kernel_lists_children() {
  static const bool listed = [] {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    return access(path, R_OK) == 0;
  }();
  return listed;
}

/// Children of one process as the kernel lists them, thread by thread.
void append_listed_children(pid_t parent, std::vector<pid_t>& out) {
  char tasks[64];
  snprintf(tasks, sizeof tasks, "/proc/%d/task", parent);
  each_number_in(tasks, [&](pid_t thread) {
    char path[96];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", parent, thread);
    const std::string list = read_small_file(path);
    char* end = nullptr;
    for (const char* at = list.c_str();; at = end) {
      const long pid = strtol(at, &end, 10);
      if (end == at) return;
      out.push_back(static_cast<pid_t>(pid));
    }
  });
}

struct ParentOf {
  pid_t parent, pid;
  bool operator<(const ParentOf& other) const { return parent < other.parent; }
};

/// The whole machine's family tree, for kernels without lists of children.
std::vector<ParentOf> all_parents() {
  std::vector<ParentOf> all;
  each_number_in("/proc", [&](pid_t pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    const std::string stat = read_small_file(path);
    const std::size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos || stat.size() < name_end + 4) return;
    all.push_back({static_cast<pid_t>(atoi(stat.c_str() + name_end + 4)), pid});
  });
  std::sort(all.begin(), all.end());
  return all;
}

/// Stops everyone below us. A stopped process neither forks nor ends, so what was found stays found.
class Freeze {
 public:
  explicit Freeze(const OnReaped& on_reaped) : on_reaped_(on_reaped) {}

  /// Until a whole walk finds nobody new, or the deadline passes. False if there are no children at all.
  bool complete(std::int64_t deadline_ms) {
    do {
      // Whoever hops from pid to pid ends up as our own child, because its parent ends; and our own children are listed
      // and stopped faster than anyone hops, if the dead among them are reaped. So these first, until they are quiet.
      while (stop_children_of_ours() && monotonic_ms() < deadline_ms)
        if (!reap()) return false;
      if (!reap()) return false;
    } while (walk() && monotonic_ms() < deadline_ms);
    return true;
  }

  /// Children before their parents: a parent's end wakes the stopped groups of its children.
  void kill_all() const {
    for (std::size_t i = order_.size(); i-- > 0;)
      if (stopped_.contains(order_[i])) kill(order_[i], SIGKILL);
  }

  std::size_t count() const { return stopped_.size(); }

  /// Reaps what can be reaped. False once there are no children at all. Only here do pids become free again, so only
  /// here are they taken off the list.
  bool reap() {
    for (;;) {
      int status = 0;
      rusage usage{};
      const pid_t pid = wait4(-1, &status, WNOHANG, &usage);
      if (pid == 0) return true;
      if (pid < 0 && errno != EINTR) return false;
      if (pid > 0) {
        stopped_.erase(pid);
        on_reaped_(pid, status, usage);
      }
    }
  }

 private:
  bool stop(pid_t pid) {
    if (!stopped_.insert(pid).second) return false;
    kill(pid, SIGSTOP);
    order_.push_back(pid);
    return true;
  }

  bool stop_children_of_ours() {
    std::vector<pid_t> children;
    append_children(getpid(), kernel_lists_children() ? std::vector<ParentOf>() : all_parents(), children);
    bool anyone_new = false;
    for (const pid_t pid : children) anyone_new |= stop(pid);
    return anyone_new;
  }

  /// Down the whole tree, each stopped before its children are listed. Whether it found anyone new.
  bool walk() {
    std::vector<ParentOf> parents;
    if (!kernel_lists_children()) parents = all_parents();
    std::vector<pid_t> queue;
    append_children(getpid(), parents, queue);
    bool anyone_new = false;
    for (std::size_t i = 0; i < queue.size(); ++i) {
      anyone_new |= stop(queue[i]);
      append_children(queue[i], parents, queue);
    }
    return anyone_new;
  }

  static void append_children(pid_t parent, const std::vector<ParentOf>& parents, std::vector<pid_t>& out) {
    if (kernel_lists_children()) return append_listed_children(parent, out);
    const auto [first, last] = std::equal_range(parents.begin(), parents.end(), ParentOf{parent, 0});
    for (auto entry = first; entry != last; ++entry) out.push_back(entry->pid);
  }

  const OnReaped& on_reaped_;
  std::unordered_set<pid_t> stopped_;
  std::vector<pid_t> order_;  // as they were stopped; may hold some that are gone
};

/// The first process of a namespace reaches all others in one step that no fork slips through.
int sweep_namespace(std::int64_t deadline_ms, const OnReaped& on_reaped) {
  Freeze reaper(on_reaped);
  for (int wait_ms = 0; reaper.reap(); wait_ms = std::min(wait_ms + 1, 20)) {
    kill(-1, SIGKILL);
    if (monotonic_ms() >= deadline_ms) {
      int left = 0;
      each_number_in("/proc", [&](pid_t pid) { left += pid != 1; });
      return left;
    }
    poll(nullptr, 0, wait_ms);
  }
  return 0;
}

}  // namespace

int sweep(std::int64_t deadline_ms, const OnReaped& on_reaped) {
  if (getpid() == 1) return sweep_namespace(deadline_ms, on_reaped);
  for (int wait_ms = 0;; wait_ms = std::min(wait_ms + 1, 20)) {
    Freeze freeze(on_reaped);
    if (!freeze.complete(deadline_ms)) return 0;
    freeze.kill_all();
    poll(nullptr, 0, wait_ms);  // the killed need a moment to die
    if (!freeze.reap()) return 0;
    if (monotonic_ms() >= deadline_ms) return static_cast<int>(std::max<std::size_t>(freeze.count(), 1));
  }
}

}  // namespace paperclip::runner
