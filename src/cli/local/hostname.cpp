#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "base/text.h"
#include "cli/command_line.h"
#include "cli/local/all.h"
#include "cli/local/instance.h"
#include "cli/output.h"

namespace paperclip::cli {

namespace {

struct HostnameOptions : InstanceOptions {
  std::string host;
  bool as_json = false;
};

// From a name, a name with a port, or a whole URL.
Result<std::string> hostname_in(std::string_view text) {
  auto host = trim(text);
  if (const auto scheme = host.find("://"); scheme != std::string_view::npos) host = host.substr(scheme + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  if (const auto at = host.rfind('@'); at != std::string_view::npos) host = host.substr(at + 1);
  if (host.starts_with('['))
    host = host.substr(1, host.find(']') - 1);
  else if (std::count(host.begin(), host.end(), ':') == 1)
    host = host.substr(0, host.find(':'));
  const std::string name = lower(host);
  const bool fine = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '.' || c == ':' || c == '_';
  });
  if (!fine)
    return bad_request(fmt::format(
        "'{}' is no hostname. Give one such as paperclip.example.com, or an address such as http://host:3100.", text));
  return name;
}

Result<int> allow(const Surroundings& outside, const HostnameOptions& options) {
  const std::string name = TRY(hostname_in(options.host));
  const Surroundings around = at_instance(outside, options);
  const auto config = TRY(server::load_config(around.environment, around.working_directory));
  auto content = read_configuration(config.config_file);
  if (!content) {
    if (content.error().kind != ErrorKind::not_found) return std::move(content).error();
    around.err << "There is no configuration at " << config.config_file.string()
               << " yet. Run `paperclip onboard` first.\n";
    return 0;
  }
  json::object& server = content->at("server").as_object();
  std::vector<std::string> names{name};
  if (const auto* known = server.if_contains("allowedHostnames"); known != nullptr && known->is_array())
    for (const auto& one : known->get_array())
      if (one.is_string()) names.push_back(lower(one.get_string()));
  std::sort(names.begin(), names.end());
  const bool added = std::count(names.begin(), names.end(), name) == 1;
  names.erase(std::unique(names.begin(), names.end()), names.end());
  server["allowedHostnames"] = json::array(names.begin(), names.end());
  if (added) TRY(write_configuration(config.config_file, *content, "configure"));
  if (options.as_json) {
    print_value(
        around.out,
        json::object{
            {"hostname", name}, {"added", added}, {"allowedHostnames", json::array(names.begin(), names.end())}},
        true);
  } else {
    around.out << (added ? "Allowed " : "Already allowed: ") << name << '\n';
    if (added) around.out << "Restart the server for it to take effect.\n";
  }
  return 0;
}

}  // namespace

void add_hostname_command(CommandLine& line) {
  line.add<HostnameOptions>(
      line.top(), "allowed-hostname", "Let the server answer under another hostname",
      [](OptionSet& command, HostnameOptions& options) {
        declare_instance_options(command, options);
        command.add("host", options.host, "Hostname or URL").required();
        command.flag("--json", options.as_json, "Print JSON");
      },
      allow);
}

}  // namespace paperclip::cli
