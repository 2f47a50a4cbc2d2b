#include <istream>
#include <iterator>

#include "base/text.h"
#include "cli/client_command.h"
#include "cli/commands/all.h"

namespace paperclip::cli {

namespace {

struct Request : ClientOptions {
  std::string method, path, data;
};

Result<> api(Client& client, const Request& options) {
  std::string target = options.path.starts_with('/') ? options.path : "/" + options.path;
  if (!target.starts_with("/api/")) target = "/api" + target;
  if (target.find("{companyId}") != std::string::npos)
    target = replace_all(std::move(target), "{companyId}", TRY(client.company()));
  std::optional<json::value> body;
  if (!options.data.empty()) {
    std::string text = options.data;
    if (text == "-") text.assign(std::istreambuf_iterator<char>(client.around().in), {});
    auto parsed = parse_json(text);
    if (!parsed) return bad_request("Invalid --data: " + parsed.error().message);
    body = *std::move(parsed);
  }
  client.print(TRY(client.send(upper(options.method), target, body ? &*body : nullptr)));
  return {};
}

}  // namespace

void add_api_command(CommandLine& line) {
  add_client_command<Request>(
      line, line.top(), "api", "Send any request of the REST API, with your address and credentials",
      CompanyOption::taken,
      [](OptionSet& command, Request& options) {
        command.add("method", options.method, "GET, POST, PUT, PATCH or DELETE")
            .required()
            .one_of({"GET", "POST", "PUT", "PATCH", "DELETE"});
        command.add("path", options.path, "Such as /companies/{companyId}/issues; {companyId} is filled in").required();
        command.add("--data", options.data, "JSON body; - reads it from the standard input");
      },
      api);
}

}  // namespace paperclip::cli
