#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/surroundings.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

/// Declaring commands. CLI11 does the parsing; it is heavy to compile, so only command_line.cpp sees it.
namespace paperclip::cli {

/// One option that was declared, to say more about it.
class DeclaredOption {
 public:
  explicit DeclaredOption(CLI::Option* option) : option_(option) {}
  DeclaredOption& required();
  DeclaredOption& one_of(std::vector<std::string> words);
  DeclaredOption& range(std::int64_t least, std::int64_t most);
  /// Shows the value that stands when nothing is given.
  DeclaredOption& with_default();
  /// Under a heading of its own in the help.
  DeclaredOption& under(const std::string& heading);
  DeclaredOption& hidden();

 private:
  CLI::Option* option_;
};

/// The options of one command. Names as in `-c,--config`; a name without dashes is a positional argument.
class OptionSet {
 public:
  explicit OptionSet(CLI::App& command) : command_(command) {}
  DeclaredOption add(const std::string& names, std::string& to, const std::string& help);
  DeclaredOption add(const std::string& names, std::optional<std::string>& to, const std::string& help);
  DeclaredOption add(const std::string& names, std::int64_t& to, const std::string& help);
  DeclaredOption add(const std::string& names, std::optional<std::int64_t>& to, const std::string& help);
  DeclaredOption add(const std::string& names, std::optional<bool>& to, const std::string& help);
  /// One value each time it is given.
  DeclaredOption add(const std::string& names, std::vector<std::string>& to, const std::string& help);
  /// `--yes`, or `--repair,!--no-repair` for both ways.
  DeclaredOption flag(const std::string& names, bool& to, const std::string& help);

 private:
  CLI::App& command_;
};

/// Runs a command and returns its exit code. An Error is printed on stderr and means 1.
using Action = std::function<Result<int>(const Surroundings&)>;

/// The commands of the program. Parsing only chooses an action; it runs afterwards.
class CommandLine {
 public:
  /// Where commands are added: the program itself, or a noun with verbs below it.
  struct Group {
    CLI::App* app;
  };

  CommandLine();
  ~CommandLine();
  Group top() const;
  /// A noun such as `company`. The same name twice is the same group.
  Group group(const std::string& name, const std::string& description);
  Group group(Group parent, const std::string& name, const std::string& description);

  /// Declares one command: `declare` adds its options and has them stored in the second argument, `run` gets what was
  /// given. An empty description hides the command.
  template <class Options, class Declare, class Run>
  void add(Group parent, const std::string& name, const std::string& description, Declare declare, Run run) {
    auto options = std::make_shared<Options>();
    add_command(
        parent, name, description, [&](OptionSet& set) { declare(set, *options); },
        [options, run](const Surroundings& around) -> Result<int> { return run(around, *options); });
  }

  /// The action that the arguments choose; nothing when the answer (help, version, a complaint) has been printed, and
  /// then `exit_code` is set.
  const Action* parse(std::vector<std::string> arguments, const Surroundings& around, int& exit_code);

 private:
  void add_command(Group parent, const std::string& name, const std::string& description,
                   const std::function<void(OptionSet&)>& declare, Action action);

  std::unique_ptr<CLI::App> app_;
  Action chosen_;
};

}  // namespace paperclip::cli
