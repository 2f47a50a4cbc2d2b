#include "server/plugin_host.h"

#include "api/dispatcher.h"
#include "base/text.h"
#include "os/child_environment.h"

namespace paperclip::server {

namespace {

ErrorKind kind_of(int status) {
  switch (status) {
    case 400: return ErrorKind::bad_request;
    case 401: return ErrorKind::unauthorized;
    case 403: return ErrorKind::forbidden;
    case 404: return ErrorKind::not_found;
    case 409: return ErrorKind::conflict;
    case 422: return ErrorKind::unprocessable;
    case 429: return ErrorKind::too_many;
    default: return status >= 500 ? ErrorKind::internal : ErrorKind::bad_request;
  }
}

// A request to the router without a socket.
Result<json::value> call_api(api::Dispatcher& dispatcher, std::string_view method, const std::string& target, const std::optional<json::value>& body, const domain::Actor& actor) {
  net::Request request;
  request.method_text = method;
  request.method = net::method_of(method);
  request.target = target;
  const auto question = target.find('?');
  request.path = target.substr(0, question);
  if (question != std::string::npos) request.query = target.substr(question + 1);
  request.headers.add("Host", "127.0.0.1");
  if (body) {
    request.headers.add("Content-Type", "application/json");
    request.body = to_string(*body);
  }
  const net::Response response = dispatcher.perform(request, actor);
  json::value answer = nullptr;
  if (!response.body.empty())
    if (auto parsed = parse_json(response.body, {.max_depth = 512})) answer = *std::move(parsed);
  if (response.status < 400) return answer;
  return Error(kind_of(response.status), string_at(answer, "error").value_or("The request failed with status " + std::to_string(response.status)));
}

}  // namespace

plugins::PluginHostOptions plugin_host_options(const Config& config, store::Database& database, const domain::SecretVault& vault, net::HttpClient& http,
                                               std::function<api::Dispatcher*()> dispatcher) {
  plugins::PluginHostOptions options{.database = database, .vault = vault, .http = http};
  options.host = os::own_environment();
  options.plugin_directory = config.home / "plugins";
  options.database_url = config.database_url;
  options.instance_id = config.instance_id;
  if (const auto version = os::value_in(options.host, "PAPERCLIP_PLUGIN_HOST_VERSION"); !version.empty()) options.host_version = version;
  options.call_api = [dispatcher = std::move(dispatcher)](std::string_view method, const std::string& target, const std::optional<json::value>& body, const domain::Actor& actor) {
    return call_api(*dispatcher(), method, target, body, actor);
  };
  return options;
}

}  // namespace paperclip::server
