// A server reduced to one run, for tests that kill it or run it as another user:
//
//     run_follower RUNNER ROOT BOUNDARY RUN OUTPUT start|FROM_OFFSET [--cancel-on TEXT] [-- ARGV...]
//
// Starts the run, or reattaches to it from an offset. Appends to OUTPUT, in one write each, what it handled:
// u64 next offset, u32 length, bytes. Once TEXT was seen it cancels without grace. In the end prints one line:
// exit code or -, signal or -, processes left, boundary, lost reason or -.
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <future>
#include <string>
#include <vector>

#include "environments/local_runner.h"

using namespace paperclip;
using namespace paperclip::environments;

namespace {

class Follower : public RunObserver {
 public:
  Follower(const char* path, std::string cancel_on)
      : file_(::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)), cancel_on_(std::move(cancel_on)) {}

  void on_started(int, int, Timestamp) override {}
  void on_output(const OutputChunk& chunk) override {
    std::string record;
    const auto length = static_cast<std::uint32_t>(chunk.bytes.size());
    record.append(reinterpret_cast<const char*>(&chunk.next_offset), sizeof chunk.next_offset);
    record.append(reinterpret_cast<const char*>(&length), sizeof length);
    record.append(chunk.bytes);
    if (::write(file_, record.data(), record.size()) < 0) _exit(74);
    seen_.append(chunk.bytes);
    if (!cancel_on_.empty() && seen_.find(cancel_on_) != std::string::npos && on_cancel) on_cancel();
    if (seen_.size() > cancel_on_.size()) seen_.erase(0, seen_.size() - cancel_on_.size());
  }
  void on_exit(const ExitStatus& status) override { ended.set_value(status); }

  std::function<void()> on_cancel;
  std::promise<ExitStatus> ended;

 private:
  int file_;
  std::string cancel_on_;
  std::string seen_;
};

int fail(const Error& error) {
  fprintf(stderr, "%s\n", error.message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) return 64;
  const auto run = RunId::parse(argv[4]);
  if (!run) return 64;
  std::string cancel_on;
  RunCommand command;
  for (int i = 7; i < argc; ++i) {
    if (std::string(argv[i]) == "--cancel-on" && i + 1 < argc) cancel_on = argv[++i];
    if (std::string(argv[i]) == "--") {
      command.argv.assign(argv + i + 1, argv + argc);
      break;
    }
  }
  auto runner = LocalRunner::create({.runner = argv[1], .root = argv[2], .boundary = argv[3]});
  if (!runner) return fail(runner.error());
  auto follower = std::make_shared<Follower>(argv[5], cancel_on);
  follower->on_cancel = [&] { (*runner)->cancel(*run, std::chrono::milliseconds(0)); };
  auto ended = follower->ended.get_future();
  command.cwd = "/";
  command.env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}};
  const std::string from = argv[6];
  const auto begun = from == "start" ? (*runner)->start(*run, command, follower)
                                     : (*runner)->reattach(*run, std::stoull(from), follower);
  if (!begun) return fail(begun.error());
  const ExitStatus status = ended.get();
  printf("%s %s %d %s %s\n", status.exit_code ? std::to_string(*status.exit_code).c_str() : "-",
         status.signal.empty() ? "-" : status.signal.c_str(), status.processes_left, status.boundary.c_str(),
         status.lost_reason.empty() ? "-" : status.lost_reason.c_str());
  return 0;
}
