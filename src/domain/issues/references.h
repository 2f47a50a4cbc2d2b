#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/issues/issue_links.h"
#include "domain/issues/issue_views.h"
#include "store/transaction.h"

/// Which issues name which: the index over titles, descriptions, comments and documents (spec/issues.md 8.2).
namespace paperclip::domain {

/// Where a text stands.
struct ReferencePlace {
  ReferenceSource kind = ReferenceSource::title;
  std::optional<AnyId> record_id;  // of a comment or a document
  std::optional<std::string> document_key;
};

/// Replaces what the source names. `is_new`: there was nothing before.
void sync_references(store::Transaction& tx, CompanyId company, IssueId issue, const ReferencePlace& source,
                     std::string_view text, bool is_new = false);

/// The issues an issue names, most often named first.
std::vector<IssueName> referenced_issues(store::Reader& reader, CompanyId company, IssueId issue);
/// Adds `addedReferencedIssues`, `removedReferencedIssues` and `currentReferencedIssues`, each only when there are
/// some.
void add_reference_changes(json::object& details, const std::vector<IssueName>& before,
                           const std::vector<IssueName>& after);

/// `relatedWork` and `referencedIssueIdentifiers` of an issue.
struct RelatedWork {
  std::string json = R"({"outbound":[],"inbound":[]})";
  std::vector<std::string> referenced_identifiers;
};
RelatedWork related_work(store::Reader& reader, CompanyId company, IssueId issue);

}  // namespace paperclip::domain
