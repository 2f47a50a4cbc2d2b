#pragma once

#include "cli/client.h"
#include "cli/command_line.h"

namespace paperclip::cli {

struct IssueReference : ClientOptions {
  std::string issue;
};

inline void declare_issue(OptionSet& command, IssueReference& options) {
  command.add("issue", options.issue, "Issue id or identifier such as ACM-12").required();
}

}  // namespace paperclip::cli
