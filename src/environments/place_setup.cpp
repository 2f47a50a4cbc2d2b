#include "environments/place_setup.h"

#include <algorithm>

#include "base/text.h"
#include "environments/place_files.h"
#include "runner/base64.h"

namespace paperclip::environments {
namespace {

constexpr std::string_view marker = "paperclip-setup\n";

/// Says, one a line: machine, workspace, our root, the runner's path or nothing; then the environment if there is a runner.
std::string question(const SetupRequest& request, const std::vector<RunnerBinary>& runners) {
  std::string script = "w=" + shell_word(request.workspace) + "\nmkdir -p -- \"$w\" && cd -- \"$w\" || exit 1\np=" + request.root +
                       "\nm=$(uname -sm)\ncase $m in\n";
  for (const RunnerBinary& binary : runners)
    script += shell_word(binary.machine) + ") h=" + binary.sha256 + " n=" + std::to_string(binary.bytes.size()) + " ;;\n";
  script +=
      "*) h=none n=0 ;;\nesac\n"
      "r=\"$p/runner/$h\"\n"
      "[ -x \"$r\" ] && [ $(wc -c < \"$r\") -eq $n ] || r=\n"
      "if [ -n \"$r\" ] && command -v sha256sum > /dev/null 2>&1; then\n"
      "  case $(sha256sum < \"$r\") in \"$h \"*) ;; *) r= ;; esac\nfi\n"
      "printf 'paperclip-setup\\n%s\\n%s\\n%s\\n%s\\n' \"$m\" \"$(pwd)\" \"$p\" \"$r\"\n"
      "[ -n \"$r\" ] || exit 0\n"
      // A profile that ends the shell, or that is no POSIX shell, costs only itself.
      "(\n  for f in \"$HOME/.profile\" \"$HOME/.bash_profile\" \"$HOME/.zprofile\"; do\n"
      "    [ -r \"$f\" ] && . \"$f\" > /dev/null 2>&1 < /dev/null\n  done\n"
      "  if [ -s \"${NVM_DIR:-$HOME/.nvm}/nvm.sh\" ]; then\n"
      "    export NVM_DIR=\"${NVM_DIR:-$HOME/.nvm}\"\n    . \"$NVM_DIR/nvm.sh\" > /dev/null 2>&1 < /dev/null\n  fi\n"
      "  exec \"$r\" environment\n) || exec \"$r\" environment\n";
  return script;
}

struct Answer {
  std::string machine, cwd, root, runner;
  std::string environment;
};

std::optional<Answer> read_answer(std::string_view text) {
  const std::size_t begin = text.find(marker);  // a talkative login shell may have spoken first
  if (begin == std::string_view::npos) return std::nullopt;
  text.remove_prefix(begin + marker.size());
  Answer answer;
  for (std::string* line : {&answer.machine, &answer.cwd, &answer.root, &answer.runner}) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    *line = text.substr(0, end);
    text.remove_prefix(end + 1);
  }
  answer.environment = runner::from_base64(text);
  return answer;
}

/// Belongs to our session or to the shell that asked, not to an agent.
bool is_of_the_session(std::string_view name) {
  return name.starts_with("SSH_") || name == "PWD" || name == "OLDPWD" || name == "SHLVL" || name == "_" || name == "TERM" ||
         name.starts_with("PAPERCLIP_") || name == "CLAUDECODE" || name.starts_with("CLAUDE_CODE_");
}

os::Environment read_environment(std::string_view text) {
  os::Environment environment;
  while (!text.empty()) {
    const std::string_view entry = text.substr(0, text.find('\0'));
    text.remove_prefix(std::min(entry.size() + 1, text.size()));
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos || equals == 0 || is_of_the_session(entry.substr(0, equals))) continue;
    environment.emplace_back(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return environment;
}

std::string complaint(const os::CommandOutput& output) {
  const std::string_view words = trim(output.stderr_text);
  return words.empty() ? "exit code " + std::to_string(output.exit_code) : std::string(words.substr(0, 500));
}

}  // namespace

std::string in_sh(std::string_view script) { return "sh -c " + shell_word(script); }

std::string upload_script(const RunnerBinary& binary, const std::string& path) {
  return "umask 077\nf=" + shell_word(path) + "\nmkdir -p -- \"$(dirname -- \"$f\")\" || exit 1\n"
         "t=$(mktemp \"$f.XXXXXX\") || exit 1\ntrap 'rm -f -- \"$t\"' EXIT\n"
         "cat > \"$t\" || exit 1\n"
         "[ $(wc -c < \"$t\") -eq " + std::to_string(binary.bytes.size()) + " ] || { echo 'the upload was cut' >&2; exit 1; }\n"
         "if command -v sha256sum > /dev/null 2>&1; then\n"
         "  case $(sha256sum < \"$t\") in \"" + binary.sha256 + " \"*) ;; *) echo 'the upload was damaged' >&2; exit 1 ;; esac\nfi\n"
         "chmod 700 \"$t\" && \"$t\" version && mv -f -- \"$t\" \"$f\"\n";
}

Result<RemoteMachine> set_up(const SetupRequest& request, const std::vector<RunnerBinary>& runners) {
  const std::string ask = question(request, runners);
  auto output = TRY(request.run(ask));
  auto answer = read_answer(output.stdout_text);
  if (!answer) return Error(ErrorKind::bad_gateway, "Cannot use " + request.workspace + " on " + request.where + ": " + complaint(output));
  if (answer->runner.empty()) {
    const auto binary = std::find_if(runners.begin(), runners.end(), [&](const auto& known) { return known.machine == answer->machine; });
    if (binary == runners.end())
      return unprocessable("There is no runner for " + request.where + ", which is \"" + answer->machine +
                           "\": it needs Linux on x86_64, or on aarch64 where paperclip-runner-aarch64 is installed.");
    const std::string path = answer->root + "/runner/" + binary->sha256;
    if (auto uploaded = request.upload(*binary, path); !uploaded)
      return Error(uploaded.error().kind, "Cannot install the runner as " + path + " on " + request.where + ": " + uploaded.error().message);
    output = TRY(request.run(ask));
    answer = read_answer(output.stdout_text);
    if (!answer || answer->runner.empty())
      return Error(ErrorKind::bad_gateway, "The runner was installed on " + request.where + " but is not found there: " + complaint(output));
  }
  RemoteMachine machine;
  machine.cwd = answer->cwd;
  machine.runner = answer->runner;
  machine.runs = answer->root + "/runs/";
  machine.environment = read_environment(answer->environment);
  if (machine.environment.empty() && !output.ok())
    return Error(ErrorKind::bad_gateway, "The runner does not work on " + request.where + ": " + complaint(output));
  return machine;
}

}  // namespace paperclip::environments
