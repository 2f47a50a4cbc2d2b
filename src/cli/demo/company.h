#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "cli/client.h"

namespace paperclip::cli::demo {

/// The company of the demonstration.
struct Company {
  std::string id, name, issue_prefix;
  std::string top_issue_id, top_identifier;
  std::map<std::string, std::string> agents;  // id to name
};

struct Plan {
  std::string program;              // what the agents run: this program
  std::string directory;            // where they run
  std::uint32_t limit = 2'000'000;  // the primes below it
  std::chrono::milliseconds pace{250};
};

/// Founds it, through the API like anyone: a goal, a lead, three workers; then the one issue that sets them to work.
Result<Company> found_company(Client& client, const Plan& plan);

/// Pauses its agents and waits, ten seconds at most, until their runs have ended.
void pause_agents(Client& client, const Company& company);

}  // namespace paperclip::cli::demo
