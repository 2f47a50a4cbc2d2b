#include "cli/client_command.h"

namespace paperclip::cli {

void declare_client_options(CLI::App& command, ClientOptions& options, CompanyOption company) {
  const std::string where = "Where and how";
  command.add_option("-c,--config", options.config, "Configuration file of the local instance")->group(where);
  command.add_option("-d,--data-dir", options.data_dir, "Paperclip home, in place of ~/.paperclip")->group(where);
  command.add_option("--context", options.context, "Context file")->group(where);
  command.add_option("--profile", options.profile, "Profile of the context file")->group(where);
  command.add_option("--api-base", options.api_base, "Address of the server")->group(where);
  command.add_option("--api-key", options.api_key, "Bearer token")->group(where);
  command.add_flag("--json", options.as_json, "Print JSON")->group(where);
  if (company == CompanyOption::taken)
    command.add_option("-C,--company-id", options.company_id, "Company id")->group(where);
}

Result<json::object> json_object_option(std::string_view option, const std::string& text) {
  auto parsed = parse_json(text);
  if (!parsed) return bad_request("Invalid " + std::string(option) + ": " + parsed.error().message);
  if (!parsed->is_object()) return bad_request("Invalid " + std::string(option) + ": expected a JSON object such as {\"key\":\"value\"}.");
  return std::move(parsed->get_object());
}

}  // namespace paperclip::cli
