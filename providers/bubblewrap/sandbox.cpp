#include "sandbox.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launcher.h"
#include "machine.h"

namespace paperclip::providers {
namespace {

using namespace sdk;
using sandbox::ControlKind;
using sandbox::Request;
using sandbox::RequestKind;
using sandbox::Status;
using sandbox::StatusKind;

constexpr int start_patience_ms = 20'000, end_patience_ms = 10'000;

/// The request in memory that has no name and is gone with its last descriptor.
Descriptor to_memory(std::string bytes) {
  Descriptor memory(static_cast<int>(::syscall(SYS_memfd_create, "request", MFD_CLOEXEC)));
  std::size_t done = 0;
  while (memory && done < bytes.size()) {
    const ssize_t put = ::write(memory.get(), bytes.data() + done, bytes.size() - done);
    if (put <= 0) break;
    done += static_cast<std::size_t>(put);
  }
  ::explicit_bzero(bytes.data(), bytes.size());
  if (!memory || done < bytes.size()) throw Error(std::string("Cannot hand over the command: ") + ::strerror(errno));
  return memory;
}

/// False if nobody is there to get it.
bool send_control(int control, const std::string& message, const std::vector<int>& descriptors = {}) {
  iovec piece{const_cast<char*>(message.data()), message.size()};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int) * sandbox::descriptors_per_start)] = {};
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    header.msg_control = space;
    header.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors.size());
    cmsghdr* part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
    ::memcpy(CMSG_DATA(part), descriptors.data(), sizeof(int) * descriptors.size());
  }
  ssize_t sent;
  do sent = ::sendmsg(control, &header, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(message.size());
}

/// What is left in the status pipe once it is readable; a sandbox that ended leaves nothing.
Status read_status(int pipe) {
  std::string bytes;
  char piece[4096];
  for (;;) {
    const ssize_t got = ::read(pipe, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    bytes.append(piece, static_cast<std::size_t>(got));
  }
  Status status;
  if (!decode(bytes, status)) throw Error("The sandbox has ended, and with it the command");
  if (status.kind == StatusKind::failed) throw Error(status.text);
  return status;
}

class SandboxCommand : public RunningCommand {
 public:
  SandboxCommand(int control, std::uint64_t number, Descriptor status) : control_(control), number_(number), status_(std::move(status)) {}
  /// Nobody attends it any more: it ends.
  ~SandboxCommand() override {
    if (!ended_) send_control(control_, encode_control(ControlKind::kill, number_));
  }

  int ended() const override { return status_.get(); }
  void signal(int number) override {
    send_control(control_, encode_control(number == SIGKILL ? ControlKind::kill : ControlKind::terminate, number_));
  }
  CommandEnd end() override {
    ended_ = true;
    const Status status = read_status(status_.get());
    if (status.kind == StatusKind::signalled) return {std::nullopt, static_cast<int>(status.value)};
    return {static_cast<int>(status.value), 0};
  }

 private:
  const int control_;
  const std::uint64_t number_;
  Descriptor status_;
  bool ended_ = false;
};

std::string read_rest(int pipe) {
  std::string text;
  char piece[4096];
  for (ssize_t got; (got = ::read(pipe, piece, sizeof piece)) > 0 && text.size() < 8192;) text.append(piece, static_cast<std::size_t>(got));
  return trimmed(text);
}

void reap(pid_t pid) {
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

Sandbox::Sandbox(pid_t bwrap, Descriptor control, std::unique_ptr<ControlGroup> group)
    : group_(std::move(group)), bwrap_(bwrap), handle_(static_cast<int>(::syscall(SYS_pidfd_open, bwrap, 0))), control_(std::move(control)) {}

std::unique_ptr<Sandbox> Sandbox::start(const LeaseDirectories& directories, const LeaseRecord& lease, const BubblewrapConfig& config) {
  if (const std::string why_not = obstacle(Machine::look()); !why_not.empty()) throw Error(why_not);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) throw Error(std::string("Cannot make a socket: ") + ::strerror(errno));
  Descriptor ours(ends[0]), theirs(ends[1]);
  Pipe errors = Pipe::make();
  constexpr std::uint64_t mib = 1024 * 1024, own_processes = 8;  // bwrap, the first process, leaders
  auto group = ControlGroup::make(lease.id, config.memory_mb * mib, config.processes == 0 ? 0 : config.processes + own_processes);
  const pid_t pid = launch({bwrap_arguments(directories, lease, config), theirs.get(), errors.writer.get(), lease.user, lease.group,
                            group ? group->doors() : std::vector<int>()});
  theirs.reset();
  errors.writer.reset();
  auto made = std::unique_ptr<Sandbox>(new Sandbox(pid, std::move(ours), std::move(group)));
  pollfd ready{made->control_.get(), POLLIN, 0};
  int polled;
  do polled = ::poll(&ready, 1, start_patience_ms);
  while (polled < 0 && errno == EINTR);
  char message[16];
  if (polled == 1 && ::recv(made->control_.get(), message, sizeof message, 0) > 0) return made;
  ::kill(pid, SIGKILL);
  const std::string said = read_rest(errors.reader.get());
  throw Error("The sandbox could not be started: " + (said.empty() ? std::string("bwrap said nothing") : said));
}

Sandbox::~Sandbox() { end(); }

void Sandbox::end() {
  const std::lock_guard lock(ending_);
  if (reaped_) return;
  // The first process ends at the end of this connection, the kernel ends everyone else with it, and then bwrap ends.
  ::shutdown(control_.get(), SHUT_RDWR);
  pollfd ended{handle_.get(), POLLIN, 0};
  if (::poll(&ended, 1, end_patience_ms) != 1) ::kill(bwrap_, SIGKILL);
  reap(bwrap_);
  group_.reset();
  reaped_ = true;
}

bool Sandbox::alive() const {
  pollfd ended{control_.get(), POLLRDHUP, 0};
  return ::poll(&ended, 1, 0) == 0;
}

std::unique_ptr<RunningCommand> Sandbox::run(const Request& request) {
  Pipe in = Pipe::make(), out = Pipe::make(), err = Pipe::make(), status = Pipe::make();
  const Descriptor memory = to_memory(encode(request));
  const std::uint64_t number = ++last_number_;
  if (!send_control(control_.get(), encode_control(ControlKind::start, number),
                    {memory.get(), in.reader.get(), out.writer.get(), err.writer.get(), status.writer.get()}))
    throw Error("The sandbox has ended");
  auto command = std::make_unique<SandboxCommand>(control_.get(), number, std::move(status.reader));
  command->in = std::move(in.writer);
  command->out = std::move(out.reader);
  command->err = std::move(err.reader);
  return command;
}

void Sandbox::put_file(const Request& request, std::string_view bytes) {
  const auto command = run(request);
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t put = ::write(command->in.get(), bytes.data() + done, bytes.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) break;  // the status says why
    done += static_cast<std::size_t>(put);
  }
  command->in.reset();
  command->end();
}

FilePiece Sandbox::get_file(const Request& request) {
  auto command = run(request);
  FilePiece piece;
  char bytes[64 * 1024];
  for (ssize_t got; (got = ::read(command->out.get(), bytes, sizeof bytes)) > 0 || (got < 0 && errno == EINTR);)
    if (got > 0) piece.bytes.append(bytes, static_cast<std::size_t>(got));
  auto* file = static_cast<SandboxCommand*>(command.get());
  piece.end = file->end().exit_code == 1;
  return piece;
}

}  // namespace paperclip::providers
