#include "runner/execute.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "runner/start_message.h"
#include "runner/sweep.h"
#include "runner/system.h"

namespace paperclip::runner {
namespace {

constexpr std::int64_t sweep_limit_ms = 10'000;

bool read_exactly(std::string& into, std::size_t size) {
  const std::size_t before = into.size();
  into.resize(before + size);
  for (std::size_t done = 0; done < size;) {
    const ssize_t got = read(0, into.data() + before + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += static_cast<std::size_t>(got);
  }
  return true;
}

[[noreturn]] void be_command(const StartMessage& message) {
  std::vector<std::string> words(message.argv.begin(), message.argv.end()), entries(message.environment.begin(), message.environment.end());
  std::vector<char*> argv, environment;
  for (auto& word : words) argv.push_back(word.data());
  for (auto& entry : entries) environment.push_back(entry.data());
  argv.push_back(nullptr);
  environment.push_back(nullptr);
  setsid();
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  if (!message.cwd.empty() && chdir(std::string(message.cwd).c_str()) != 0) {
    fprintf(stderr, "%s: %s\n", std::string(message.cwd).c_str(), strerror(errno));
    _exit(126);
  }
  environ = environment.data();
  execvp(argv[0], argv.data());
  fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
  _exit(errno == ENOENT ? 127 : 126);
}

}  // namespace

int execute_command() {
  std::string bytes;
  if (!read_exactly(bytes, sizeof(std::uint64_t))) return 126;
  const auto total = ByteReader(bytes).number<std::uint64_t>();
  if (total < bytes.size() || total > start_message_limit || !read_exactly(bytes, total - bytes.size())) return 126;
  const auto message = decode_start(bytes);
  if (!message) return 126;

  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  sigset_t handled;
  sigemptyset(&handled);
  for (const int number : {SIGCHLD, SIGTERM, SIGHUP, SIGINT}) sigaddset(&handled, number);
  sigprocmask(SIG_BLOCK, &handled, nullptr);
  const Descriptor signals(signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK));
  const pid_t child = fork();
  if (child < 0) return 126;
  if (child == 0) be_command(*message);
  explicit_bzero(bytes.data(), bytes.size());
  close(0);  // the command's alone

  const std::int64_t until = message->timeout_ms > 0 ? monotonic_ms() + static_cast<std::int64_t>(message->timeout_ms) : INT64_MAX;
  int status = 0;
  bool ended = false, unwanted = false;
  while (!ended && !unwanted) {
    pollfd polls[] = {{1, 0, 0}, {signals.get(), POLLIN, 0}};
    const std::int64_t left = until == INT64_MAX ? -1 : std::max<std::int64_t>(until - monotonic_ms(), 0);
    poll(polls, 2, static_cast<int>(std::min<std::int64_t>(left, 3'600'000)));
    signalfd_siginfo info;
    while (read(signals.get(), &info, sizeof info) == sizeof info) unwanted |= info.ssi_signo != SIGCHLD;
    unwanted |= (polls[0].revents & (POLLERR | POLLHUP)) != 0 || monotonic_ms() >= until;
    int one = 0;
    for (pid_t pid; (pid = waitpid(-1, &one, WNOHANG)) > 0;)
      if (pid == child) {
        ended = true;
        status = one;
      }
  }
  sweep(monotonic_ms() + sweep_limit_ms, [&](pid_t pid, int one, const rusage&) {
    if (pid == child) status = one;
  });
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace paperclip::runner
