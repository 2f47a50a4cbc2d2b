#include "runner/attach.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "runner/base64.h"
#include "runner/ended_run.h"
#include "runner/exit_report.h"
#include "runner/frames.h"
#include "runner/run_directory.h"
#include "runner/system.h"

namespace paperclip::runner {
namespace {

constexpr std::int64_t answer_patience_ms = 60'000;  // a guardian's sweep takes less
constexpr int look_pause_ms = 10;

/// One direction of the relay.
struct Flow {
  int from, to;
  char buffer[64 * 1024];
  std::size_t begin = 0, end = 0;
  bool ended = false;  // nothing more comes

  bool wants_to_read() const { return !ended && begin == end; }
  bool wants_to_write() const { return begin < end; }
  bool done() const { return ended && begin == end; }
  void read_some() {
    const ssize_t got = read(from, buffer, sizeof buffer);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    begin = 0;
    end = got > 0 ? static_cast<std::size_t>(got) : 0;
    ended = got <= 0;
  }
  /// False if nobody takes it any more.
  bool write_some() {
    const ssize_t put = write(to, buffer + begin, end - begin);
    if (put < 0) return errno == EAGAIN || errno == EINTR;
    explicit_bzero(buffer + begin, static_cast<std::size_t>(put));
    begin += static_cast<std::size_t>(put);
    return true;
  }
};

void never_wait(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

/// Carries bytes both ways until either side ends.
int relay(Descriptor runner) {
  signal(SIGPIPE, SIG_IGN);
  for (const int fd : {0, 1, runner.get()}) never_wait(fd);
  static Flow inward, outward;
  inward.from = 0;
  inward.to = outward.from = runner.get();
  outward.to = 1;
  while (!outward.done() && !inward.done()) {
    const auto events = [](const Flow& reads, const Flow& writes) {
      return static_cast<short>((reads.wants_to_read() ? POLLIN : 0) | (writes.wants_to_write() ? POLLOUT : 0));
    };
    pollfd polls[] = {{inward.wants_to_read() ? 0 : -1, POLLIN, 0},
                      {1, static_cast<short>(outward.wants_to_write() ? POLLOUT : 0), 0},
                      {runner.get(), events(outward, inward), 0}};
    if (poll(polls, 3, -1) < 0 && errno != EINTR) return 1;
    if (polls[0].revents) inward.read_some();
    if (polls[2].revents & (POLLIN | POLLHUP | POLLERR) && outward.wants_to_read()) outward.read_some();
    if (inward.wants_to_write() && !inward.write_some()) inward.begin = inward.end;  // what the runner says is still to come
    if (outward.wants_to_write() && !outward.write_some()) return 0;
    if (polls[1].revents & (POLLERR | POLLHUP)) return 0;  // nobody listens any more
  }
  return 0;
}

struct Pair {
  Descriptor ours, theirs;
};

bool make_pair(Pair& pair) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) return false;
  pair.ours.reset(ends[0]);
  pair.theirs.reset(ends[1]);
  return true;
}

/// A connection to one who answers in the place of a runner that is no more; none if that cannot be had.
Descriptor answer_for(int directory, const std::string& exit) {
  Pair pair;
  if (!make_pair(pair)) return {};
  const pid_t child = fork();
  if (child == 0) {
    pair.ours.reset();
    close(0);
    close(1);  // whoever waits for our output's end does not wait for his
    serve_ended(directory, exit, std::move(pair.theirs));
    _exit(0);
  }
  if (child < 0) pair.ours.reset();
  return std::move(pair.ours);
}

Descriptor refuse_start(const std::string& why) {
  ExitReport report;
  report.start_error = why;
  report.ended_ms = wall_ms();
  return answer_for(-1, to_json(report));
}

Descriptor connect_in(int directory) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path, file::control);
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fchdir(directory) != 0 || connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) socket.reset();
  return socket;
}

/// The guardian, in a session of its own, so that nothing that ends ours reaches it.
[[noreturn]] void be_guardian(const Descriptor& connection, const Descriptor& directory, const char* path, std::string_view boundary) {
  if (fork() != 0) _exit(0);  // nobody's child: we need not wait for it
  setsid();
  const std::string option = "--boundary=" + std::string(boundary);
  const int connection_copy = fcntl(connection.get(), F_DUPFD, 10), directory_copy = fcntl(directory.get(), F_DUPFD, 10);
  const int null = open("/dev/null", O_RDWR);
  dup2(connection_copy, 0);
  dup2(null, 1);
  dup2(null, 2);
  dup2(directory_copy, inherited_directory);
  for (int fd = inherited_directory + 1; fd < 64; ++fd) close(fd);
  if (chdir("/") != 0) _exit(127);
  execl("/proc/self/exe", "paperclip-runner", "run", option.c_str(), path, nullptr);
  _exit(127);
}

}  // namespace

