#include "cli/local/doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "cli/command_line.h"
#include "cli/local/all.h"
#include "cli/local/instance.h"
#include "cli/local/onboard.h"
#include "cli/local/serve.h"
#include "cli/output.h"

namespace paperclip::cli {

namespace {

struct DoctorOptions : InstanceOptions {
  bool repair = false, yes = false, as_json = false;
};

std::string_view word(Health health) { return health == Health::ok ? "ok" : health == Health::warn ? "warn" : "fail"; }

Result<int> doctor(const Surroundings& around, const DoctorOptions& options) {
  const auto checks = run_checks(at_instance(around, options), options.repair || options.yes);
  const int failures = failures_in(checks);
  if (options.as_json) {
    json::array rows;
    for (const auto& check : checks)
      rows.emplace_back(
          json::object{{"name", check.name},
                       {"status", word(check.health)},
                       {"message", check.message},
                       {"advice", check.advice.empty() ? json::value(nullptr) : json::value(check.advice)}});
    print_value(around.out, json::object{{"ok", failures == 0}, {"failures", failures}, {"checks", std::move(rows)}},
                true);
  } else {
    print_checks(around.out, checks, around.colour);
  }
  return failures == 0 ? 0 : 1;
}

struct RunOptions : ServeOptions {
  std::string bind;
  bool repair = true;
};

// Everything a person needs between unpacking and a running server.
Result<int> run(const Surroundings& around, const RunOptions& options) {
  const Onboarded done = TRY(onboard(
      around, OnboardOptions{
                  {options.config, options.data_dir, options.instance}, options.bind, false, false, options.as_json}));
  std::ostream& told = options.as_json ? around.err : around.out;
  if (done.wrote_configuration) {
    print_onboarded(told, done);
    told << '\n';
  }
  Surroundings here = at_instance(around, options);
  if (options.port) here.environment = overlay(here.environment, {{"PORT", std::to_string(*options.port)}});
  const auto checks = run_checks(here, options.repair);
  const int failures = failures_in(checks);
  const bool quiet =
      std::all_of(checks.begin(), checks.end(), [](const Check& check) { return check.health == Health::ok; });
  if (!quiet) print_checks(told, checks, around.colour && !options.as_json), told << '\n';
  if (failures > 0)
    return bad_request(fmt::format("{} of {} checks failed; the server was not started.", failures, checks.size()));
  return serve(around, options);
}

}  // namespace

void print_checks(std::ostream& out, const std::vector<Check>& checks, bool colour) {
  for (const auto& check : checks) {
    const char* paint = !colour                        ? ""
                        : check.health == Health::ok   ? "\x1b[32m"
                        : check.health == Health::warn ? "\x1b[33m"
                                                       : "\x1b[31m";
    out << fmt::format("{}{:<5}{} {:<16} {}\n", paint, word(check.health), colour ? "\x1b[0m" : "", check.name,
                       check.message);
    if (check.health != Health::ok && !check.advice.empty()) out << fmt::format("{:<23}{}\n", "", check.advice);
  }
}

int failures_in(const std::vector<Check>& checks) {
  return static_cast<int>(
      std::count_if(checks.begin(), checks.end(), [](const Check& check) { return check.health == Health::fail; }));
}

void add_doctor_command(CommandLine& line) {
  line.add<DoctorOptions>(
      line.top(), "doctor", "Check this machine's instance and say what to do; exit code 1 if something fails",
      [](OptionSet& command, DoctorOptions& options) {
        declare_instance_options(command, options);
        command.flag("--repair,--fix", options.repair, "Make what is missing and can be made");
        command.flag("-y,--yes", options.yes, "Repair without asking");
        command.flag("--json", options.as_json, "Print JSON");
      },
      doctor);
}

void add_run_command(CommandLine& line) {
  line.add<RunOptions>(
      line.top(), "run", "Configure if needed, check, and run the server",
      [](OptionSet& command, RunOptions& options) {
        declare_serve_options(command, options);
        command.add("--bind", options.bind, "loopback, lan or tailnet, if there is no configuration yet");
        command.flag("--repair,!--no-repair", options.repair, "Make what is missing (default)");
      },
      run);
}

}  // namespace paperclip::cli
