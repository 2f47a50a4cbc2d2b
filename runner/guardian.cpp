#include "runner/guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/exit_report.h"
#include "runner/run_directory.h"
#include "runner/supervisor.h"
#include "runner/sweep.h"

namespace paperclip::runner {
namespace {

constexpr int boundary_refused = 75;
constexpr std::int64_t sweep_limit_ms = 15'000;
constexpr int connection = 0, run_directory = inherited_directory;

sigset_t guarded_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  return set;
}

/// Waits for the runner's end and hands signals on to it. Returns its wait status.
int watch(pid_t runner) {
  const sigset_t set = guarded_signals();
  for (;;) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid == runner) return status;
    if (pid > 0) continue;
    siginfo_t info{};
    const int number = sigwaitinfo(&set, &info);
    if (number > 0 && number != SIGCHLD) kill(runner, number);
  }
}

std::string end_of_runner(int status) {
  return WIFSIGNALED(status) ? "the runner was killed by " + signal_name(WTERMSIG(status))
                             : "the runner ended with exit code " + std::to_string(WEXITSTATUS(status));
}

void report_lost(const std::string& detail, Boundary boundary) {
  ExitReport report;
  report.boundary = to_text(boundary);
  report.processes_left = sweep(monotonic_ms() + sweep_limit_ms, [](pid_t, int, const rusage&) {});
  struct stat there {};
  if (fstatat(run_directory, file::exit, &there, 0) == 0) return;  // it had written its own before it died
  report.lost_reason = "runner_lost";
  report.lost_detail = detail;
  if (fstatat(run_directory, file::output, &there, 0) == 0) report.output_bytes = static_cast<std::uint64_t>(there.st_size);
  report.ended_ms = wall_ms();
  write_file_in(run_directory, file::exit, to_json(report), Durability::synced);
}

int be_runner(Boundary boundary, const Caller& caller, int machine_proc, pid_t guardian, std::uint64_t guardian_start) {
  if (!settle_in(boundary, caller)) return boundary_refused;
  prctl(PR_SET_NAME, "run-supervisor");
  Surroundings surroundings;
  surroundings.directory = run_directory;
  surroundings.machine_proc = machine_proc;
  surroundings.boundary = boundary;
  surroundings.guardian = guardian;
  surroundings.guardian_start = guardian_start;
  surroundings.first_client = fcntl(connection, F_DUPFD_CLOEXEC, run_directory + 1);
  dup2(1, connection);  // the agent gets its own; until then the place must not stay empty
  return Supervisor(surroundings).run();
}

}  // namespace

int guard(const std::vector<Boundary>& boundaries) {
  const sigset_t set = guarded_signals();
  sigprocmask(SIG_BLOCK, &set, nullptr);
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  prctl(PR_SET_NAME, "run-guardian");
  const Caller caller{geteuid(), getegid()};
  const int machine_proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  const pid_t guardian = getpid();
  const std::uint64_t guardian_start = process_start_time(guardian);
  for (const Boundary boundary : boundaries) {
    const pid_t runner = fork_into(boundary);
    if (runner == 0) _exit(be_runner(boundary, caller, machine_proc, guardian, guardian_start));
    const bool last = boundary == boundaries.back();
    if (runner < 0) {
      if (last) report_lost(std::string("the runner could not be forked: ") + strerror(errno), boundary);
      continue;
    }
    const int status = watch(runner);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
    if (!last && WIFEXITED(status) && WEXITSTATUS(status) == boundary_refused) continue;
    report_lost(end_of_runner(status), boundary);
    return 1;
  }
  return 1;
}

}  // namespace paperclip::runner
