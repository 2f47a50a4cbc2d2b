#include "cli/credentials.h"

#include "base/json.h"
#include "base/time.h"
#include "cli/output.h"
#include "os/files.h"

namespace paperclip::cli {

namespace {

std::filesystem::path store_path(const Surroundings& around) {
  const auto named = around.variable("PAPERCLIP_AUTH_STORE");
  return named.empty() ? home_directory(around) / "auth.json" : expand_path(around, named);
}

Result<json::object> read_store(const std::filesystem::path& path) {
  auto text = os::read_file(path, 1024 * 1024);
  if (!text) {
    if (text.error().kind == ErrorKind::not_found) return json::object{};
    return std::move(text).error();
  }
  auto parsed = parse_json(*text);
  if (!parsed)
    return bad_request("The credentials in " + path.string() + " are not JSON. Delete the file and log in again.");
  const auto* credentials = member(*parsed, "credentials");
  return credentials != nullptr && credentials->is_object() ? credentials->get_object() : json::object{};
}

Result<> write_store(const std::filesystem::path& path, json::object credentials) {
  TRY(os::make_directories(path.parent_path()));
  const json::value file = {{"version", 1}, {"credentials", std::move(credentials)}};
  return os::write_file_atomically(path, pretty_json(file) + "\n", 0600);
}

}  // namespace

Result<std::optional<std::string>> stored_token(const Surroundings& around, const std::string& api_base) {
  const json::object credentials = TRY(read_store(store_path(around)));
  const auto* entry = credentials.if_contains(api_base);
  return entry == nullptr ? std::nullopt : text_at(*entry, "token");
}

Result<> store_token(const Surroundings& around, const std::string& api_base, const std::string& token,
                     const std::string& user_id) {
  const auto path = store_path(around);
  json::object credentials = TRY(read_store(path));
  const std::string now = to_iso(Clock::system().now());
  const auto* known = credentials.if_contains(api_base);
  const std::string created = known == nullptr ? now : text_at(*known, "createdAt").value_or(now);
  credentials[api_base] = {{"apiBase", api_base},
                           {"token", token},
                           {"createdAt", created},
                           {"updatedAt", now},
                           {"userId", user_id.empty() ? json::value(nullptr) : json::value(user_id)}};
  return write_store(path, std::move(credentials));
}

Result<bool> forget_token(const Surroundings& around, const std::string& api_base) {
  const auto path = store_path(around);
  json::object credentials = TRY(read_store(path));
  if (credentials.erase(api_base) == 0) return false;
  TRY(write_store(path, std::move(credentials)));
  return true;
}

}  // namespace paperclip::cli
