#include "environments/ssh/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "os/child_environment.h"
#include "os/files.h"

namespace paperclip::environments::ssh {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view ready_word = "paperclip-ready";
constexpr auto connect_patience = 30s;
constexpr auto first_pause = 100ms, longest_pause = 5000ms;
constexpr std::size_t errors_limit = 64 * 1024;

/// What the ssh client sees of our environment: where its files and its agent are.
os::Environment client_environment() {
  os::Environment environment;
  const os::Environment own = os::own_environment();
  for (const std::string_view name : {"HOME", "USER", "LOGNAME", "PATH", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR"})
    if (const auto value = os::value_in(own, name); !value.empty()) environment.emplace_back(name, value);
  if (os::value_in(environment, "PATH").empty()) environment.emplace_back("PATH", os::default_path);
  return environment;
}

std::string_view last_lines(std::string_view text) {
  constexpr std::size_t enough = 500;
  text = trim(text);
  return text.size() > enough ? text.substr(text.size() - enough) : text;
}

struct Pipe {
  os::Descriptor reader, writer;
};
Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return internal_error(std::string("Cannot make a pipe: ") + ::strerror(errno));
  return Pipe{os::Descriptor(ends[0]), os::Descriptor(ends[1])};
}

/// A command whose pipes are ours.
class SshStream : public PlaceStream {
 public:
  SshStream(Connection::Stream stream) : stream_(std::move(stream)) {}
  int socket() const override { return stream_.socket.get(); }
  Result<os::CommandOutput> finish(Deadline deadline) override {
    os::CommandOutput output;
    output.exit_code = TRY(stream_.session.wait_exit(deadline));
    if (output.exit_code > 128) output.signal = output.exit_code - 128;
    output.stderr_text = read_errors(stream_.errors.get(), errors_limit);
    return output;
  }

 private:
  Connection::Stream stream_;
};

void make_blocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) & ~O_NONBLOCK); }

}  // namespace

std::string read_errors(int memory_file, std::size_t limit) {
  std::string text(limit, '\0');
  const ssize_t got = ::pread(memory_file, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

Result<std::shared_ptr<Connection>> Connection::open(Target target, Deadline deadline) {
  PrivateDirectory directory = TRY(PrivateDirectory::create());
  if (!target.known_hosts.empty())
    TRY(os::write_file_atomically(directory.known_hosts(), target.known_hosts + "\n", 0600));
  std::shared_ptr<Connection> connection(new Connection(std::move(target), std::move(directory)));
  TRY(connection->wait_connected(deadline));
  return connection;
}

Connection::Connection(Target target, PrivateDirectory directory)
    : target_(std::move(target)), directory_(std::move(directory)), bell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);  // the process's signals are for its other threads
  thread_ = std::thread([this] { supervise(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Connection::~Connection() { close(); }

void Connection::close() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    changed_.notify_all();
  }
  const std::uint64_t one = 1;
  (void)!::write(bell_.get(), &one, sizeof one);
  if (thread_.joinable()) thread_.join();
}

bool Connection::connected() const {
  const std::lock_guard lock(mutex_);
  return connected_;
}

std::string Connection::trouble() const {
  const std::lock_guard lock(mutex_);
  return connected_ ? std::string() : trouble_;
}

pid_t Connection::client() const {
  const std::lock_guard lock(mutex_);
  return client_;
}

Result<void> Connection::wait_connected(Deadline deadline) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, deadline.at(), [&] { return connected_ || closing_ || failed_first_; });
  if (connected_) return success();
  return Error(ErrorKind::unavailable, "Cannot connect to " + target_.address() + " port " + std::to_string(target_.port) + ": " +
                                           (trouble_.empty() ? "it took too long" : trouble_));
}

void Connection::supervise() {
  ::pthread_setname_np(::pthread_self(), "ssh");
  std::chrono::milliseconds pause = first_pause;
  bool first = true;
  for (;;) {
    auto made = connect();
    {
      std::unique_lock lock(mutex_);
      if (closing_) break;
      connected_ = made.ok();
      trouble_ = made ? "" : made.error().message;
      failed_first_ = first && !made;
      changed_.notify_all();
      if (failed_first_) break;
    }
    first = false;
    if (made) {
      pause = first_pause;
      watch_client();
    }
    reap_client();
    std::unique_lock lock(mutex_);
    if (connected_) trouble_ = "the connection was lost";
    connected_ = false;
    if (changed_.wait_for(lock, pause, [&] { return closing_; })) break;
    pause = std::min<std::chrono::milliseconds>(pause * 2, longest_pause);
  }
  {
    const std::lock_guard lock(mutex_);
    connected_ = false;
  }
  reap_client();
}

