#include "runner/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "runner/base64.h"
#include "runner/bytes.h"
#include "runner/system.h"

namespace paperclip::runner {
namespace {

constexpr const char* socket_name = "held.sock";
constexpr std::int64_t patience_ms = 120'000, moment_ms = 2;
constexpr std::size_t most_held = 1024 * 1024, most_carried = 512 * 1024, most_errors = 64 * 1024;

constexpr std::uint8_t more_word = 0, end_word = 1;
enum : std::uint8_t { flag_end_input = 1, flag_drop = 2 };

void never_wait(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

sockaddr_un address_here() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path, socket_name);  // relative: the directory's path may be longer than an address
  return address;
}

[[noreturn]] void be_command(int socket, int errors, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGPIPE, SIG_DFL);
  dup2(socket, 0);
  dup2(socket, 1);
  dup2(errors, 2);
  execvp(argv[0], argv);
  fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
  _exit(errno == ENOENT ? 127 : 126);
}

/// The command, and whoever asks for it just now.
class Holder {
 public:
  Holder(Descriptor listener, Descriptor command, Descriptor errors, pid_t child)
      : listener_(std::move(listener)), command_(std::move(command)), errors_(std::move(errors)), child_(child) {}

  void run() {
    last_asked_ = monotonic_ms();
    while (!over_ && (client_ || monotonic_ms() - last_asked_ < patience_ms)) {
      turn();
      if (client_ && asked_ && is_due()) answer();
    }
    if (!exited_) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
  }

 private:
  void turn() {
    const bool hears = !said_all_ && to_client_.size() < most_held;
    const bool tells = told_ < to_command_.size();
    pollfd polls[] = {{client_ ? -1 : listener_.get(), POLLIN, 0},
                      {client_ && !asked_ ? client_.get() : -1, POLLIN, 0},
                      {hears || tells ? command_.get() : -1, static_cast<short>((hears ? POLLIN : 0) | (tells ? POLLOUT : 0)), 0}};
    poll(polls, 3, static_cast<int>(std::clamp<std::int64_t>(next_ms() - monotonic_ms(), 0, 1000)));
    if (polls[0].revents) {
      client_.reset(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      request_.clear();
      asked_ = false;
    }
    if (polls[1].revents) hear_client();
    if (polls[2].revents & POLLOUT) tell_command();
    if (hears && (polls[2].revents & (POLLIN | POLLHUP | POLLERR))) hear_command();
  }

  std::int64_t next_ms() const {
    const std::int64_t now = monotonic_ms();
    if (!client_) return last_asked_ + patience_ms;
    if (!asked_) return now + 1000;
    return to_client_.empty() ? until_ : std::min(until_, first_word_ms_ + moment_ms);
  }
  bool is_due() const {
    const std::int64_t now = monotonic_ms();
    if (told_ < to_command_.size() && to_command_.size() - told_ > most_held && !said_all_) return false;  // it takes no more for now
    return said_all_ || now >= until_ || to_client_.size() >= most_carried || (!to_client_.empty() && now >= first_word_ms_ + moment_ms);
  }

  void hear_client() {
    char buffer[64 * 1024];
    const ssize_t got = read(client_.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) return;
    if (got <= 0) {
      client_.reset();
      return;
    }
    request_.append(buffer, static_cast<std::size_t>(got));
    ByteReader reader(request_);
    const auto flags = reader.number<std::uint8_t>();
    const auto wait_ms = reader.number<std::uint32_t>();
    const auto bytes = reader.text();
    if (!reader.ok()) return;
    last_asked_ = monotonic_ms();
    if (flags & flag_drop) {
      over_ = true;
      return;
    }
    to_command_.append(bytes);
    end_input_ |= (flags & flag_end_input) != 0;
    until_ = last_asked_ + std::min<std::uint32_t>(wait_ms, 60'000);
    asked_ = true;
    tell_command();
  }

  void tell_command() {
    while (told_ < to_command_.size()) {
      const ssize_t put = send(command_.get(), to_command_.data() + told_, to_command_.size() - told_, MSG_NOSIGNAL);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0 && errno == EAGAIN) break;
      told_ = put < 0 ? to_command_.size() : told_ + static_cast<std::size_t>(put);  // whom it does not interest any more
    }
    if (told_ < to_command_.size()) return;
    to_command_.clear();
    told_ = 0;
    if (end_input_) shutdown(command_.get(), SHUT_WR);
  }

  void hear_command() {
    char buffer[64 * 1024];
    const ssize_t got = read(command_.get(), buffer, sizeof buffer);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got > 0) {
      if (to_client_.empty()) first_word_ms_ = monotonic_ms();
      to_client_.append(buffer, static_cast<std::size_t>(got));
      return;
    }
    said_all_ = true;
    waitpid(child_, &status_, 0);
    exited_ = true;
  }

