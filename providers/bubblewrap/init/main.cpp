// The first process of a sandbox: takes commands from the provider's worker over descriptor 3, reaps, and ends when the
// worker has gone; with it the kernel ends everyone in its PID namespace.

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <string>

#include "leader.h"
#include "protocol.h"
#include "seccomp.h"

namespace {

using namespace paperclip::sandbox;
using paperclip::os::Descriptor;

std::string read_request(int memory) {
  struct stat there {};
  std::string bytes;
  if (fstat(memory, &there) != 0) return bytes;
  bytes.resize(static_cast<std::size_t>(there.st_size));
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = pread(memory, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

/// Takes one message of the control connection with its descriptors. False at the connection's end.
bool receive(std::string& message, Descriptor (&descriptors)[descriptors_per_start]) {
  char bytes[64];
  iovec piece{bytes, sizeof bytes};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * descriptors_per_start)];
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  const ssize_t got = recvmsg(control_descriptor, &header, MSG_CMSG_CLOEXEC);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
    message.clear();
    return true;
  }
  if (got <= 0) return false;
  message.assign(bytes, static_cast<std::size_t>(got));
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count && i < descriptors_per_start; ++i) {
      int fd;
      memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      descriptors[i].reset(fd);
    }
  }
  return true;
}

/// In a fresh process.
[[noreturn]] void lead(int memory, StartDescriptors descriptors) {
  Request request;
  int code = 1;
  if (decode(read_request(memory), request))
    code = request.kind == RequestKind::command ? lead_command(request, std::move(descriptors)) : move_file(request, std::move(descriptors));
  _exit(code);
}

}  // namespace

int main() {
  prctl(PR_SET_NAME, "sandbox-init");
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);  // nobody in the sandbox reads our memory or descriptors
  fcntl(control_descriptor, F_SETFD, FD_CLOEXEC);
  syscall(SYS_close_range, control_descriptor + 1, ~0u, 0);
  umask(022);
  if (!restrict_system_calls()) return 70;

  sigset_t handled;
  sigemptyset(&handled);
  for (const int number : {SIGCHLD, SIGUSR1, SIGPIPE, SIGHUP, SIGINT, SIGTERM}) sigaddset(&handled, number);
  sigprocmask(SIG_BLOCK, &handled, nullptr);
  const Descriptor signals(signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK));
  const std::string ready = encode_control(ControlKind::ready);
  if (send(control_descriptor, ready.data(), ready.size(), MSG_NOSIGNAL) < 0) return 71;

  std::map<std::uint64_t, pid_t> leaders;
  for (;;) {
    pollfd events[] = {{control_descriptor, POLLIN, 0}, {signals.get(), POLLIN, 0}};
    if (poll(events, 2, -1) < 0 && errno != EINTR) return 72;
    if (events[1].revents) {
      signalfd_siginfo info;
      while (read(signals.get(), &info, sizeof info) == sizeof info) {
      }
      for (pid_t pid; (pid = waitpid(-1, nullptr, WNOHANG)) > 0;) std::erase_if(leaders, [pid](const auto& item) { return item.second == pid; });
    }
    if (!events[0].revents) continue;
    std::string message;
    Descriptor descriptors[descriptors_per_start];
    if (!receive(message, descriptors)) return 0;
    paperclip::runner::ByteReader reader(message);
    const auto kind = static_cast<ControlKind>(reader.number<std::uint8_t>());
    const auto number = reader.number<std::uint64_t>();
    if (!reader.ok()) continue;
    if (kind == ControlKind::start && descriptors[descriptors_per_start - 1]) {
      const pid_t pid = fork();
      if (pid == 0) {
        close(control_descriptor);
        lead(descriptors[0].get(), {std::move(descriptors[1]), std::move(descriptors[2]), std::move(descriptors[3]), std::move(descriptors[4])});
      }
      // A failed fork closes the status pipe without a word, which the worker reports.
      if (pid > 0) leaders[number] = pid;
    } else if (const auto found = leaders.find(number); found != leaders.end()) {
      kill(found->second, kind == ControlKind::kill ? SIGUSR1 : SIGTERM);
    }
  }
}
