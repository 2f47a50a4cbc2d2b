#include "environments/runner_binary.h"

#include <sys/utsname.h>

#include "base/crypto.h"
#include "os/files.h"

namespace paperclip::environments {

Result<std::vector<RunnerBinary>> read_runner_binaries(const std::filesystem::path& path) {
  utsname here{};
  ::uname(&here);
  std::vector<RunnerBinary> found;
  const auto add = [&](std::string machine, std::string bytes) {
    std::string name = sha256_hex(bytes);
    found.push_back({std::move(machine), std::move(bytes), std::move(name)});
  };
  add(std::string(here.sysname) + " " + here.machine, TRY(os::read_file(path)));
  for (const std::string_view machine : {"x86_64", "aarch64"}) {
    if (machine == here.machine) continue;
    if (auto bytes = os::read_file(path.string() + "-" + std::string(machine))) add("Linux " + std::string(machine), *std::move(bytes));
  }
  return found;
}

}  // namespace paperclip::environments
