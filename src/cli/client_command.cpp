#include "cli/client_command.h"

namespace paperclip::cli {

void declare_client_options(OptionSet& command, ClientOptions& options, CompanyOption company) {
  const std::string where = "Where and how";
  command.add("-c,--config", options.config, "Configuration file of the local instance").under(where);
  command.add("-d,--data-dir", options.data_dir, "Paperclip home, in place of ~/.paperclip").under(where);
  command.add("--context", options.context, "Context file").under(where);
  command.add("--profile", options.profile, "Profile of the context file").under(where);
  command.add("--api-base", options.api_base, "Address of the server").under(where);
  command.add("--api-key", options.api_key, "Bearer token").under(where);
  command.flag("--json", options.as_json, "Print JSON").under(where);
  if (company == CompanyOption::taken) command.add("-C,--company-id", options.company_id, "Company id").under(where);
}

Result<json::object> json_object_option(std::string_view option, const std::string& text) {
  auto parsed = parse_json(text);
  if (!parsed) return bad_request("Invalid " + std::string(option) + ": " + parsed.error().message);
  if (!parsed->is_object())
    return bad_request("Invalid " + std::string(option) + ": expected a JSON object such as {\"key\":\"value\"}.");
  return std::move(parsed->get_object());
}

}  // namespace paperclip::cli
