#include "environments/shell/script.h"

#include "base/embedded.h"
#include "environments/place_files.h"

namespace paperclip {
/// src/environments/shell/programs (cmake/Embed.cmake).
const EmbeddedFolder& shell_programs();
}  // namespace paperclip

namespace paperclip::environments::shell {

std::string_view program(std::string_view name) { return shell_programs().find(name)->content; }

std::string script(std::string_view name, const Assignments& variables, const std::vector<std::string>& arguments) {
  std::string text;
  for (const auto& [variable, value] : variables) text.append(variable).append("=").append(shell_word(value)).append("\n");
  text += "set --";
  for (const auto& argument : arguments) text.append(" ").append(shell_word(argument));
  text.append("\n").append(program(name));
  return text;
}

}  // namespace paperclip::environments::shell