  void answer() {
    const std::size_t size = std::min(to_client_.size(), most_carried);
    const bool last = said_all_ && size == to_client_.size();
    std::string out, complaints(last ? most_errors : 0, '\0');
    if (last) complaints.resize(static_cast<std::size_t>(std::max<ssize_t>(pread(errors_.get(), complaints.data(), complaints.size(), 0), 0)));
    const int code = WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
    ByteWriter(out).number(last ? end_word : more_word).number(static_cast<std::uint32_t>(code)).text(std::string_view(to_client_).substr(0, size)).text(complaints);
    for (std::string_view left = out; !left.empty();) {
      const ssize_t put = send(client_.get(), left.data(), left.size(), MSG_NOSIGNAL);
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) break;
      left.remove_prefix(static_cast<std::size_t>(put));
    }
    to_client_.erase(0, size);
    first_word_ms_ = monotonic_ms();
    client_.reset();
    asked_ = false;
    over_ = last;
  }

  const Descriptor listener_, command_, errors_;
  const pid_t child_;
  Descriptor client_;
  std::string request_, to_command_, to_client_;
  std::size_t told_ = 0;
  bool asked_ = false, end_input_ = false, said_all_ = false, exited_ = false, over_ = false;
  int status_ = 0;
  std::int64_t last_asked_ = 0, until_ = 0, first_word_ms_ = 0;
};

Descriptor listen_in(int directory) {
  if (fchdir(directory) != 0) return {};
  const sockaddr_un address = address_here();
  Descriptor listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener || bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || listen(listener.get(), 4) != 0) listener.reset();
  return listener;
}

int fail(const char* what) {
  fprintf(stderr, "paperclip-runner: %s: %s\n", what, strerror(errno));
  return 1;
}

}  // namespace

int hold(const char* path, char** argv) {
  const Descriptor start(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!make_directory(path)) return fail(path);
  const Descriptor directory(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  Descriptor listener = directory ? listen_in(directory.get()) : Descriptor();
  int ends[2];
  if (!listener || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail(path);
  Descriptor ours(ends[0]), theirs(ends[1]), errors(memfd_create("stderr", MFD_CLOEXEC));
  const pid_t holder = fork();
  if (holder < 0) return fail("fork");
  if (holder > 0) return puts("held") < 0;

  // Nothing of ours keeps whoever waits for the end of this command.
  setsid();
  const int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; ++fd) dup2(null, fd);
  const pid_t child = fork();
  if (child == 0) {
    if (start && fchdir(start.get()) != 0) _exit(126);
    be_command(theirs.get(), errors.get(), argv);
  }
  theirs.reset();
  never_wait(ours.get());
  if (child > 0) Holder(std::move(listener), std::move(ours), std::move(errors), child).run();
  unlinkat(directory.get(), socket_name, 0);
  rmdir(path);
  _exit(0);
}

int carry(const char* path, bool end_input, bool drop, int wait_ms) {
  std::string encoded;
  char buffer[64 * 1024];
  for (ssize_t got; (got = read(0, buffer, sizeof buffer)) > 0 || (got < 0 && errno == EINTR);)
    if (got > 0) encoded.append(buffer, static_cast<std::size_t>(got));
  std::string request;
  ByteWriter(request)
      .number(static_cast<std::uint8_t>((end_input ? flag_end_input : 0) | (drop ? flag_drop : 0)))
      .number(static_cast<std::uint32_t>(std::max(wait_ms, 0)))
      .text(from_base64(encoded));
  const Descriptor directory(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = address_here();
  if (!directory || fchdir(directory.get()) != 0 || connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return drop ? 0 : fail("Nobody holds a command there");
  for (std::string_view left = request; !left.empty();) {
    const ssize_t put = send(socket.get(), left.data(), left.size(), MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return fail("The held command is gone");
    left.remove_prefix(static_cast<std::size_t>(put));
  }
  std::string answer;
  for (ssize_t got; (got = read(socket.get(), buffer, sizeof buffer)) > 0 || (got < 0 && errno == EINTR);)
    if (got > 0) answer.append(buffer, static_cast<std::size_t>(got));
  if (drop) return 0;
  ByteReader reader(answer);
  const auto word = reader.number<std::uint8_t>();
  const auto code = reader.number<std::uint32_t>();
  const auto bytes = reader.text(), complaints = reader.text();
  if (!reader.ok()) return fail("The held command is gone");
  if (word == end_word) printf("end %u\n%s\n%s\n", code, to_base64(bytes).c_str(), to_base64(complaints).c_str());
  else printf("more\n%s\n", to_base64(bytes).c_str());
  return fflush(stdout) != 0;
}

}  // namespace paperclip::runner
