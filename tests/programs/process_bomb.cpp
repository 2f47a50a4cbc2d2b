// process_bomb MARKER LIVES: the worst an agent may leave behind. LIVES processes, each in a session of its own and deaf
// to SIGTERM and SIGHUP, half of them staying, half of them forking a successor and ending all the time, so that a list
// of pids is old the moment it is made. MARKER is for whoever counts survivors. Ends by itself after 90 s.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

namespace {

timespec began;

bool too_old() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec - began.tv_sec > 90;
}

void rest(long microseconds) {
  const timespec time{0, microseconds * 1000};
  nanosleep(&time, nullptr);
}

[[noreturn]] void stay() {
  while (!too_old()) rest(100'000);
  _exit(0);
}

[[noreturn]] void hop() {
  while (!too_old()) {
    rest(500);
    const pid_t next = fork();
    if (next > 0) _exit(0);
    if (next == 0) setsid();
  }
  _exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 64;
  clock_gettime(CLOCK_MONOTONIC, &began);
  signal(SIGTERM, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  const int lives = atoi(argv[2]);
  auto* ready = static_cast<std::atomic<int>*>(
      mmap(nullptr, sizeof(std::atomic<int>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  for (int i = 0; i < lives; ++i) {
    if (fork() != 0) continue;
    setsid();
    if (fork() != 0) _exit(0);  // its child belongs to nobody now
    setsid();
    ++*ready;
    i % 2 == 0 ? stay() : hop();
  }
  while (*ready < lives) rest(1000);
  puts("armed");
  fflush(stdout);
  stay();
}
