#pragma once

#include <string>

#include "base/json.h"

/// The small forms in which lists show a run's JSON columns.
namespace paperclip::domain {

/// The keys of a context that lists show; `null` if it has none of them.
std::string listed_context(const json::value& context);
/// Summary, result, message and error, 500 characters each, and costs; `null` if there is none.
std::string listed_result(const json::value& result);
/// A result as a run's page shows it: shortened beyond 64 KiB.
std::string shown_result(const RawJson& result);
/// Usage and result as an issue's run ledger shows them (spec/work-domain.md 5.3).
std::string ledger_usage(const RawJson& usage);
std::string ledger_result(const RawJson& result);

}  // namespace paperclip::domain
