#include "cli/surroundings.h"

#include <unistd.h>

#include <iostream>

#include "base/text.h"

namespace paperclip::cli {

namespace fs = std::filesystem;

std::string Surroundings::variable(const std::string& name) const {
  return std::string(trim(environment(name).value_or("")));
}

Surroundings process_surroundings() {
  const auto environment = server::process_environment();
  const bool shown = ::isatty(STDOUT_FILENO) == 1;
  return {.environment = environment,
          .working_directory = fs::current_path(),
          .in = std::cin,
          .out = std::cout,
          .err = std::cerr,
          .interactive = shown && ::isatty(STDIN_FILENO) == 1,
          .colour = shown && !environment("NO_COLOR") && environment("TERM").value_or("") != "dumb"};
}

server::Environment overlay(server::Environment environment, std::map<std::string, std::string> variables) {
  return [environment = std::move(environment),
          variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto at = variables.find(name);
    if (at == variables.end()) return environment(name);
    return at->second.empty() ? std::nullopt : std::optional(at->second);
  };
}

fs::path expand_path(const Surroundings& around, const std::string& text) {
  if (text == "~" || text.starts_with("~/"))
    return fs::path(around.variable("HOME").empty() ? "/" : around.variable("HOME")) /
           text.substr(text.size() > 1 ? 2 : 1);
  const fs::path path(text);
  return (path.is_absolute() ? path : around.working_directory / path).lexically_normal();
}

fs::path home_directory(const Surroundings& around) {
  const std::string home = around.variable("PAPERCLIP_HOME");
  return expand_path(around, home.empty() ? "~/.paperclip" : home);
}

}  // namespace paperclip::cli
