#include "base/text.h"
#include "cli/client_command.h"
#include "cli/commands/all.h"

namespace paperclip::cli {

namespace {

struct ApprovalReference : ClientOptions {
  std::string approval;
};
void declare_approval(OptionSet& command, ApprovalReference& options) {
  command.add("approval", options.approval, "Approval id").required();
}

struct Listing : ClientOptions {
  std::string status;
};

Result<> list(Client& client, const Listing& options) {
  client.print(TRY(client.get(QueryText()
                                  .add("status", options.status)
                                  .after(path("/api/companies/{}/approvals", {TRY(client.company())})))),
               {"id", "type", "status", "requestedByAgentId", "requestedByUserId", "createdAt"});
  return {};
}

Result<> get(Client& client, const ApprovalReference& options) {
  client.print(TRY(client.get(path("/api/approvals/{}", {options.approval}))));
  return {};
}

struct NewApproval : ClientOptions {
  std::string type, payload, agent, issues;
};

Result<> create(Client& client, const NewApproval& options) {
  json::object body{{"type", options.type}, {"payload", TRY(json_object_option("--payload", options.payload))}};
  put(body, "requestedByAgentId", options.agent);
  if (!options.issues.empty()) {
    json::array ids;
    for (const auto& id : split(options.issues, ','))
      if (!trim(id).empty()) ids.emplace_back(trim(id));
    body["issueIds"] = std::move(ids);
  }
  client.print(TRY(client.post(path("/api/companies/{}/approvals", {TRY(client.company())}), body)));
  return {};
}

struct Decision : ApprovalReference {
  std::string note, user;
};

struct Resubmission : ApprovalReference {
  std::string payload;
};

Result<> resubmit(Client& client, const Resubmission& options) {
  json::object body;
  if (!options.payload.empty()) body["payload"] = TRY(json_object_option("--payload", options.payload));
  client.print(TRY(client.post(path("/api/approvals/{}/resubmit", {options.approval}), body)));
  return {};
}

struct NewComment : ApprovalReference {
  std::string body;
};

Result<> comment(Client& client, const NewComment& options) {
  client.print(
      TRY(client.post(path("/api/approvals/{}/comments", {options.approval}), json::object{{"body", options.body}})));
  return {};
}

}  // namespace

void add_approval_commands(CommandLine& line) {
  const auto group = line.group("approval", "Approvals");
  add_client_command<Listing>(
      line, group, "list", "List the approvals of a company", CompanyOption::taken,
      [](OptionSet& command, Listing& options) {
        command.add("--status", options.status, "pending, approved, rejected, …");
      },
      list);
  add_client_command<ApprovalReference>(line, group, "get", "Show an approval", CompanyOption::none, declare_approval,
                                        get);
  add_client_command<NewApproval>(
      line, group, "create", "Ask for an approval", CompanyOption::taken,
      [](OptionSet& command, NewApproval& options) {
        command.add("--type", options.type, "hire_agent, approve_ceo_strategy, …").required();
        command.add("--payload", options.payload, "JSON object").required();
        command.add("--requested-by-agent-id", options.agent, "On behalf of this agent");
        command.add("--issue-ids", options.issues, "Issues it is about, comma separated");
      },
      create);
  const auto decision = [&](const char* verb, const char* description) {
    add_client_command<Decision>(
        line, group, verb, description, CompanyOption::none,
        [](OptionSet& command, Decision& options) {
          declare_approval(command, options);
          command.add("--decision-note", options.note, "Why");
          // Accepted for the sake of old scripts: who decides is whoever is logged in.
          command.add("--decided-by-user-id", options.user, "Ignored").hidden();
        },
        [verb](Client& client, const Decision& options) -> Result<> {
          json::object body;
          put(body, "decisionNote", options.note);
          client.print(TRY(client.post(path(std::string("/api/approvals/{}/") + verb, {options.approval}), body)));
          return {};
        });
  };
  decision("approve", "Approve");
  decision("reject", "Reject");
  decision("request-revision", "Send back for changes");
  add_client_command<Resubmission>(
      line, group, "resubmit", "Submit again after changes", CompanyOption::none,
      [](OptionSet& command, Resubmission& options) {
        declare_approval(command, options);
        command.add("--payload", options.payload, "JSON object, in place of the former one");
      },
      resubmit);
  add_client_command<NewComment>(
      line, group, "comment", "Comment on an approval", CompanyOption::none,
      [](OptionSet& command, NewComment& options) {
        declare_approval(command, options);
        command.add("--body", options.body, "Markdown").required();
      },
      comment);
}

}  // namespace paperclip::cli
