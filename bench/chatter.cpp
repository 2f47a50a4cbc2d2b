// An agent that talks: the command of the runs that are live while bench/server measures what others notice of them.
//
//   chatter LINES_PER_SECOND SECONDS
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

int main(int argc, char** argv) {
  if (argc < 3) return std::fprintf(stderr, "usage: chatter LINES_PER_SECOND SECONDS\n"), 2;
  const long rate = std::atol(argv[1]), lines = rate * std::atol(argv[2]);
  const timespec pause{0, 1'000'000'000L / rate - (rate == 1)};
  for (long line = 1; line <= lines; ++line) {
    const std::string text = "line " + std::to_string(line) + ": about as much as an agent says when it is busy with something\n";
    if (write(STDOUT_FILENO, text.data(), text.size()) < 0) return 1;
    nanosleep(&pause, nullptr);
  }
}
