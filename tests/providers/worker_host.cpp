#include "worker_host.h"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>

#include "os/process.h"
#include "paperclip/sdk/base64.h"

namespace paperclip::testing_support {
namespace {

constexpr std::chrono::seconds patience{120};

std::pair<os::Descriptor, os::Descriptor> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  return {os::Descriptor(ends[0]), os::Descriptor(ends[1])};
}

}  // namespace

WorkerHost::WorkerHost(const std::string& package, Answer answer) : answer_(std::move(answer)) {
  ::signal(SIGPIPE, SIG_IGN);
  const std::string folder = std::string(PAPERCLIP_PLUGIN_PACKAGES) + "/" + package;
  std::ifstream file(folder + "/manifest.json");
  manifest_ = parse_json(std::string(std::istreambuf_iterator<char>(file), {})).value();
  auto [in_reader, in_writer] = make_pipe();
  auto [out_reader, out_writer] = make_pipe();
  os::SpawnRequest request;
  request.executable = folder + "/worker";
  request.argv = {request.executable};
  request.environment = {{"PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"},
                         {"NODE_PATH", ""},
                         {"PAPERCLIP_PLUGIN_ID", "11111111-2222-4333-8444-" + std::string(12 - std::to_string(::getpid()).size(), '0') + std::to_string(::getpid())},
                         {"NODE_ENV", "production"},
                         {"TZ", "UTC"}};
  request.descriptors = {{in_reader.get(), 0}, {out_writer.get(), 1}, {2, 2}};
  pid_ = os::spawn(request).value();
  to_worker_ = std::move(in_writer);
  from_worker_ = std::move(out_reader);
  out_writer.reset();
  reader_ = std::thread([this] { read_all(); });
}

WorkerHost::~WorkerHost() {
  if (pid_ > 0) close();
}

std::vector<std::string> WorkerHost::all_extensions() {
  return {"environment.stream", "environment.stdin", "environment.cancel", "environment.files", "environment.inventory", "something.newer"};
}

json::object WorkerHost::initialise(json::object config, std::vector<std::string> extensions) {
  json::array offered;
  for (const std::string& name : extensions) offered.emplace_back(name);
  return call("initialize", {{"manifest", manifest_},
                             {"config", std::move(config)},
                             {"instanceInfo", {{"instanceId", "test"}, {"hostVersion", "2026.503.0"}}},
                             {"apiVersion", 1},
                             {"databaseNamespace", nullptr},
                             {"extensions", std::move(offered)}})
      .as_object();
}

json::value WorkerHost::call(const std::string& method, json::object params) {
  json::object answer = ask(method, std::move(params));
  if (const auto* result = answer.if_contains("result")) return *result;
  ADD_FAILURE() << method << ": " << json::serialize(answer);
  return nullptr;
}

json::object WorkerHost::ask(const std::string& method, json::object params) { return wait(begin(method, std::move(params))); }

std::int64_t WorkerHost::begin(const std::string& method, json::object params) {
  std::int64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    id = ++last_id_;
  }
  send_line(json::serialize(json::object{{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", std::move(params)}}));
  return id;
}

json::object WorkerHost::wait(std::int64_t id) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [&] { return ended_ || answers_.contains(id); });
  if (!answers_.contains(id)) return {{"error", {{"code", -32000}, {"message", ended_ ? "the worker has ended" : "no answer"}}}};
  return answers_.at(id);
}

bool WorkerHost::answered(std::int64_t id) const {
  const std::lock_guard lock(mutex_);
  return answers_.contains(id);
}

void WorkerHost::notify(const std::string& method, json::object params) {
  send_line(json::serialize(json::object{{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(params)}}));
}

void WorkerHost::send_line(const std::string& line) {
  const std::lock_guard lock(writing_);
  const std::string frame = line + "\n";
  for (std::size_t done = 0; done < frame.size();) {
    const ssize_t put = ::write(to_worker_.get(), frame.data() + done, frame.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return;
    done += static_cast<std::size_t>(put);
  }
}

void WorkerHost::read_all() {
  std::string buffer;
  char piece[65536];
  for (;;) {
    const ssize_t got = ::read(from_worker_.get(), piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    buffer.append(piece, static_cast<std::size_t>(got));
    std::size_t used = 0;
    for (std::size_t end; (end = buffer.find('\n', used)) != std::string::npos; used = end + 1) take(buffer.substr(used, end - used));
    buffer.erase(0, used);
  }
  const std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

void WorkerHost::take(const std::string& line) {
  const json::value parsed = json::parse(line);
  const json::object& message = parsed.as_object();
  if (message.contains("result") || message.contains("error")) {
    const std::lock_guard lock(mutex_);
    answers_[message.at("id").is_int64() ? message.at("id").as_int64() : -1] = message;
    changed_.notify_all();
    return;
  }
  const std::string method(message.at("method").as_string());
  const json::object params = message.at("params").as_object();
  if (message.contains("id")) {
    json::object answer{{"jsonrpc", "2.0"}, {"id", message.at("id")}};
    try {
      if (!answer_) throw std::runtime_error("Host does not handle method \"" + method + "\"");
      answer["result"] = answer_(method, params);
    } catch (const std::runtime_error& failure) {
      answer["error"] = {{"code", -32603}, {"message", failure.what()}};
    }
    return send_line(json::serialize(answer));
  }
  const std::lock_guard lock(mutex_);
  if (method == "environment.output") {
    output_[std::string(params.at("executionId").as_string()) + " " + std::string(params.at("stream").as_string())] +=
        sdk::from_base64(std::string_view(params.at("data").as_string())).value();
  } else {
    notifications_.push_back(message);
  }
  changed_.notify_all();
}

bool WorkerHost::wait_for_output(const std::string& execution, const std::string& stream,
                                 const std::function<bool(const std::string&)>& found) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [&] { return ended_ || found(output_[execution + " " + stream]); }) &&
         found(output_[execution + " " + stream]);
}

std::string WorkerHost::output(const std::string& execution, const std::string& stream) const {
  const std::lock_guard lock(mutex_);
  const auto found = output_.find(execution + " " + stream);
  return found == output_.end() ? "" : found->second;
}

std::vector<json::object> WorkerHost::notifications() const {
  const std::lock_guard lock(mutex_);
  return notifications_;
}

bool WorkerHost::wait_for_notification(const std::string& method) {
  std::unique_lock lock(mutex_);
  const auto there = [&] {
    for (const auto& each : notifications_)
      if (each.at("method").as_string() == method) return true;
    return false;
  };
  return changed_.wait_for(lock, patience, [&] { return ended_ || there(); }) && there();
}

int WorkerHost::close() {
  to_worker_.reset();
  return reap();
}

int WorkerHost::kill() {
  ::kill(pid_, SIGKILL);
  return reap();
}

int WorkerHost::reap() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  reader_.join();
  return status;
}

}  // namespace paperclip::testing_support