std::vector<std::string> Connection::arguments() const {
  std::vector<std::string> words{"ssh"};
  const auto option = [&](std::string text) {
    words.push_back("-o");
    words.push_back(std::move(text));
  };
  option("BatchMode=yes");
  option("ConnectTimeout=10");
  option("ServerAliveInterval=5");
  option("ServerAliveCountMax=3");
  option("ControlMaster=yes");
  option("ControlPersist=no");
  option("ControlPath=" + directory_.control_socket().string());
  option("ClearAllForwardings=yes");
  option("ForwardAgent=no");
  option("ForwardX11=no");
  option("PermitLocalCommand=no");
  option("RemoteCommand=none");
  option("RequestTTY=no");
  option("EscapeChar=none");
  option("UpdateHostKeys=no");
  option("LogLevel=ERROR");
  if (!target_.strict_host_keys) {
    option("StrictHostKeyChecking=no");
    option("UserKnownHostsFile=/dev/null");
  } else {
    option("StrictHostKeyChecking=yes");
    if (!target_.known_hosts.empty()) {
      option("UserKnownHostsFile=" + directory_.known_hosts().string());
      option("GlobalKnownHostsFile=/dev/null");
    }
  }
  if (!target_.private_key.expose().empty()) {
    option("IdentitiesOnly=yes");
    option("IdentityAgent=none");
    words.push_back("-i");
    words.push_back(directory_.identity().string());
  }
  for (std::string word : {std::string("-T"), std::string("-p"), std::to_string(target_.port), std::string("-l"), target_.username,
                           std::string("--"), target_.host, "echo " + std::string(ready_word) + " && exec cat > /dev/null"})
    words.push_back(std::move(word));
  return words;
}

Result<void> Connection::connect() {
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return Error(ErrorKind::unavailable, "closed");
  }
  Pipe in = TRY(make_pipe()), out = TRY(make_pipe()), err = TRY(make_pipe());
  os::SpawnRequest request;
  request.environment = client_environment();
  request.executable = TRY(os::resolve_command("ssh", "/", os::value_in(request.environment, "PATH")));
  request.argv = arguments();
  request.cwd = "/";
  request.descriptors = {{in.reader.get(), 0}, {out.writer.get(), 1}, {err.writer.get(), 2}};
  request.session = os::SpawnRequest::Session::new_session;
  if (!target_.private_key.expose().empty()) TRY(directory_.write_identity(target_.private_key));
  (void)os::remove_tree(directory_.control_socket());
  const auto client = os::spawn(request);
  if (!client) {
    directory_.remove_identity();
    return client.error();
  }
  {
    const std::lock_guard lock(mutex_);
    client_ = *client;
  }
  client_in_ = std::move(in.writer);
  client_out_ = std::move(out.reader);
  client_err_ = std::move(err.reader);
  out.writer.reset();
  err.writer.reset();

  std::string said, complained;
  const Deadline deadline = Deadline::in(connect_patience);
  bool open = true, ready = false;
  while (open && !ready && !deadline.passed()) {
    pollfd polls[] = {{client_out_.get(), POLLIN, 0}, {client_err_.get(), POLLIN, 0}, {bell_.get(), POLLIN, 0}};
    ::poll(polls, 3, static_cast<int>(deadline.left().count()));
    char buffer[4096];
    if (polls[2].revents) break;
    if (polls[1].revents) {
      const ssize_t got = ::read(client_err_.get(), buffer, sizeof buffer);
      if (got > 0 && complained.size() < errors_limit) complained.append(buffer, static_cast<std::size_t>(got));
      open = got > 0;
    }
    if (polls[0].revents) {
      const ssize_t got = ::read(client_out_.get(), buffer, sizeof buffer);
      if (got > 0 && said.size() < errors_limit) said.append(buffer, static_cast<std::size_t>(got));
      open = open && got > 0;
      ready = said.find(ready_word) != std::string::npos;
    }
  }
  directory_.remove_identity();
  if (ready) return success();
  // Its last words may still be in the pipe.
  client_in_.reset();
  ::fcntl(client_err_.get(), F_SETFL, O_NONBLOCK);
  char buffer[4096];
  for (ssize_t got; (got = ::read(client_err_.get(), buffer, sizeof buffer)) > 0;) complained.append(buffer, static_cast<std::size_t>(got));
  reap_client();
  const std::string_view words = last_lines(complained);
  return Error(ErrorKind::unavailable, words.empty() ? deadline.passed() ? "the host did not answer in time" : "ssh ended without a word"
                                                     : std::string(words));
}

