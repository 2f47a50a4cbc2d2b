#include <spdlog/spdlog.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "os/files.h"
#include "simulation.h"

using namespace paperclip;

namespace {

constexpr const char* usage =
    "usage: paperclip-simulator [--seeds N] [--first SEED] [--jobs N] [--twice]\n"
    "       paperclip-simulator --seed SEED [--trace]\n"
    "Plays that many stories; a failing seed is printed, and plays again with --seed. --twice checks that a seed repeats itself.\n";

struct Wishes {
  std::uint64_t first = 1, seeds = 200;
  unsigned jobs = 1;
  bool trace = false, twice = false, one = false;
};

std::filesystem::path memory_directory() { return std::filesystem::exists("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path(); }

/// Of all processes that play.
struct Score {
  std::atomic<std::uint64_t> passed{0}, failed{0}, steps{0};
};

/// Plays every `of`-th seed from `from`.
void play(Score& score, const Wishes& wishes, std::uint64_t from, std::uint64_t of) {
  std::string pattern = (memory_directory() / "paperclip-simulator-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    std::perror("mkdtemp");
    ++score.failed;
    return;
  }
  try {
    simulator::Stage stage(pattern);
    for (std::uint64_t seed = wishes.first + from; seed < wishes.first + wishes.seeds; seed += of) {
      std::uint64_t fingerprint = 0;
      bool good = true;
      for (int time = 0; time < (wishes.twice ? 2 : 1); ++time) {
        simulator::Simulation simulation(stage, seed, wishes.trace);
        const auto complaint = simulation.run();
        score.steps += simulation.steps();
        if (time == 1 && simulation.fingerprint() != fingerprint) {
          std::printf("FAIL seed %llu: it does not repeat itself\n", static_cast<unsigned long long>(seed));
          good = false;
        }
        fingerprint = simulation.fingerprint();
        if (!complaint) continue;
        std::printf("FAIL seed %llu after %llu steps: %s\n     replay: paperclip-simulator --seed %llu --trace\n", static_cast<unsigned long long>(seed),
                    static_cast<unsigned long long>(simulation.steps()), complaint->c_str(), static_cast<unsigned long long>(seed));
        std::fflush(stdout);
        good = false;
        break;
      }
      ++(good ? score.passed : score.failed);
    }
  } catch (const std::exception& problem) {
    std::printf("FAIL %s\n", problem.what());
    ++score.failed;
  }
  std::error_code ignored;
  std::filesystem::remove_all(pattern, ignored);
}

}  // namespace

int main(int argc, char** argv) {
  Wishes wishes;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const auto number = [&] { return i + 1 < argc ? std::strtoull(argv[++i], nullptr, 10) : 0; };
    if (word == "--seeds") wishes.seeds = number();
    else if (word == "--first") wishes.first = number();
    else if (word == "--jobs") wishes.jobs = static_cast<unsigned>(number());
    else if (word == "--trace") wishes.trace = true;
    else if (word == "--twice") wishes.twice = true;
    else if (word == "--seed") wishes.first = number(), wishes.seeds = 1;
    else return std::fputs(usage, stderr), 64;
  }
  spdlog::set_level(wishes.trace ? spdlog::level::info : spdlog::level::off);
  // Processes and not threads: the crash hook is one for all. They count together.
  void* shared = mmap(nullptr, sizeof(Score), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return std::perror("mmap"), 71;
  auto& score = *new (shared) Score;
  bool ended_well = true;
  if (wishes.jobs <= 1) {
    play(score, wishes, 0, 1);
  } else {
    for (unsigned job = 0; job < wishes.jobs; ++job)
      if (fork() == 0) {
        play(score, wishes, job, wishes.jobs);
        std::fflush(stdout);
        _exit(0);
      }
    for (int status = 0; wait(&status) > 0;) ended_well = ended_well && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  if (!ended_well) {
    std::puts("FAIL a player died");
    ++score.failed;
  }
  std::printf("%llu steps\n%llu passed, %llu failed\n", static_cast<unsigned long long>(score.steps), static_cast<unsigned long long>(score.passed),
              static_cast<unsigned long long>(score.failed));
  return score.failed == 0 ? 0 : 1;
}
