#include "bubblewrap_fixture.h"

#include <chrono>
#include <fstream>

namespace paperclip::testing_support {

int processes_with(const std::string& text) {
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos || name == std::to_string(::getpid())) continue;
    std::ifstream file(entry.path() / "cmdline", std::ios::binary);
    const std::string arguments(std::istreambuf_iterator<char>(file), {});
    found += arguments.find(text) != std::string::npos;
  }
  return found;
}

bool all_gone(const std::string& text) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (processes_with(text) > 0) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    ::usleep(2000);
  }
  return true;
}

}  // namespace paperclip::testing_support
