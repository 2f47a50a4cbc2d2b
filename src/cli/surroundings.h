#pragma once

#include <filesystem>
#include <iosfwd>
#include <map>
#include <string>

#include "server/config.h"

namespace paperclip::cli {

/// What a command sees and where it writes. The program passes the process's own; tests pass theirs.
struct Surroundings {
  server::Environment environment;
  std::filesystem::path working_directory;
  std::istream& in;
  std::ostream& out;         // what was asked for, and nothing else
  std::ostream& err;         // errors, progress, hints
  bool interactive = false;  // `in` and `out` are a terminal: we may ask
  bool colour = false;       // `out` is a terminal that shows colours

  /// The variable's trimmed value; empty when it says nothing.
  std::string variable(const std::string& name) const;
};

/// The process's own streams, environment and directory.
Surroundings process_surroundings();

/// `environment`, with these variables in front of it; one with an empty value is as good as not set.
server::Environment overlay(server::Environment environment, std::map<std::string, std::string> variables);

/// PAPERCLIP_HOME or `~/.paperclip`, absolute (spec/cli.md 1.2).
std::filesystem::path home_directory(const Surroundings& around);

/// `~` and `~/x` made absolute; another relative path is below the working directory.
std::filesystem::path expand_path(const Surroundings& around, const std::string& text);

}  // namespace paperclip::cli
