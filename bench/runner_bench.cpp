// What a run on this machine costs: runner_bench [BOUNDARY] [DIRECTORY]
//
//   spawn     start() until on_started, one run after another
//   finish    start() until on_exit of /bin/true, likewise
//   no-op     runs of /bin/true per second, 16 at once, directory removed after each
//   memory    of 100 live runs: theirs and ours
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "environments/local_runner.h"
#include "os/files.h"

using namespace paperclip;
using namespace paperclip::environments;
using Clock_ = std::chrono::steady_clock;

namespace {

class Timer : public RunObserver {
 public:
  void on_started(int pid_, int, Timestamp) override {
    pid = pid_;
    started_at = Clock_::now();
    started.set_value();
  }
  void on_output(const OutputChunk&) override {}
  void on_exit(const ExitStatus& status_) override {
    status = status_;
    ended_at = Clock_::now();
    ended.set_value();
  }
  int pid = 0;
  ExitStatus status;
  Clock_::time_point started_at, ended_at;
  std::promise<void> started, ended;
};

double ms(Clock_::duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

void print(const char* name, std::vector<double> times) {
  std::sort(times.begin(), times.end());
  printf("%-8s p50 %.2f ms   p99 %.2f ms\n", name, times[times.size() / 2], times[times.size() * 99 / 100]);
}

RunCommand command(std::vector<std::string> argv) {
  RunCommand command;
  command.argv = std::move(argv);
  command.cwd = "/";
  command.env = {{"PATH", "/usr/bin:/bin"}};
  return command;
}

/// Kilobytes in one line of a /proc file.
long kib(const std::string& file, const std::string& key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(key)) return std::stol(line.substr(key.size()));
  return 0;
}

void one_after_another(LocalRunner& runner) {
  std::vector<double> spawn, finish;
  for (int i = 0; i < 300; ++i) {
    const RunId run = Random::system().id<RunId>();
    auto timer = std::make_shared<Timer>();
    const auto began = Clock_::now();
    if (auto started = runner.start(run, command({"/bin/true"}), timer); !started) {
      fprintf(stderr, "%s\n", started.error().message.c_str());
      exit(1);
    }
    timer->ended.get_future().wait();
    spawn.push_back(ms(timer->started_at - began));
    finish.push_back(ms(timer->ended_at - began));
    if (i == 0) printf("boundary %s\n", timer->status.boundary.c_str());
    (void)runner.forget(run);
  }
  print("spawn", spawn);
  print("finish", finish);
}

void at_once(LocalRunner& runner) {
  constexpr int runs = 2000, callers = 16;
  std::atomic<int> left{runs};
  const auto began = Clock_::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < callers; ++i)
    threads.emplace_back([&] {
      while (left-- > 0) {
        const RunId run = Random::system().id<RunId>();
        auto timer = std::make_shared<Timer>();
        (void)runner.start(run, command({"/bin/true"}), timer);
        timer->ended.get_future().wait();
        (void)runner.forget(run);
      }
    });
  for (auto& thread : threads) thread.join();
  printf("no-op    %.0f runs/s\n", runs / (ms(Clock_::now() - began) / 1000));
}

void live(LocalRunner& runner) {
  constexpr int runs = 100;
  const long ours_before = kib("/proc/self/smaps_rollup", "Pss:");
  const long free_before = kib("/proc/meminfo", "MemAvailable:");
  std::vector<RunId> ids;
  std::vector<std::shared_ptr<Timer>> timers;
  for (int i = 0; i < runs; ++i) {
    ids.push_back(Random::system().id<RunId>());
    timers.push_back(std::make_shared<Timer>());
    (void)runner.start(ids.back(), command({"sleep", "600"}), timers.back());
    timers.back()->started.get_future().wait();
  }
  long theirs = 0, agents = 0;
  for (const std::string& name : *os::list_directory("/proc")) {
    const auto line = os::read_file("/proc/" + name + "/cmdline");
    if (!line) continue;
    const std::string rollup = "/proc/" + name + "/smaps_rollup";
    if (line->starts_with("paperclip-runner")) theirs += kib(rollup, "Pss:");
    if (line->starts_with(std::string("sleep\0", 6) + "600")) agents += kib(rollup, "Pss:");
  }
  printf("memory   of one live run: guardian and runner %.0f KiB, us %.1f KiB, all with agent and kernel %.0f KiB\n",
         double(theirs) / runs, double(kib("/proc/self/smaps_rollup", "Pss:") - ours_before) / runs,
         double(free_before - kib("/proc/meminfo", "MemAvailable:")) / runs);
  printf("         of its agent (sleep) %.0f KiB\n", double(agents) / runs);
  for (const RunId& id : ids) runner.cancel(id, std::chrono::milliseconds(0));
  for (auto& timer : timers) timer->ended.get_future().wait();
}

}  // namespace

int main(int argc, char** argv) {
  const std::filesystem::path beside = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  const std::filesystem::path root =
      (argc > 2 ? std::filesystem::path(argv[2]) : std::filesystem::temp_directory_path()) / ("runner-bench-" + std::to_string(getpid()));
  auto runner = LocalRunner::create({.runner = beside / "paperclip-runner", .root = root, .boundary = argc > 1 ? argv[1] : "auto"});
  if (!runner) {
    fprintf(stderr, "%s\n", runner.error().message.c_str());
    return 1;
  }
  one_after_another(**runner);
  at_once(**runner);
  live(**runner);
  runner->reset();
  (void)os::remove_tree(root);
}
