#pragma once

#include <optional>
#include <string>

#include "base/fields.h"
#include "domain/access/scope.h"
#include "domain/companies/company.h"
#include "store/transaction.h"

/// Companies (spec/organisation.md 1).
namespace paperclip::domain {

/// A company as clients see it: its row, with what it spent this UTC month, and its logo.
struct CompanyView : Company {
  std::optional<AssetId> logo_asset_id;
  std::optional<std::string> logo_url;
};
BOOST_DESCRIBE_STRUCT(CompanyView, (Company), (logo_asset_id, logo_url))

struct NewCompany {
  Text<1> name;
  std::optional<std::string> description;
  Default<Int<0>> budget_monthly_cents{Int<0>(0)};
  Omit<Int<1, 1073741824>> attachment_max_bytes;
};
BOOST_DESCRIBE_STRUCT(NewCompany, (), (name, description, budget_monthly_cents, attachment_max_bytes))

/// The first free issue prefix for a name: its first three letters, then with `A`, `AA`, … appended.
std::string free_issue_prefix(store::Reader& reader, std::string_view name);

/// Makes the company, its local environment and the creator's owner membership.
Result<CompanyId> create_company(store::Transaction& tx, const Actor& creator, const NewCompany& company);

/// Nothing for an unknown id.
std::optional<CompanyView> company_view(store::Reader& reader, CompanyId id);
/// All the caller may see: every company for the local board and instance admins, else those it is a member of.
std::vector<CompanyView> visible_companies(store::Reader& reader, const Actor& actor);

/// The first moment of the UTC calendar month that holds `time`.
Timestamp month_start(Timestamp time);

}  // namespace paperclip::domain
