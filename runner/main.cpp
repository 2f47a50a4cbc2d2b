#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "runner/attach.h"
#include "runner/base64.h"
#include "runner/execute.h"
#include "runner/frames.h"
#include "runner/guardian.h"
#include "runner/hold.h"
#include "runner/sync_modes.h"

namespace {

constexpr const char* usage =
    "usage: paperclip-runner run [--boundary=auto|pid_namespace|user_namespace|subreaper] RUN_DIRECTORY\n"
    "         the command comes on descriptor 0, a socket; descriptor 3 is the locked run directory\n"
    "       paperclip-runner start [--boundary=…] RUN_DIRECTORY    makes it, starts a runner, then as attach\n"
    "       paperclip-runner attach RUN_DIRECTORY    frames on stdin and stdout\n"
    "       paperclip-runner exchange [--start] [--wait=MS] RUN_DIRECTORY    frames in base64, once\n"
    "       paperclip-runner forget RUN_DIRECTORY\n"
    "       paperclip-runner hold DIRECTORY COMMAND…    starts it in the background, to be talked to\n"
    "       paperclip-runner carry [--wait=MS] [--end] [--drop] DIRECTORY    to it and back in base64, once\n"
    "       paperclip-runner execute    a start message, then the command's stdin, on stdin\n"
    "       paperclip-runner environment    its own, NUL after each entry, in base64\n"
    "       paperclip-runner manifest|pack|unpack DIRECTORY [--exclude=NAME]...\n"
    "         a workspace over standard input and output\n"
    "       paperclip-runner version\n";

/// Descriptors 1 and 2 must be open, and 0 and 3 what they are said to be.
bool descriptors_are_ready() {
  struct stat connection {}, directory {};
  if (fcntl(1, F_GETFD) < 0 || fcntl(2, F_GETFD) < 0) return false;
  return fstat(0, &connection) == 0 && S_ISSOCK(connection.st_mode) && fstat(3, &directory) == 0 && S_ISDIR(directory.st_mode) &&
         fcntl(3, F_SETFD, FD_CLOEXEC) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command == "version") {
    printf("paperclip-runner protocol %d oldest %d\n", paperclip::runner::protocol_version,
           paperclip::runner::oldest_protocol_version);
    return 0;
  }
  if (command == "execute") return paperclip::runner::execute_command();
  if (command == "environment") {
    std::string text;
    for (char** entry = environ; *entry; ++entry) text.append(*entry, strlen(*entry) + 1);
    return puts(paperclip::runner::to_base64(text).c_str()) < 0;
  }
  if (command == "manifest" || command == "pack" || command == "unpack") return paperclip::sync::run_mode(argc, argv);
  if (command == "hold" && argc > 3 && argv[2][0] == '/') return paperclip::runner::hold(argv[2], argv + 3);
  if (command == "carry" && argc > 2 && argv[argc - 1][0] == '/') {
    bool end_input = false, drop = false;
    int wait_ms = 0;
    for (int i = 2; i < argc - 1; ++i) {
      const std::string_view word = argv[i];
      end_input |= word == "--end";
      drop |= word == "--drop";
      if (word.substr(0, 7) == "--wait=") wait_ms = atoi(argv[i] + 7);
    }
    return paperclip::runner::carry(argv[argc - 1], end_input, drop, wait_ms);
  }
  std::string_view boundary = "auto";
  constexpr std::string_view option = "--boundary=";
  for (int i = 2; i < argc; ++i)
    if (std::string_view(argv[i]).substr(0, option.size()) == option) boundary = argv[i] + option.size();
  const auto boundaries = paperclip::runner::boundaries_for(boundary);
  const bool has_directory = argc > 2 && argv[argc - 1][0] == '/' && !boundaries.empty();
  if (command == "attach" && has_directory) return paperclip::runner::attach(argv[argc - 1]);
  if (command == "start" && has_directory) return paperclip::runner::start_attached(argv[argc - 1], boundary);
  if (command == "exchange" && has_directory) {
    bool start = false;
    int wait_ms = 0;
    for (int i = 2; i < argc - 1; ++i) {
      const std::string_view word = argv[i];
      if (word == "--start") start = true;
      if (word.substr(0, 7) == "--wait=") wait_ms = atoi(argv[i] + 7);
    }
    return paperclip::runner::exchange(argv[argc - 1], start, boundary, wait_ms);
  }
  if (command == "forget" && has_directory) return paperclip::runner::forget(argv[argc - 1]);
  if (command != "run" || argc < 3 || boundaries.empty()) {
    fputs(usage, stderr);
    return 64;
  }
  if (!descriptors_are_ready()) {
    fputs("paperclip-runner: descriptor 0 must be a socket and descriptor 3 the run directory\n", stderr);
    return 64;
  }
  return paperclip::runner::guard(boundaries);
}
