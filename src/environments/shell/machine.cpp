#include "environments/shell/machine.h"

#include "base/crypto.h"
#include "base/text.h"
#include "environments/place_files.h"
#include "environments/shell/script.h"

namespace paperclip::environments::shell {
namespace {
constexpr std::string_view marker = "paperclip-look\n";
}

Result<ShellMachine> look_at(ShellAccess& access, const std::string& where, const std::string& workspace, const std::string& root, Deadline deadline) {
  // `root` is a word already: it may name $HOME.
  const auto looked = TRY(access.script("p=" + root + "\n" + script("look.sh", {{"c", workspace}}), {}, ShellAccess::Shell::login, deadline));
  const std::size_t begin = looked.stdout_text.find(marker);
  const auto lines = split(begin == std::string::npos ? std::string() : looked.stdout_text.substr(begin + marker.size()), '\n');
  if (lines.size() < 5)
    return unprocessable("No shell of ours works in " + where + ": " + std::string(trim(looked.stderr_text).substr(0, 300)));
  ShellMachine machine;
  machine.cwd = lines[3];
  machine.runs = lines[4] + "/shell-runs/";
  std::string_view bytes;
  if (lines[1] != "none") {
    machine.helper = lines[1];
    machine.interpreter = lines[2];
    bytes = program(machine.helper == "node" ? "bridge.mjs" : "bridge.py");
    machine.program = lines[4] + "/bridge/" + sha256_hex(bytes) + (machine.helper == "node" ? ".mjs" : ".py");
  }
  const auto again = TRY(access.script(script("look-again.sh", {{"pid", lines[0]}, {"f", machine.program}}), {}, ShellAccess::Shell::plain, deadline));
  const auto words = split(again.stdout_text, '\n');
  if (words.empty() || words[0] != "lives") return unprocessable("In " + where + " nothing outlives the command that started it.");
  if (!machine.program.empty() && (words.size() < 2 || trim(words[1]) != std::to_string(bytes.size())))
    TRY(access.write_file(machine.program, bytes, 0600, deadline));
  return machine;
}

}  // namespace paperclip::environments::shell
