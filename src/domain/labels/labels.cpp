#include "domain/labels/labels.h"

#include <algorithm>

#include "domain/activity/activity.h"
#include "domain/issues/issue_links.h"

namespace paperclip::domain {

namespace {

json::value name_and_color(const Label& label) { return {{"name", label.name}, {"color", label.color}}; }

}  // namespace

void HexColor::read(const json::value* value, HexColor& out, SchemaIssues& issues) {
  if (!detail::read_text(value, out, issues)) return;
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); };
  if (out.size() != 7 || out[0] != '#' || !std::all_of(out.begin() + 1, out.end(), is_hex))
    issues.add("invalid_string", "Color must be a 6-digit hex value", {{"validation", "regex"}});
}

std::vector<Label> labels_of_company(store::Reader& reader, CompanyId company) {
  return reader.all<Label>("select {} from labels where company_id = :1 order by name, id", company);
}

std::vector<Label> labels_of_issue(store::Reader& reader, IssueId issue) {
  return reader.all<Label>(
      "select {l} from issue_labels il join labels l on l.id = il.label_id where il.issue_id = :1 order by l.name, "
      "l.id",
      issue);
}

Result<Label> create_label(store::Transaction& tx, const CompanyScope& scope, const NewLabel& body) {
  const Label label{tx.new_id<LabelId>(), scope.company_id(), body.name, body.color, tx.now(), tx.now()};
  if (!tx.exists("select 1 from companies where id = :1", scope.company_id())) return not_found("Company not found");
  if (!tx.try_insert(table_of<Label>, label))
    return conflict("A label named '" + label.name + "' already exists in this company");
  log_activity(tx, scope.company_id(), scope.author(),
               {"label.created", "label", label.id.str(), name_and_color(label)});
  return label;
}

Result<Label> delete_label(store::Transaction& tx, const CompanyScope& scope, LabelId id) {
  const auto label = tx.one<Label>("select {} from labels where id = :1 and company_id = :2", id, scope.company_id());
  if (!label) return not_found("Label not found");
  tx.execute("delete from labels where id = :1", id);
  log_activity(tx, scope.company_id(), scope.author(), {"label.deleted", "label", id.str(), name_and_color(*label)});
  return *label;
}

Result<> set_issue_labels(store::Transaction& tx, CompanyId company, IssueId issue, const std::vector<LabelId>& labels,
                          bool is_new) {
  std::vector<LabelId> wanted;
  for (const auto& id : labels)
    if (std::find(wanted.begin(), wanted.end(), id) == wanted.end()) wanted.push_back(id);
  if (!wanted.empty()) {
    const auto known = tx.value<std::int64_t>("select count(*) from labels where company_id = :1 and id in {list :2}",
                                              company, wanted);
    if (known != static_cast<std::int64_t>(wanted.size()))
      return unprocessable("One or more labels are invalid for this company");
  }
  if (!is_new) tx.execute("delete from issue_labels where issue_id = :1", issue);
  for (const auto& id : wanted) tx.insert(table_of<IssueLabel>, IssueLabel{issue, id, company, tx.now()});
  return {};
}

}  // namespace paperclip::domain
