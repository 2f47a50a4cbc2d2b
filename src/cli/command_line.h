#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "cli/surroundings.h"

/// Only for the .cpp files that declare commands: CLI11 is a heavy header.
namespace paperclip::cli {

/// Runs a command and returns its exit code. An Error is printed on stderr and means 1.
using Action = std::function<Result<int>(const Surroundings&)>;

/// The commands of the program. Parsing only chooses an action; it runs afterwards.
class CommandLine {
 public:
  explicit CommandLine(CLI::App& app) : app_(app) {}

  /// A noun with verbs below it, such as `company`. The same name twice is the same group.
  CLI::App& group(const std::string& name, const std::string& description) {
    if (auto* known = app_.get_subcommand_no_throw(name)) return *known;
    auto* added = app_.add_subcommand(name, description);
    added->require_subcommand(1);
    return *added;
  }
  CLI::App& top() { return app_; }

  /// Declares one command: `declare` adds its options to the first argument and has them stored in the second,
  /// `run` gets what was given.
  template <class Options, class Declare, class Run>
  CLI::App& add(CLI::App& parent, const std::string& name, const std::string& description, Declare declare, Run run) {
    auto* command = parent.add_subcommand(name, description);
    auto options = std::make_shared<Options>();
    declare(*command, *options);
    command->callback([this, options, run] {
      chosen_ = [options, run](const Surroundings& around) -> Result<int> { return run(around, *options); };
    });
    return *command;
  }

  const Action& chosen() const { return chosen_; }

 private:
  CLI::App& app_;
  Action chosen_;
};

}  // namespace paperclip::cli
