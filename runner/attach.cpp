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

#include <string>

#include "runner/ended_run.h"
#include "runner/exit_report.h"
#include "runner/frames.h"
#include "runner/run_directory.h"

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

/// Answers in the place of a runner that is no more.
int answer_for(int directory, const std::string& exit) {
  Pair pair;
  if (!make_pair(pair)) return 1;
  const pid_t child = fork();
  if (child < 0) return 1;
  if (child == 0) {
    pair.ours.reset();
    serve_ended(directory, exit, std::move(pair.theirs));
    _exit(0);
  }
  pair.theirs.reset();
  return relay(std::move(pair.ours));
}

int refuse_start(const std::string& why) {
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

bool make_directory(const std::string& path) {
  for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1))
    if (mkdir(path.substr(0, at).c_str(), 0700) != 0 && errno != EEXIST) return false;
  return mkdir(path.c_str(), 0700) == 0;
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

int attach(const char* path) {
  const Descriptor directory(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return answer_for(-1, lost_text(-1));
  for (const std::int64_t until = monotonic_ms() + answer_patience_ms; monotonic_ms() < until; poll(nullptr, 0, look_pause_ms)) {
    std::string exit = exit_text(directory.get());
    if (exit.empty() && !is_alive(directory.get())) {
      exit = exit_text(directory.get());  // it may have ended between the two looks
      if (exit.empty()) exit = lost_text(directory.get());
    }
    if (!exit.empty()) return answer_for(directory.get(), exit);
    if (Descriptor runner = connect_in(directory.get())) return relay(std::move(runner));
  }
  return 1;
}

int start_attached(const char* path, std::string_view boundary) {
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
  pair.theirs.reset();
  return relay(std::move(pair.ours));
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
