#include <fmt/format.h>

#include <iostream>

#include "base/id.h"
#include "base/text.h"
#include "cli/client_command.h"
#include "cli/commands/all.h"

namespace paperclip::cli {

namespace {

struct CompanyReference : ClientOptions {
  std::string company;
};
void declare_company(OptionSet& command, CompanyReference& options) {
  command.add("company", options.company, "Company id").required();
}

Result<> list(Client& client, const NoMore&) {
  client.print(TRY(client.get("/api/companies")),
               {"id", "name", "status", "budgetMonthlyCents", "spentMonthlyCents", "requireBoardApprovalForNewAgents"});
  return {};
}

Result<> get(Client& client, const CompanyReference& options) {
  client.print(TRY(client.get(path("/api/companies/{}", {options.company}))));
  return {};
}

struct NewCompany : ClientOptions {
  std::string name, description;
  std::optional<std::int64_t> budget;
};

Result<> create(Client& client, const NewCompany& options) {
  json::object body{{"name", options.name}};
  put(body, "description", options.description);
  put(body, "budgetMonthlyCents", options.budget);
  client.print(TRY(client.post("/api/companies", body)));
  return {};
}

struct CompanyUpdate : CompanyReference {
  std::optional<std::string> name, description, status, brand_color;
  std::optional<std::int64_t> budget;
  std::optional<bool> require_approval;
};

Result<> update(Client& client, const CompanyUpdate& options) {
  json::object body;
  put(body, "name", options.name);
  put(body, "description", options.description);
  put(body, "status", options.status);
  put(body, "brandColor", options.brand_color);
  put(body, "budgetMonthlyCents", options.budget);
  if (options.require_approval) body["requireBoardApprovalForNewAgents"] = *options.require_approval;
  if (body.empty()) return bad_request("Nothing to change. See `paperclip company update --help` for what can be set.");
  client.print(TRY(client.patch(path("/api/companies/{}", {options.company}), body)));
  return {};
}

Result<> archive(Client& client, const CompanyReference& options) {
  client.print(TRY(client.post(path("/api/companies/{}/archive", {options.company}))));
  return {};
}

struct Deletion : ClientOptions {
  std::string selector, by = "auto", confirm;
  bool yes = false;
};

// By id, or by issue prefix; the list decides, so that a prefix need not be guessed from the name.
Result<json::value> find_company(Client& client, const Deletion& options) {
  if (options.by == "id" || (options.by == "auto" && CompanyId::parse(options.selector)))
    return client.get(path("/api/companies/{}", {options.selector}));
  const json::value all = TRY(client.get("/api/companies"));
  if (all.is_array())
    for (const auto& company : all.get_array())
      if (equals_ignoring_case(string_at(company, "issuePrefix").value_or(""), options.selector)) return company;
  return not_found(fmt::format("No company has the id or issue prefix '{}'. `paperclip company list` shows them.",
                               options.selector));
}

Result<> remove(Client& client, const Deletion& options) {
  const json::value company = TRY(find_company(client, options));
  const std::string id = string_at(company, "id").value_or(""), prefix = string_at(company, "issuePrefix").value_or(""),
                    name = string_at(company, "name").value_or("");
  std::string confirmed = options.confirm;
  if (!options.yes && confirmed.empty() && client.around().interactive) {
    client.around().err << fmt::format("Delete company {} ({}) and all it has? Type {} to confirm: ", name, id, prefix)
                        << std::flush;
    std::getline(client.around().in, confirmed);
    if (!equals_ignoring_case(trim(confirmed), prefix)) return bad_request("Not confirmed; nothing was deleted.");
  } else if (!options.yes || (confirmed != id && !equals_ignoring_case(confirmed, prefix))) {
    return bad_request(
        fmt::format("Deleting {} cannot be undone. Repeat the command with --yes --confirm {}", name, prefix));
  }
  TRY(client.remove(path("/api/companies/{}", {id})));
  client.print(json::object{
      {"ok", true}, {"deletedCompanyId", id}, {"deletedCompanyName", name}, {"deletedCompanyPrefix", prefix}});
  return {};
}

}  // namespace

void add_company_commands(CommandLine& line) {
  const auto group = line.group("company", "Companies");
  add_client_command<NoMore>(line, group, "list", "List companies", CompanyOption::none, nothing_more, list);
  add_client_command<CompanyReference>(line, group, "get", "Show a company", CompanyOption::none, declare_company, get);
  add_client_command<NewCompany>(
      line, group, "create", "Create a company", CompanyOption::none,
      [](OptionSet& command, NewCompany& options) {
        command.add("--name", options.name, "Name").required();
        command.add("--description", options.description, "What it is for");
        command.add("--budget-monthly-cents", options.budget, "Monthly budget in cents; 0 is none");
      },
      create);
  add_client_command<CompanyUpdate>(
      line, group, "update", "Change a company", CompanyOption::none,
      [](OptionSet& command, CompanyUpdate& options) {
        declare_company(command, options);
        command.add("--name", options.name, "Name");
        command.add("--description", options.description, "What it is for");
        command.add("--status", options.status, "active, paused or archived");
        command.add("--brand-color", options.brand_color, "#rrggbb");
        command.add("--budget-monthly-cents", options.budget, "Monthly budget in cents; 0 is none");
        command.add("--require-approval-for-new-agents", options.require_approval, "true or false");
      },
      update);
  add_client_command<CompanyReference>(line, group, "archive", "Archive a company", CompanyOption::none,
                                       declare_company, archive);
  add_client_command<Deletion>(
      line, group, "delete", "Delete a company and all it has", CompanyOption::none,
      [](OptionSet& command, Deletion& options) {
        command.add("company", options.selector, "Company id or issue prefix").required();
        command.add("--by", options.by, "How the company is named").one_of({"auto", "id", "prefix"}).with_default();
        command.flag("--yes", options.yes, "Do not ask");
        command.add("--confirm", options.confirm, "The id or issue prefix once more");
      },
      remove);
}

}  // namespace paperclip::cli
