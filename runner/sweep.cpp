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

/// Processes a sweep has stopped, and how often it looked in vain.
class Freeze {
 public:
  /// Walks down from us and stops everyone not yet stopped, each before its children are listed.
  /// Returns whether it found anyone new.
  bool pass() {
    const std::size_t known = stopped_.size();
    std::vector<ParentOf> parents;
    if (!kernel_lists_children()) parents = all_parents();
    std::vector<pid_t> queue;
    std::vector<pid_t> fresh;
    append_children(getpid(), parents, queue);
    for (std::size_t i = 0; i < queue.size(); ++i) {
      const pid_t pid = queue[i];
      if (!std::binary_search(stopped_.begin(), stopped_.begin() + static_cast<std::ptrdiff_t>(known), pid)) {
        kill(pid, SIGSTOP);
        fresh.push_back(pid);
      }
      append_children(pid, parents, queue);
    }
    stopped_.insert(stopped_.end(), fresh.begin(), fresh.end());
    std::sort(stopped_.begin(), stopped_.end());
    stopped_.erase(std::unique(stopped_.begin(), stopped_.end()), stopped_.end());
    return stopped_.size() > known;
  }

  const std::vector<pid_t>& stopped() const { return stopped_; }

 private:
  static void append_children(pid_t parent, const std::vector<ParentOf>& parents, std::vector<pid_t>& out) {
    if (parents.empty()) return append_listed_children(parent, out);
    const auto [first, last] = std::equal_range(parents.begin(), parents.end(), ParentOf{parent, 0});
    for (auto entry = first; entry != last; ++entry) out.push_back(entry->pid);
  }

  std::vector<pid_t> stopped_;  // sorted
};

/// Reaps what can be reaped. False once there are no children at all.
bool reap(const OnReaped& on_reaped) {
  for (;;) {
    int status = 0;
    rusage usage{};
    const pid_t pid = wait4(-1, &status, WNOHANG, &usage);
    if (pid > 0) {
      on_reaped(pid, status, usage);
    } else if (pid == 0) {
      return true;
    } else if (errno != EINTR) {
      return false;
    }
  }
}

}  // namespace

int sweep(std::int64_t deadline_ms, const OnReaped& on_reaped) {
  const bool first_of_namespace = getpid() == 1;
  int wait_ms = 0;
  while (reap(on_reaped)) {
    std::size_t left = 1;
    if (first_of_namespace) {
      // Reaches all of the namespace but us in one step that no fork slips through.
      kill(-1, SIGKILL);
    } else {
      Freeze freeze;
      while (freeze.pass() && monotonic_ms() < deadline_ms) {
      }
      for (const pid_t pid : freeze.stopped()) kill(pid, SIGKILL);
      left = freeze.stopped().size();
    }
    if (!reap(on_reaped)) return 0;
    if (monotonic_ms() >= deadline_ms) {
      if (first_of_namespace) {
        left = 0;
        each_number_in("/proc", [&](pid_t pid) { left += pid != 1; });
      }
      return static_cast<int>(std::max<std::size_t>(left, 1));
    }
    poll(nullptr, 0, wait_ms);  // the killed need a moment to die
    wait_ms = std::min(wait_ms + 1, 20);
  }
  return 0;
}

}  // namespace paperclip::runner
