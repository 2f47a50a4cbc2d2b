#include "environments/sandbox/sandbox.h"

#include "base/random.h"
#include "base/text.h"
#include "environments/place_files.h"
#include "runner/base64.h"

namespace paperclip::environments::sandbox {
namespace {

constexpr std::size_t piece_bytes = 192 * 1024;  // of a file, in one command's stdin

int signal_number(const std::string& name) {
  static const std::pair<const char*, int> known[] = {{"SIGHUP", 1}, {"SIGINT", 2}, {"SIGKILL", 9}, {"SIGSEGV", 11}, {"SIGPIPE", 13}, {"SIGTERM", 15}};
  for (const auto& [text, number] : known)
    if (name == text) return number;
  return 9;
}

}  // namespace

Result<os::CommandOutput> Sandbox::execute(std::vector<std::string> argv, const os::Environment& environment, std::string_view stdin_text,
                                           const std::string& directory, Deadline deadline) const {
  plugins::ExecuteRequest request;
  request.command = argv.front();
  request.args.assign(argv.begin() + 1, argv.end());
  request.cwd = directory.empty() ? cwd : directory;
  for (const auto& [name, value] : environment) request.env[name] = value;
  if (!stdin_text.empty()) request.stdin_text = std::string(stdin_text);
  request.timeout = deadline.left();
  auto result = TRY(provider->execute(context, lease, request, deadline));
  if (result.timed_out) return Error(ErrorKind::timeout, "The command in the " + label + " took too long");
  os::CommandOutput output;
  output.signal = result.signal ? signal_number(*result.signal) : 0;
  output.exit_code = result.exit_code.value_or(output.signal ? 128 + output.signal : 1);
  output.stdout_text = std::move(result.stdout_text);
  output.stderr_text = std::move(result.stderr_text);
  return output;
}

Result<os::CommandOutput> Sandbox::script(const std::string& text, std::string_view stdin_text, Deadline deadline) const {
  return execute({shell, "-lc", text}, {}, stdin_text, "/", deadline);
}

Result<void> Sandbox::write_file(const std::string& path, std::string_view bytes, unsigned mode, Deadline deadline) const {
  if (provider->capabilities().files) return provider->put_file(context, lease, path, bytes, mode, deadline);
  const std::string fresh = path + "." + Random::system().hex(4);
  const std::string at = shell_word(fresh), encoded = shell_word(fresh + ".b64");
  const auto check = [&](const Result<os::CommandOutput>& output) -> Result<void> {
    if (output && output->ok()) return success();
    (void)script("rm -f -- " + at + " " + encoded, {}, deadline);
    if (!output) return output.error();
    return Error(ErrorKind::bad_gateway, "Cannot write " + path + " in the " + label + ": " + std::string(trim(output->stderr_text)));
  };
  TRY(check(script("umask 077; mkdir -p -- \"$(dirname -- " + at + ")\" && : > " + encoded, {}, deadline)));
  for (std::size_t done = 0; done < bytes.size(); done += piece_bytes)
    TRY(check(script("cat >> " + encoded, runner::to_base64(bytes.substr(done, piece_bytes)) + "\n", deadline)));
  char octal[8];
  std::snprintf(octal, sizeof octal, "%o", mode & 07777);
  return check(script("umask 077; base64 -d < " + encoded + " > " + at + " && [ $(wc -c < " + at + ") -eq " + std::to_string(bytes.size()) + " ] && chmod " + octal +
                          " " + at + " && rm -f -- " + encoded + " && mv -f -- " + at + " " + shell_word(path),
                      {}, deadline));
}

}  // namespace paperclip::environments::sandbox
