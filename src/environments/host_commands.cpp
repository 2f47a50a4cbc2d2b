#include "environments/host_commands.h"

#include <regex>

#include "base/text.h"
#include "os/child_environment.h"

namespace paperclip::environments {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kept_bytes = 256 * 1024;

void keep_end(std::string& text, bool cut_before) {
  if (text.size() <= kept_bytes && !cut_before) return;
  const std::size_t total = text.size();
  std::string end(utf8_tail(text, kept_bytes));
  text = "[output truncated to last " + std::to_string(end.size()) + " bytes; total " + (cut_before ? "over " : "") + std::to_string(total) + " bytes]\n" + end;
}

std::string quoted(const std::string& text) { return "'" + replace_all(text, "'", "'\"'\"'") + "'"; }

// `bash ./script.sh args` runs the repository's own copy when it has one.
std::string newest_script(const std::string& command, const fs::path& repository) {
  if (repository.empty()) return command;
  static const std::regex form(R"(^((?:bash|sh|zsh)\s+)?(["']?)(\./[^"'\s;&|<>$`()]+)(["']?)(\s[^]*)?$)");
  std::smatch parts;
  if (!std::regex_match(command, parts, form) || parts[2].str() != parts[4].str()) return command;
  const fs::path script = (repository / parts[3].str()).lexically_normal();
  std::error_code ec;
  if (!fs::is_regular_file(script, ec)) return command;
  return parts[1].str() + quoted(script.string()) + parts[5].str();
}

}  // namespace

os::Environment host_command_environment(const os::Environment& host, const std::vector<std::pair<std::string, std::string>>& variables) {
  auto environment = os::ChildEnvironment::from_host(host).variables();
  for (const auto& [name, value] : variables) {
    std::erase_if(environment, [&](const auto& one) { return one.first == name; });
    environment.emplace_back(name, value);
  }
  return environment;
}

std::string host_shell(const os::Environment& host) {
  const std::string shell(trim(os::value_in(host, "SHELL")));
  std::error_code ec;
  if (shell.empty() || (shell.starts_with('/') && !fs::exists(shell, ec))) return "/bin/sh";
  return shell;
}

Result<os::CommandOutput> run_host_command(const domain::HostCommand& command, const HostCommandPlace& place, const os::Environment& host, Deadline deadline) {
  os::Command run;
  run.argv = {host_shell(host), "-c", newest_script(command.text(), place.repository)};
  run.cwd = place.cwd.string();
  run.environment = host_command_environment(host, place.variables);
  auto output = TRY(os::run_command(run, deadline.or_sooner(Deadline::in(longest_host_command))));
  const bool cut = output.truncated;
  keep_end(output.stdout_text, cut && output.stdout_text.size() >= run.output_limit);
  keep_end(output.stderr_text, cut && output.stderr_text.size() >= run.output_limit);
  return output;
}

Error host_command_error(const std::string& what, const domain::HostCommand& command, const os::CommandOutput& output) {
  std::string said(trim(output.stderr_text));
  if (const auto out = trim(output.stdout_text); !out.empty()) (said += said.empty() ? "" : "\n") += out;
  if (said.empty()) return unprocessable(what + " \"" + command.text() + "\" failed with exit code " + std::to_string(output.exit_code));
  return unprocessable(what + " \"" + command.text() + "\" failed: " + std::string(utf8_tail(said, 4096)));
}

}  // namespace paperclip::environments
