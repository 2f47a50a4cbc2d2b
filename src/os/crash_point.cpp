#include "os/crash_point.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <string>

namespace paperclip {

void crash_now() {
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

#ifdef PAPERCLIP_CRASH_POINTS

namespace {
std::atomic<CrashHook> crash_hook{nullptr};

const char* crash_file() {
  static const char* const path = std::getenv("PAPERCLIP_CRASH_FILE");
  return path;
}
}  // namespace

bool crash_is_due(std::string_view name) {
  if (crash_file() == nullptr) return false;
  std::string wanted;
  if (std::ifstream file(crash_file()); !file || !std::getline(file, wanted) || wanted != name) return false;
  // Whoever removes it dies; the next server finds none.
  return ::unlink(crash_file()) == 0;
}

void crash_point(std::string_view name) {
  if (const auto hook = crash_hook.load(std::memory_order_relaxed)) return hook(name);
  if (crash_is_due(name)) crash_now();
}

void set_crash_hook(CrashHook hook) { crash_hook = hook; }

#else

bool crash_is_due(std::string_view) { return false; }
void crash_point(std::string_view) {}
void set_crash_hook(CrashHook) {}

#endif

}  // namespace paperclip
