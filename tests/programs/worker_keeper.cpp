// Starts one plugin worker, writes its process id to a file, asks it for something that never comes back, and waits to be
// killed: worker_keeper <worker file> <file for the id>
#include <unistd.h>

#include "os/child_environment.h"
#include "os/files.h"
#include "plugins/package.h"
#include "plugins/worker.h"

int main(int argc, char** argv) {
  using namespace paperclip;
  if (argc != 3) return 2;
  net::WorkerPool pool(1);
  plugins::WorkerOptions options;
  options.plugin_id = "kept";
  options.launch = [&]() -> Result<plugins::WorkerLaunch> {
    auto command = plugins::worker_command(argv[1], os::own_environment());
    if (!command) return std::move(command).error();
    return plugins::WorkerLaunch{command->executable, command->argv, plugins::worker_environment("kept", os::own_environment(), {}), {}};
  };
  options.on_request = [](const std::string&, const json::value&) { return plugins::RpcAnswer(); };
  options.on_notification = [](const std::string&, const json::value&) {};
  options.on_gone = [] {};
  options.pool = &pool;
  plugins::Worker worker(std::move(options));
  if (!worker.start()) return 1;
  worker.send("hang", json::object(), [](const plugins::RpcAnswer&) {});
  if (!os::write_file_atomically(argv[2], std::to_string(*worker.diagnostics().pid))) return 1;
  for (;;) ::pause();
}
