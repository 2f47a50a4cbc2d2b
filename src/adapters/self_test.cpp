#include "adapters/self_test.h"

#include <algorithm>

#include "adapters/cli.h"
#include "base/text.h"
#include "os/process.h"

namespace paperclip::adapters {

std::string_view test_status(const std::vector<Check>& checks) {
  const auto any = [&](CheckLevel level) {
    return std::any_of(checks.begin(), checks.end(), [&](const Check& check) { return check.level == level; });
  };
  return any(CheckLevel::error) ? "fail" : any(CheckLevel::warn) ? "warn" : "pass";
}

Check check_cwd(std::string_view prefix, const std::string& cwd, bool may_create) {
  const auto checked = may_create ? check_run_directory(cwd) : os::check_working_directory(cwd);
  if (checked.ok()) return {std::string(prefix) + "_cwd_valid", CheckLevel::info, "Working directory is valid: " + cwd};
  return {std::string(prefix) + "_cwd_invalid", CheckLevel::error, checked.error().message};
}

Check check_command(std::string_view prefix, const std::string& command, const std::string& cwd,
                    std::string_view path) {
  const auto found = os::resolve_command(command, cwd, path);
  if (found.ok())
    return {std::string(prefix) + "_command_resolvable", CheckLevel::info, "Command can be run: " + command};
  return {std::string(prefix) + "_command_unresolvable", CheckLevel::error, found.error().message};
}

std::string check_detail(std::string_view text) {
  std::string out;
  for (char c : trim(text)) {
    const bool space = c == ' ' || (c >= '\t' && c <= '\r');
    if (!space)
      out += c;
    else if (!out.ends_with(' '))
      out += ' ';
  }
  return std::string(utf16_prefix(out, 240));
}

}  // namespace paperclip::adapters
