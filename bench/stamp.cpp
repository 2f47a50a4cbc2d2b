// An agent that does nothing but say when it was there: the command of the runs that bench/server measures.
//
//   stamp FOLDER     writes the monotonic clock in nanoseconds, read first thing in main, to FOLDER/$PAPERCLIP_RUN_ID
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

int main(int argc, char** argv) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const char* run = std::getenv("PAPERCLIP_RUN_ID");
  if (argc < 2 || run == nullptr) return std::fprintf(stderr, "usage: PAPERCLIP_RUN_ID=… stamp FOLDER\n"), 2;
  const std::string text = std::to_string(now.tv_sec * 1'000'000'000LL + now.tv_nsec);
  const int file = open((std::string(argv[1]) + "/" + run).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (file < 0 || write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size())) return std::perror("stamp"), 1;
}
