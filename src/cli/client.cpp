#include "cli/client.h"

#include <fmt/format.h>

#include "base/text.h"
#include "base/write_json.h"
#include "cli/context.h"
#include "cli/credentials.h"
#include "cli/output.h"

namespace paperclip::cli {

namespace {

std::string without_trailing_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

// `http://localhost:3100`, as the variables and the configuration file of this machine's server have it.
Result<std::string> local_api_base(const Surroundings& around) {
  const std::string host = around.variable("PAPERCLIP_SERVER_HOST");
  std::string port = around.variable("PAPERCLIP_SERVER_PORT");
  if (port.empty()) {
    const auto config = TRY(server::load_config(around.environment, around.working_directory));
    port = std::to_string(config.port == 0 ? 3100 : config.port);
  }
  return fmt::format("http://{}:{}", host.empty() ? "localhost" : host, port);
}

ErrorKind kind_of_status(int status) {
  switch (status) {
    case 400: return ErrorKind::bad_request;
    case 401: return ErrorKind::unauthorized;
    case 403: return ErrorKind::forbidden;
    case 404: return ErrorKind::not_found;
    case 409: return ErrorKind::conflict;
    case 410: return ErrorKind::gone;
    case 413: return ErrorKind::too_large;
    case 422: return ErrorKind::unprocessable;
    case 429: return ErrorKind::too_many;
    case 502: return ErrorKind::bad_gateway;
    case 503: return ErrorKind::unavailable;
    case 504: return ErrorKind::timeout;
    default: return ErrorKind::internal;
  }
}

Error api_error(const net::ClientResponse& response) {
  const auto body = parse_json(response.body);
  std::string text(net::reason_phrase(response.status));
  json::value details = nullptr;
  if (body && body->is_object()) {
    if (auto message = text_at(*body, "error"))
      text = *std::move(message);
    else if (message = text_at(*body, "message"); message)
      text = *std::move(message);
    if (const auto* given = member(*body, "details"); given != nullptr) details = *given;
  }
  std::string message = fmt::format("API error {}: {}", response.status, text);
  if (!details.is_null()) message += " details=" + write_json(details);
  return {kind_of_status(response.status), std::move(message), std::move(details)};
}

Error connection_error(std::string_view method, const std::string& base, const std::string& path, const Error& cause) {
  return {ErrorKind::bad_gateway,
          fmt::format("Cannot reach the Paperclip server at {}\n  Request: {} {}{}\n  Cause: {}\n"
                      "  Start it with `paperclip run`, then check {}/api/health; or name another with --api-base.",
                      base, method, base, path, cause.message, base)};
}

}  // namespace

std::string path(std::string_view pattern, std::initializer_list<std::string_view> segments) {
  std::string out;
  auto segment = segments.begin();
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    if (pattern.substr(at, 2) == "{}" && segment != segments.end()) {
      out += percent_encode(*segment++);
      ++at;
    } else {
      out += pattern[at];
    }
  }
  return out;
}

QueryText& QueryText::add(std::string_view name, std::string_view value) {
  if (value.empty()) return *this;
  text_ += text_.empty() ? '?' : '&';
  text_ += std::string(name) + "=" + percent_encode(value);
  return *this;
}

std::string QueryText::after(std::string_view path) const { return std::string(path) + text_; }

Surroundings with_data_directory(const Surroundings& around, const std::string& data_dir, const std::string& config) {
  std::map<std::string, std::string> variables;
  if (!data_dir.empty()) {
    const auto home = expand_path(around, data_dir);
    variables["PAPERCLIP_HOME"] = home.string();
    // A directory that was named is used as a whole: no file of an outer project comes in between.
    if (config.empty() && around.variable("PAPERCLIP_CONFIG").empty()) {
      const auto instance = around.variable("PAPERCLIP_INSTANCE_ID");
      variables["PAPERCLIP_CONFIG"] =
          (home / "instances" / (instance.empty() ? "default" : instance) / "config.json").string();
    }
    if (around.variable("PAPERCLIP_CONTEXT").empty()) variables["PAPERCLIP_CONTEXT"] = (home / "context.json").string();
  }
  if (!config.empty()) variables["PAPERCLIP_CONFIG"] = expand_path(around, config).string();
  Surroundings out = around;
  if (!variables.empty()) out.environment = overlay(around.environment, std::move(variables));
  return out;
}

