#pragma once

#include <type_traits>

#include "cli/client.h"
#include "cli/command_line.h"

/// Declaring commands that talk to a server.
namespace paperclip::cli {

/// Whether a command works on one company.
enum class CompanyOption { none, taken };

void declare_client_options(OptionSet& command, ClientOptions& options, CompanyOption company);

/// For commands without options of their own.
struct NoMore : ClientOptions {};
inline void nothing_more(OptionSet&, NoMore&) {}

/// As CommandLine::add, with the options of every client command; `Options` begins with ClientOptions and `run` gets a
/// client that is ready: `Result<> run(Client&, const Options&)` (exit code 0) or `Result<int>`.
template <class Options, class Declare, class Run>
void add_client_command(CommandLine& line, CommandLine::Group parent, const std::string& name,
                        const std::string& description, CompanyOption company, Declare declare, Run run) {
  line.add<Options>(
      parent, name, description,
      [declare, company](OptionSet& command, Options& options) {
        declare(command, options);
        declare_client_options(command, options, company);
      },
      [run](const Surroundings& around, const Options& options) -> Result<int> {
        Client client = TRY(Client::open(around, options));
        if constexpr (std::is_same_v<decltype(run(client, options)), Result<int>>) {
          return run(client, options);
        } else {
          TRY(run(client, options));
          return 0;
        }
      });
}

/// Bodies from options: what was not given is not sent.
inline void put(json::object& body, std::string_view key, const std::string& value) {
  if (!value.empty()) body[key] = value;
}
inline void put(json::object& body, std::string_view key, const std::optional<std::string>& value) {
  if (value) body[key] = *value;
}
inline void put(json::object& body, std::string_view key, const std::optional<std::int64_t>& value) {
  if (value) body[key] = *value;
}

/// An option's text that must be a JSON object.
Result<json::object> json_object_option(std::string_view option, const std::string& text);

}  // namespace paperclip::cli
