#include "runner/boundary.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runner/system.h"

namespace paperclip::runner {

std::string_view to_text(Boundary boundary) {
  switch (boundary) {
    case Boundary::pid_namespace: return "pid_namespace";
    case Boundary::user_namespace: return "user_namespace";
    case Boundary::subreaper: return "subreaper";
  }
  return "";
}

std::vector<Boundary> boundaries_for(std::string_view name) {
  if (name == "auto") name = geteuid() == 0 ? "pid_namespace" : "subreaper";
  if (name == "pid_namespace") return {Boundary::pid_namespace, Boundary::subreaper};
  if (name == "user_namespace") return {Boundary::user_namespace, Boundary::subreaper};
  if (name == "subreaper") return {Boundary::subreaper};
  return {};
}

pid_t fork_into(Boundary boundary) {
  unsigned long flags = SIGCHLD;
  if (boundary == Boundary::pid_namespace) flags |= CLONE_NEWPID | CLONE_NEWNS;
  if (boundary == Boundary::user_namespace) flags |= CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS;
  // The system call and not fork(): only this way do namespaces and child appear in one step without clone3.
  return static_cast<pid_t>(syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr));
}

namespace {

/// The caller keeps his own id inside; that is all an ordinary user may map.
void map_user(const Caller& caller) {
  char line[64];
  write_existing_file("/proc/self/setgroups", "deny");
  snprintf(line, sizeof line, "%u %u 1", caller.user, caller.user);
  write_existing_file("/proc/self/uid_map", line);
  snprintf(line, sizeof line, "%u %u 1", caller.group, caller.group);
  write_existing_file("/proc/self/gid_map", line);
}

}  // namespace

bool settle_in(Boundary boundary, const Caller& caller) {
  if (boundary == Boundary::subreaper) return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0;
  if (boundary == Boundary::user_namespace) {
    map_user(caller);
    if (geteuid() != caller.user) return false;
  }
  // What the machine mounts later is still seen inside; what is mounted inside stays inside.
  return getpid() == 1 && mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) == 0 &&
         mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0;
}

}  // namespace paperclip::runner