Client::Client(const Surroundings& around, std::string base, std::string token, std::string run_id)
    : around_(around),
      base_(without_trailing_slash(std::move(base))),
      token_(std::move(token)),
      run_id_(std::move(run_id)),
      http_(std::make_unique<net::HttpClient>()) {}

Result<Client> Client::open(const Surroundings& outside, const ClientOptions& options) {
  const Surroundings around = with_data_directory(outside, options.data_dir, options.config);
  const Context context = TRY(read_context(context_path(around, options.context)));
  const Profile profile = context.profile(options.profile);
  if (!options.profile.empty() && !context.profiles.contains(options.profile))
    return bad_request("There is no profile '" + options.profile + "' in " + context.path.string() +
                       ". See `paperclip context list`.");

  std::string base = options.api_base;
  if (base.empty()) base = around.variable("PAPERCLIP_API_URL");
  if (base.empty()) base = profile.api_base.value_or("");
  if (base.empty()) base = TRY(local_api_base(around));
  base = without_trailing_slash(std::move(base));
  // The variable names the address with or without its path; requests carry /api themselves.
  if (base.ends_with("/api")) base.resize(base.size() - 4);

  std::string token = options.api_key;
  std::string run_id;
  if (token.empty()) {
    token = around.variable("PAPERCLIP_API_KEY");
    // An agent that calls us in its run acts as that run.
    if (!token.empty()) run_id = around.variable("PAPERCLIP_RUN_ID");
  }
  if (token.empty() && profile.api_key_env_var_name) token = around.variable(*profile.api_key_env_var_name);
  if (token.empty()) token = TRY(stored_token(around, base)).value_or("");

  Client client(around, std::move(base), std::move(token), std::move(run_id));
  client.company_id_ = options.company_id;
  if (client.company_id_.empty()) client.company_id_ = around.variable("PAPERCLIP_COMPANY_ID");
  if (client.company_id_.empty()) client.company_id_ = profile.company_id.value_or("");
  client.as_json_ = options.as_json;
  return client;
}

Result<json::value> Client::send(std::string_view method, const std::string& path, const json::value* body) {
  net::ClientRequest request;
  request.method = method;
  request.url = base_ + path;
  request.headers.add("Accept", "application/json");
  if (body != nullptr) {
    request.headers.add("Content-Type", "application/json");
    request.body = write_json(*body);
  }
  if (!token_.empty()) request.headers.add("Authorization", "Bearer " + token_);
  if (!run_id_.empty()) request.headers.add("X-Paperclip-Run-Id", run_id_);
  request.max_response_bytes = 256 * 1024 * 1024;
  auto response = http_->send_blocking(std::move(request));
  if (!response) return connection_error(method, base_, path, response.error());
  if (response->status >= 400) return api_error(*response);
  if (response->status == 204 || trim(response->body).empty()) return json::value(nullptr);
  auto parsed = parse_json(response->body);
  if (!parsed)
    return Error{ErrorKind::bad_gateway,
                 fmt::format("{} {}{} answered {} with something that is not JSON. Is {} a Paperclip server?", method,
                             base_, path, response->status, base_)};
  return parsed;
}

Result<json::value> Client::get(const std::string& path) { return send("GET", path, nullptr); }
Result<json::value> Client::post(const std::string& path) { return send("POST", path, nullptr); }
Result<json::value> Client::post(const std::string& path, const json::value& body) { return send("POST", path, &body); }
Result<json::value> Client::put(const std::string& path, const json::value& body) { return send("PUT", path, &body); }
Result<json::value> Client::patch(const std::string& path, const json::value& body) {
  return send("PATCH", path, &body);
}
Result<json::value> Client::remove(const std::string& path) { return send("DELETE", path, nullptr); }

Result<std::string> Client::company() const {
  if (!company_id_.empty()) return company_id_;
  return bad_request(
      "Which company? Pass --company-id, set PAPERCLIP_COMPANY_ID, or choose one for all commands with "
      "`paperclip context set --company-id <id>`. `paperclip company list` shows the ids.");
}

void Client::print(const json::value& value) const { print_value(around_.out, value, as_json_); }
void Client::print(const json::value& list, std::initializer_list<std::string_view> columns) const {
  print_list(around_.out, list, as_json_, columns);
}

}  // namespace paperclip::cli
