#include "bridge_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "base/text.h"

namespace paperclip::environments {
namespace {
constexpr std::chrono::seconds patience{120};
}

net::Response CountingApi::perform(const BridgeCaller& caller, const net::Request& request) {
  std::unique_lock lock(mutex_);
  requests_.push_back(request);
  last_caller = caller;
  changed_.notify_all();
  changed_.wait(lock, [&] { return !shut_; });
  lock.unlock();
  return answer ? answer(request) : net::Response::json(200, R"({"path":")" + request.path + R"("})");
}

std::vector<net::Request> CountingApi::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

bool CountingApi::wait_calls(std::size_t count) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [&] { return requests_.size() >= count; });
}

void CountingApi::shut() {
  const std::lock_guard lock(mutex_);
  shut_ = true;
}

void CountingApi::open() {
  const std::lock_guard lock(mutex_);
  shut_ = false;
  changed_.notify_all();
}

Wire::Wire(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval limit{patience.count(), 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) socket_.reset();
}

void Wire::say(std::string_view bytes) {
  while (socket_ && !bytes.empty()) {
    const auto sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // it was refused before it was whole
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

Heard Wire::hear(bool head_only) {
  const auto more = [&] {
    char buffer[16 * 1024];
    const auto got = socket_ ? ::recv(socket_.get(), buffer, sizeof buffer, 0) : -1;
    if (got <= 0) return false;
    in_.append(buffer, static_cast<std::size_t>(got));
    return true;
  };
  Heard heard;
  while (in_.find("\r\n\r\n") == std::string::npos)
    if (!more()) return heard;
  const auto end = in_.find("\r\n\r\n");
  const auto lines = split(in_.substr(0, end), '\n');
  in_.erase(0, end + 4);
  heard.status = std::atoi(lines.front().substr(9).c_str());
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const auto colon = lines[i].find(':');
    heard.headers[lower(lines[i].substr(0, colon))] = trim(std::string_view(lines[i]).substr(colon + 1));
  }
  if (head_only || heard.status == 100) return heard;
  const std::size_t length = std::strtoul(heard.headers["content-length"].c_str(), nullptr, 10);
  while (in_.size() < length)
    if (!more()) break;
  heard.body = in_.substr(0, length);
  in_.erase(0, length);
  return heard;
}

BridgeFixture::~BridgeFixture() {
  api_.open();
  if (!recorder_ || !runner_ || recorder_->exit()) return;
  runner_->cancel(run_, std::chrono::milliseconds(0));
  recorder_->wait_exit();
}

void BridgeFixture::renew_session() { session_ = std::make_shared<BridgeSession>(api_, caller_, policy_); }

void BridgeFixture::start_bridged(RunCommand command) {
  if (command.callbacks.empty()) command.callbacks = runner::encode(session_->setup(token_));
  command.env.emplace_back("PAPERCLIP_API_KEY", token_.expose());
  recorder_ = std::make_shared<BridgedRecorder>(session_);
  const auto started = runner_->start(run_, command, recorder_);
  ASSERT_TRUE(started) << started.error().message;
}

void BridgeFixture::start_waiting(const std::function<void(runner::CallbackSetup&)>& change) {
  auto command = shell("echo url $PAPERCLIP_API_URL end; read line < \"" + (root_.path() / "end").string() + "\"");
  auto setup = session_->setup(token_);
  if (change) change(setup);
  command.callbacks = runner::encode(setup);
  ASSERT_EQ(::mkfifo((root_.path() / "end").c_str(), 0600), 0);
  start_bridged(std::move(command));
  recorder_->wait_output(" end\n");
  const std::string out = recorder_->out(), prefix = "url http://127.0.0.1:";
  ASSERT_TRUE(out.starts_with(prefix)) << out;
  port_ = std::atoi(out.substr(prefix.size()).c_str());
}

void BridgeFixture::reattach() {
  const auto offset = recorder_->next_offset();
  recorder_ = std::make_shared<BridgedRecorder>(session_);
  const auto attached = runner_->reattach(run_, offset, recorder_);
  ASSERT_TRUE(attached) << attached.error().message;
}

void BridgeFixture::end_agent() {
  std::ofstream(root_.path() / "end") << "over\n";
}

std::string BridgeFixture::get(const std::string& path, const std::string& more) const {
  return "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " + token_.expose() + "\r\n" + more + "\r\n";
}

std::string BridgeFixture::post(const std::string& path, const std::string& body, const std::string& method) const {
  return method + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " + token_.expose() +
         "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace paperclip::environments
