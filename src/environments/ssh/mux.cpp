#include "environments/ssh/mux.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <optional>

namespace paperclip::environments::ssh {
namespace {

constexpr std::uint32_t mux_hello = 0x00000001, new_session = 0x10000002, terminate = 0x10000005;
constexpr std::uint32_t denied = 0x80000002, failure = 0x80000003, exit_message = 0x80000004;
constexpr std::uint32_t mux_version = 4, no_escape = 0xffffffff;
constexpr std::size_t longest_packet = 256 * 1024;

/// Numbers are big-endian, texts prefixed by their length, each packet by its own.
class Packet {
 public:
  Packet& number(std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes_.push_back(static_cast<char>(value >> shift));
    return *this;
  }
  Packet& text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    bytes_.append(value);
    return *this;
  }
  std::string done() const { return Packet().number(static_cast<std::uint32_t>(bytes_.size())).bytes_ + bytes_; }

 private:
  std::string bytes_;
};

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0u);
  return value;
}

os::Descriptor connect_to(const std::filesystem::path& control_socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = control_socket.string();
  if (path.size() >= sizeof address.sun_path) return {};
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  os::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  return socket;
}

/// A fresh connection takes all we say at once.
bool send_all(int socket, std::string_view bytes) {
  return ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

bool send_descriptor(int socket, int fd) {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = sizeof space;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  ::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  return ::sendmsg(socket, &message, MSG_NOSIGNAL) == 1;
}

/// The next packet; nullopt at the end of the connection. A timeout is an error.
Result<std::optional<std::string>> next_packet(int socket, Deadline deadline) {
  std::string bytes;
  std::size_t wanted = 4;
  while (bytes.size() < wanted) {
    pollfd ready{socket, POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(deadline.left().count())) == 0 && deadline.passed())
      return Error(ErrorKind::timeout, "The SSH session took too long");
    char buffer[4096];
    const ssize_t got = ::recv(socket, buffer, std::min(sizeof buffer, wanted - bytes.size()), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0) return std::optional<std::string>();
    bytes.append(buffer, static_cast<std::size_t>(got));
    if (bytes.size() == 4 && wanted == 4) wanted += number_at(bytes, 0);
    if (wanted > longest_packet) return std::optional<std::string>();
  }
  return std::optional(bytes.substr(4));
}

}  // namespace

Result<Session> Session::start(const std::filesystem::path& control_socket, std::string_view command, int in, int out, int err) {
  Session session;
  session.control_ = connect_to(control_socket);
  const int socket = session.control_.get();
  // The master reads each part by its exact length, so that all of it can be said without waiting for answers.
  const std::string words = Packet().number(mux_hello).number(mux_version).done() +
                            Packet().number(new_session).number(1).text("").number(0).number(0).number(0).number(0)
                                .number(no_escape).text("").text(command).done();
  if (!session.control_ || !send_all(socket, words) || !send_descriptor(socket, in) || !send_descriptor(socket, out) ||
      !send_descriptor(socket, err))
    return Error(ErrorKind::unavailable, "The SSH connection is not there");
  return session;
}

Result<int> Session::wait_exit(Deadline deadline) {
  if (!control_) return Error(ErrorKind::unavailable, "The SSH session was given up");
  for (;;) {
    const auto packet = TRY(next_packet(control_.get(), deadline));
    if (!packet) return Error(ErrorKind::unavailable, "The SSH connection was lost");
    const std::uint32_t type = number_at(*packet, 0);
    if (type == exit_message) return static_cast<int>(number_at(*packet, 8));
    if (type == denied || type == failure)
      return Error(ErrorKind::unavailable, "The SSH session was refused: " + packet->substr(std::min<std::size_t>(12, packet->size())));
  }
}

void end_master(const std::filesystem::path& control_socket) {
  const os::Descriptor socket = connect_to(control_socket);
  if (!socket) return;
  const std::string words = Packet().number(mux_hello).number(mux_version).done() + Packet().number(terminate).number(1).done();
  if (!send_all(socket.get(), words)) return;
  // It hangs up once it has understood.
  const Deadline deadline = Deadline::in(std::chrono::seconds(2));
  for (;;) {
    const auto packet = next_packet(socket.get(), deadline);
    if (!packet || !*packet) return;
  }
}

}  // namespace paperclip::environments::ssh