namespace {

Descriptor find_runner(const char* path) {
  const Descriptor directory(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return answer_for(-1, lost_text(-1));
  for (const std::int64_t until = monotonic_ms() + answer_patience_ms; monotonic_ms() < until; poll(nullptr, 0, look_pause_ms)) {
    std::string exit = exit_text(directory.get());
    if (exit.empty() && !is_alive(directory.get())) {
      exit = exit_text(directory.get());  // it may have ended between the two looks
      if (exit.empty()) exit = lost_text(directory.get());
    }
    if (!exit.empty()) return answer_for(directory.get(), exit);
    if (Descriptor runner = connect_in(directory.get())) return runner;
  }
  return {};
}

Descriptor start_runner(const char* path, std::string_view boundary) {
  if (!make_directory(path))
    return refuse_start(errno == EEXIST ? "The run has a directory already: " + std::string(path)
                                        : "Cannot make run directory " + std::string(path) + ": " + strerror(errno));
  const Descriptor directory(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  Pair pair;
  if (!directory || flock(directory.get(), LOCK_EX | LOCK_NB) != 0 || !make_pair(pair))
    return refuse_start("Cannot use run directory " + std::string(path) + ": " + strerror(errno));
  const pid_t child = fork();
  if (child == 0) be_guardian(pair.theirs, directory, path, boundary);
  if (child < 0) return refuse_start(std::string("The runner could not be forked: ") + strerror(errno));
  return std::move(pair.ours);
}

std::string read_to_end(int fd) {
  std::string text;
  char buffer[64 * 1024];
  for (ssize_t got; (got = read(fd, buffer, sizeof buffer)) > 0 || (got < 0 && errno == EINTR);)
    if (got > 0) text.append(buffer, static_cast<std::size_t>(got));
  return text;
}

}  // namespace

int attach(const char* path) {
  Descriptor runner = find_runner(path);
  return runner ? relay(std::move(runner)) : 1;
}

int start_attached(const char* path, std::string_view boundary) {
  Descriptor runner = start_runner(path, boundary);
  return runner ? relay(std::move(runner)) : 1;
}

int exchange(const char* path, bool start, std::string_view boundary, int wait_ms) {
  constexpr std::int64_t moment_ms = 5;
  constexpr std::size_t enough = 384 * 1024, hello_bytes = frame_header_bytes + 4;
  std::string encoded = read_to_end(0);
  std::string to_runner = from_base64(encoded);
  explicit_bzero(encoded.data(), encoded.size());
  const Descriptor runner = start ? start_runner(path, boundary) : find_runner(path);
  if (!runner) return 1;
  signal(SIGPIPE, SIG_IGN);
  never_wait(runner.get());
  std::string heard;
  std::size_t said = 0;
  bool ended = false;
  std::int64_t until = monotonic_ms() + wait_ms;
  while (!ended && heard.size() < enough) {
    const std::int64_t left = until - monotonic_ms();
    if (left <= 0 && said == to_runner.size()) break;
    pollfd ready{runner.get(), static_cast<short>(said < to_runner.size() ? POLLIN | POLLOUT : POLLIN), 0};
    if (poll(&ready, 1, static_cast<int>(left > 0 ? left : 100)) == 0 && left <= 0) break;
    if (ready.revents & POLLOUT) {
      const ssize_t put = write(runner.get(), to_runner.data() + said, to_runner.size() - said);
      if (put > 0) said += static_cast<std::size_t>(put);
      if (put < 0 && errno != EAGAIN && errno != EINTR) said = to_runner.size();
    }
    if (ready.revents & (POLLIN | POLLHUP | POLLERR)) {
      char buffer[64 * 1024];
      const ssize_t got = read(runner.get(), buffer, sizeof buffer);
      ended = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
      if (got > 0) heard.append(buffer, static_cast<std::size_t>(got));
      // Its hello is no news; what follows soon comes along.
      if (heard.size() > hello_bytes) until = std::min(until, monotonic_ms() + moment_ms);
    }
  }
  explicit_bzero(to_runner.data(), to_runner.size());
  const std::string answer = (ended ? "end\n" : "more\n") + to_base64(heard) + "\n";
  return fwrite(answer.data(), 1, answer.size(), stdout) == answer.size() && fflush(stdout) == 0 ? 0 : 1;
}

int forget(const char* path) {
  const Descriptor directory(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!directory) return errno == ENOENT ? 0 : (perror(path), 1);
  if (exit_text(directory.get()).empty() && is_alive(directory.get())) {
    fprintf(stderr, "the run is still alive\n");
    return 1;
  }
  if (DIR* entries = fdopendir(dup(directory.get()))) {
    while (const dirent* entry = readdir(entries)) unlinkat(directory.get(), entry->d_name, 0);
    closedir(entries);
  }
  return rmdir(path) == 0 || errno == ENOENT ? 0 : (perror(path), 1);
}

}  // namespace paperclip::runner
