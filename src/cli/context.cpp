#include "cli/context.h"

#include "base/json.h"
#include "cli/output.h"
#include "os/files.h"

namespace paperclip::cli {

namespace fs = std::filesystem;

Profile Context::profile(const std::string& name) const {
  const auto at = profiles.find(name.empty() ? current_profile : name);
  return at == profiles.end() ? Profile{} : at->second;
}

fs::path context_path(const Surroundings& around, const std::string& named) {
  if (!named.empty()) return expand_path(around, named);
  if (const auto path = around.variable("PAPERCLIP_CONTEXT"); !path.empty()) return expand_path(around, path);
  std::error_code ignored;
  for (fs::path at = around.working_directory; !at.empty(); at = at.parent_path()) {
    if (const auto candidate = at / ".paperclip" / "context.json"; fs::exists(candidate, ignored)) return candidate;
    if (at == at.root_path()) break;
  }
  return home_directory(around) / "context.json";
}

Result<Context> read_context(const fs::path& path) {
  Context context;
  context.path = path;
  context.profiles["default"] = {};
  auto text = os::read_file(path, 1024 * 1024);
  if (!text) {
    if (text.error().kind == ErrorKind::not_found) return context;
    return std::move(text).error();
  }
  auto parsed = parse_json(*text);
  if (!parsed)
    return bad_request("The context file " + path.string() + " is not JSON: " + parsed.error().message +
                       ". Repair or delete it.");
  const auto* profiles = member(*parsed, "profiles");
  if (profiles == nullptr || !profiles->is_object()) return context;
  for (const auto& entry : profiles->get_object())
    if (entry.value().is_object())
      context.profiles[entry.key()] = {.api_base = text_at(entry.value(), "apiBase"),
                                       .company_id = text_at(entry.value(), "companyId"),
                                       .api_key_env_var_name = text_at(entry.value(), "apiKeyEnvVarName")};
  if (auto current = text_at(*parsed, "currentProfile"); current && context.profiles.contains(*current))
    context.current_profile = *std::move(current);
  return context;
}

Result<> write_context(const Context& context) {
  json::object profiles;
  for (const auto& [name, profile] : context.profiles) {
    json::object entry;
    if (profile.api_base) entry["apiBase"] = *profile.api_base;
    if (profile.company_id) entry["companyId"] = *profile.company_id;
    if (profile.api_key_env_var_name) entry["apiKeyEnvVarName"] = *profile.api_key_env_var_name;
    profiles[name] = std::move(entry);
  }
  const json::value file = {
      {"version", 1}, {"currentProfile", context.current_profile}, {"profiles", std::move(profiles)}};
  TRY(os::make_directories(context.path.parent_path()));
  return os::write_file_atomically(context.path, pretty_json(file) + "\n", 0600);
}

}  // namespace paperclip::cli
