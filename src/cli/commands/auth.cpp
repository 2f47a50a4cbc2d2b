#include <fmt/format.h>

#include <ostream>
#include <thread>

#include "base/time.h"
#include "cli/client_command.h"
#include "cli/commands/all.h"
#include "cli/credentials.h"

namespace paperclip::cli {

namespace {

using namespace std::chrono_literals;

Result<> whoami(Client& client, const NoMore&) {
  client.print(TRY(client.get("/api/cli-auth/me")));
  return {};
}

struct Login : ClientOptions {
  bool instance_admin = false;
};

// What the person decides in the browser, or the challenge's end.
Result<std::string> wait_for_decision(Client& client, const json::value& challenge) {
  const std::string poll = "/api" + string_at(challenge, "pollPath").value_or("") +
                           QueryText().add("token", string_at(challenge, "token").value_or("")).after("");
  const auto* suggested = member(challenge, "suggestedPollIntervalMs");
  const std::chrono::milliseconds interval(
      std::max<std::int64_t>(500, suggested != nullptr && suggested->is_int64() ? suggested->get_int64() : 1000));
  const auto expires = parse_iso(string_at(challenge, "expiresAt").value_or(""));
  while (!expires || Clock::system().now() < *expires + 5s) {
    const std::string status = string_at(TRY(client.get(poll)), "status").value_or("");
    if (status != "pending") return status;
    std::this_thread::sleep_for(interval);
  }
  return std::string("expired");
}

Result<> login(Client& anonymous, const Login& options) {
  Client client(anonymous.around(), anonymous.base(), {});
  json::object body{{"command", "paperclip auth login"},
                    {"clientName", "paperclipai cli"},
                    {"requestedAccess", options.instance_admin ? "instance_admin_required" : "board"}};
  put(body, "requestedCompanyId", options.company_id);
  const json::value challenge = TRY(client.post("/api/cli-auth/challenges", body));
  const std::string url =
      text_at(challenge, "approvalUrl").value_or(client.base() + string_at(challenge, "approvalPath").value_or(""));
  anonymous.around().err << "Open this address in a browser and approve:\n  " << url << "\nWaiting …\n" << std::flush;
  const std::string status = TRY(wait_for_decision(client, challenge));
  if (status != "approved") return forbidden("The login was " + status + ". Run `paperclip auth login` again.");
  const std::string token = string_at(challenge, "boardApiToken").value_or("");
  Client as_board(anonymous.around(), client.base(), token);
  const std::string user = string_at(TRY(as_board.get("/api/cli-auth/me")), "userId").value_or("");
  TRY(store_token(anonymous.around(), client.base(), token, user));
  anonymous.print(json::object{{"ok", true}, {"apiBase", client.base()}, {"userId", user}, {"approvalUrl", url}});
  return {};
}

Result<> logout(Client& client, const NoMore&) {
  const bool revoked = client.post("/api/cli-auth/revoke-current", json::object{}).ok();
  const bool removed = TRY(forget_token(client.around(), client.base()));
  client.print(json::object{
      {"ok", true}, {"apiBase", client.base()}, {"revoked", revoked}, {"removedLocalCredential", removed}});
  return {};
}

}  // namespace

void add_auth_commands(CommandLine& line) {
  const auto group = line.group("auth", "Who you are to a server");
  add_client_command<Login>(
      line, group, "login", "Log in through the browser", CompanyOption::taken,
      [](OptionSet& command, Login& options) {
        command.flag("--instance-admin", options.instance_admin, "Ask for an admin's rights");
      },
      login);
  add_client_command<NoMore>(line, group, "logout", "Revoke and forget the stored credential", CompanyOption::none,
                             nothing_more, logout);
  add_client_command<NoMore>(line, group, "whoami", "Show who you are", CompanyOption::none, nothing_more, whoami);
}

}  // namespace paperclip::cli
