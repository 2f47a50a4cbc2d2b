#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <ostream>

namespace paperclip::cli {

DeclaredOption& DeclaredOption::required() {
  option_->required();
  return *this;
}
DeclaredOption& DeclaredOption::one_of(std::vector<std::string> words) {
  option_->check(CLI::IsMember(std::move(words), CLI::ignore_case));
  return *this;
}
DeclaredOption& DeclaredOption::range(std::int64_t least, std::int64_t most) {
  option_->check(CLI::Range(least, most));
  return *this;
}
DeclaredOption& DeclaredOption::with_default() {
  option_->capture_default_str();
  return *this;
}
DeclaredOption& DeclaredOption::under(const std::string& heading) {
  option_->group(heading);
  return *this;
}
DeclaredOption& DeclaredOption::hidden() { return under(""); }

DeclaredOption OptionSet::add(const std::string& names, std::string& to, const std::string& help) {
  return DeclaredOption(command_.add_option(names, to, help));
}
DeclaredOption OptionSet::add(const std::string& names, std::optional<std::string>& to, const std::string& help) {
  return DeclaredOption(command_.add_option(names, to, help));
}
DeclaredOption OptionSet::add(const std::string& names, std::int64_t& to, const std::string& help) {
  return DeclaredOption(command_.add_option(names, to, help));
}
DeclaredOption OptionSet::add(const std::string& names, std::optional<std::int64_t>& to, const std::string& help) {
  return DeclaredOption(command_.add_option(names, to, help));
}
DeclaredOption OptionSet::add(const std::string& names, std::optional<bool>& to, const std::string& help) {
  return DeclaredOption(command_.add_option(names, to, help));
}
DeclaredOption OptionSet::add(const std::string& names, std::vector<std::string>& to, const std::string& help) {
  return DeclaredOption(command_.add_option(names, to, help)->allow_extra_args(false));
}
DeclaredOption OptionSet::flag(const std::string& names, bool& to, const std::string& help) {
  return DeclaredOption(command_.add_flag(names, to, help));
}

CommandLine::CommandLine()
    : app_(std::make_unique<CLI::App>("Paperclip: a control plane for companies of AI agents", "paperclip")) {
  app_->require_subcommand(1);
  app_->set_version_flag("--version", "paperclip 0.1.0");
  app_->get_formatter()->column_width(36);
}
CommandLine::~CommandLine() = default;

CommandLine::Group CommandLine::top() const { return {app_.get()}; }

CommandLine::Group CommandLine::group(const std::string& name, const std::string& description) {
  return group(top(), name, description);
}

CommandLine::Group CommandLine::group(Group parent, const std::string& name, const std::string& description) {
  for (auto* known : parent.app->get_subcommands([&](const CLI::App* one) { return one->get_name() == name; }))
    return {known};
  auto* added = parent.app->add_subcommand(name, description);
  added->require_subcommand(1);
  return {added};
}

void CommandLine::add_command(Group parent, const std::string& name, const std::string& description,
                              const std::function<void(OptionSet&)>& declare, Action action) {
  auto* command = parent.app->add_subcommand(name, description);
  if (description.empty()) command->group("");
  OptionSet set(*command);
  declare(set);
  command->callback([this, action = std::move(action)] { chosen_ = action; });
}

namespace {

// The words up to one that names no command below the last; nothing if all are known.
std::optional<std::string> unknown_command(CLI::App* app, const std::vector<std::string>& arguments) {
  std::string words = "paperclip";
  for (const auto& word : arguments) {
    if (word.starts_with('-') || app->get_subcommands([](const CLI::App*) { return true; }).empty())
      return std::nullopt;
    words += " " + word;
    const auto named = app->get_subcommands([&](const CLI::App* one) { return one->get_name() == word; });
    if (named.empty()) return words;
    app = named.front();
  }
  return std::nullopt;
}

}  // namespace

const Action* CommandLine::parse(std::vector<std::string> arguments, const Surroundings& around, int& exit_code) {
  // `db:backup` is how the reference spells it; CLI11 takes no colon.
  if (!arguments.empty() && arguments.front().find(':') != std::string::npos)
    std::replace(arguments.front().begin(), arguments.front().end(), ':', '-');
  if (const auto unknown = unknown_command(app_.get(), arguments)) {
    around.err << "There is no command `" << *unknown << "`. `" << unknown->substr(0, unknown->rfind(' '))
               << " --help` lists what there is.\n";
    exit_code = 1;
    return nullptr;
  }
  std::reverse(arguments.begin(), arguments.end());  // the order CLI11 takes them in
  try {
    app_->parse(std::move(arguments));
    return &chosen_;
  } catch (const CLI::ParseError& problem) {
    exit_code = app_->exit(problem, around.out, around.err) == 0 ? 0 : 1;
    return nullptr;
  }
}

}  // namespace paperclip::cli
