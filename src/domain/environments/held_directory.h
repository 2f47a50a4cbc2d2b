#pragma once

#include <boost/describe/class.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/environments/environment.h"
#include "domain/schema/table_of.h"
#include "store/transaction.h"

/// Directories on other machines in which one run at a time works (OURS): those that are the workspace themselves, where a
/// second run would work in the same files, and mirrors of workspaces, which a second run would make equal to its own. The same directory of the same host is one, whichever environment, agent or
/// company names it.
namespace paperclip::domain {

/// Who works in it, or did last: a row whose run is over holds nothing.
struct HeldDirectory {
  std::string directory;  // as `directory_name` has it
  RunId run_id;
  Timestamp since;
};
BOOST_DESCRIBE_STRUCT(HeldDirectory, (), (directory, run_id, since))
template <>
inline constexpr std::string_view table_of<HeldDirectory> = "held_directories";

/// `host:port/path`, however the config spells it. A host under two names is two hosts.
std::string directory_name(std::string_view host, std::int64_t port, std::string_view path);

/// The directory in which the runs of the environment take turns; nothing unless it works in place.
std::optional<std::string> in_place_directory(const Environment& environment);
/// The same for the environment that a queued run would get, as far as can be told before its claim.
std::optional<std::string> in_place_directory_of_queued(store::Reader& reader, CompanyId company, AgentId agent, std::optional<IssueId> issue);

/// The run that keeps others out of it: it runs, or was cancelled and its process is not gone yet.
std::optional<RunId> holder_of(store::Reader& reader, std::string_view directory);

/// Gives it to the run, unless another one holds it.
bool take_directory(store::Transaction& tx, std::string_view directory, RunId run);

/// The name, below the environment's directory, of the mirror in which the run works alone: `key`, or with a number behind it while another
/// run works in that.
std::string take_mirror(store::Transaction& tx, const Environment& environment, const std::string& key, RunId run);

/// Agents of any company with a queued run that may wait for what this run held.
std::vector<AgentId> waiting_for_directories_of(store::Reader& reader, RunId run);

}  // namespace paperclip::domain