/// Until the client ends or we close.
void Connection::watch_client() {
  for (;;) {
    pollfd polls[] = {{client_out_.get(), POLLIN, 0}, {client_err_.get(), POLLIN, 0}, {bell_.get(), POLLIN, 0}};
    if (::poll(polls, 3, -1) < 0 && errno != EINTR) return;
    if (polls[2].revents) return;
    char buffer[4096];
    for (int i = 0; i < 2; ++i)
      if (polls[i].revents && ::read(polls[i].fd, buffer, sizeof buffer) <= 0) return;
  }
}

void Connection::reap_client() {
  pid_t client;
  {
    const std::lock_guard lock(mutex_);
    client = client_;
  }
  client_in_.reset();
  client_out_.reset();
  client_err_.reset();
  if (client <= 0) return;
  ::kill(-client, SIGTERM);
  for (int patience = 0; ::waitpid(client, nullptr, WNOHANG) == 0; ++patience) {
    if (patience == 200) ::kill(-client, SIGKILL);
    ::poll(nullptr, 0, 5);
  }
  ::kill(-client, SIGKILL);  // a ProxyCommand of its own
  const std::lock_guard lock(mutex_);
  client_ = 0;
}

Result<Connection::Stream> Connection::start(std::string_view command) const {
  {
    const std::lock_guard lock(mutex_);
    if (!connected_) return Error(ErrorKind::unavailable, "There is no connection to " + target_.address() + " just now: " + trouble_);
  }
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return internal_error(std::string("Cannot make a socket pair: ") + ::strerror(errno));
  Stream stream;
  stream.socket.reset(ends[0]);
  const os::Descriptor theirs(ends[1]);
  stream.errors.reset(::memfd_create("ssh-stderr", MFD_CLOEXEC));
  stream.session = TRY(Session::start(directory_.control_socket(), command, theirs.get(), theirs.get(), stream.errors.get()));
  return stream;
}

Result<os::CommandOutput> Connection::run(std::string_view command, std::string_view stdin_text, std::size_t output_limit,
                                          Deadline deadline) {
  TRY(wait_connected(deadline));
  Stream stream = TRY(start(command));
  os::CommandOutput output;
  bool open = true;
  while (open) {
    if (stdin_text.empty()) ::shutdown(stream.socket.get(), SHUT_WR);
    pollfd ready{stream.socket.get(), static_cast<short>(stdin_text.empty() ? POLLIN : POLLIN | POLLOUT), 0};
    ::poll(&ready, 1, static_cast<int>(deadline.left().count()));
    if (deadline.passed()) return Error(ErrorKind::timeout, "The command on " + target_.address() + " took too long");
    if (!stdin_text.empty() && (ready.revents & POLLOUT)) {
      const ssize_t sent = ::send(stream.socket.get(), stdin_text.data(), stdin_text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) stdin_text.remove_prefix(static_cast<std::size_t>(sent));
      if (sent < 0 && errno != EAGAIN && errno != EINTR) stdin_text = {};  // it reads no more: its affair
    }
    if (ready.revents & (POLLIN | POLLHUP | POLLERR)) {
      char buffer[64 * 1024];
      const ssize_t got = ::recv(stream.socket.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (got > 0) {
        const std::size_t room = output_limit - std::min(output_limit, output.stdout_text.size());
        output.truncated |= static_cast<std::size_t>(got) > room;
        output.stdout_text.append(buffer, std::min(room, static_cast<std::size_t>(got)));
      }
      open = got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
    }
  }
  output.exit_code = TRY(stream.session.wait_exit(deadline));
  if (output.exit_code > 128) output.signal = output.exit_code - 128;
  output.stderr_text = read_errors(stream.errors.get(), std::max(output_limit, errors_limit));
  return output;
}

Result<std::unique_ptr<PlaceStream>> Connection::open_stream(std::string_view command, std::string_view first, Deadline deadline) {
  TRY(wait_connected(deadline));
  Stream stream = TRY(start(command));
  while (!first.empty()) {
    pollfd ready{stream.socket.get(), POLLOUT, 0};
    ::poll(&ready, 1, static_cast<int>(deadline.left().count()));
    if (deadline.passed()) return Error(ErrorKind::timeout, "The command on " + target_.address() + " took too long to start");
    const ssize_t sent = ::send(stream.socket.get(), first.data(), first.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return Error(ErrorKind::unavailable, "The SSH session could not be opened");
    if (sent > 0) first.remove_prefix(static_cast<std::size_t>(sent));
  }
  make_blocking(stream.socket.get());
  return std::unique_ptr<PlaceStream>(std::make_unique<SshStream>(std::move(stream)));
}

}  // namespace paperclip::environments::ssh
