#pragma once

#include <boost/describe/class.hpp>
#include <vector>

#include "base/fields.h"
#include "base/read_json.h"
#include "domain/access/scope.h"
#include "domain/labels/label.h"
#include "store/transaction.h"

/// Labels of a company and on its issues (spec/work-domain.md 8).
namespace paperclip::domain {

/// `#rrggbb`.
struct HexColor : std::string {
  using std::string::string;
  static void read(const json::value* value, HexColor& out, SchemaIssues& issues);
};

struct NewLabel {
  Trimmed<1, 48> name;
  HexColor color;
};
BOOST_DESCRIBE_STRUCT(NewLabel, (), (name, color))

/// By name.
std::vector<Label> labels_of_company(store::Reader& reader, CompanyId company);
/// By name.
std::vector<Label> labels_of_issue(store::Reader& reader, IssueId issue);
/// 409 when the company has a label of that name.
Result<Label> create_label(store::Transaction& tx, const CompanyScope& scope, const NewLabel& label);
/// Takes it off all issues, too. 404 `Label not found`.
Result<Label> delete_label(store::Transaction& tx, const CompanyScope& scope, LabelId id);
/// Replaces the issue's labels. 422 unless all are the company's.
Result<> set_issue_labels(store::Transaction& tx, CompanyId company, IssueId issue, const std::vector<LabelId>& labels,
                          bool is_new);

}  // namespace paperclip::domain
