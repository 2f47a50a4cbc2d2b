#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <string>
#include <vector>

#include "cli/client.h"
#include "cli/demo/company.h"
#include "cli/run_log.h"

namespace paperclip::cli::demo {

struct IssueRow {
  std::string id, identifier, title, status, agent;
  int depth = 0;
  bool at_work = false;  // a run works on it now
};

struct RunRow {
  std::string id, agent, status, issue_identifier, error;
};

/// The company as it is at one moment.
struct Snapshot {
  std::vector<IssueRow> issues;  // parents before their parts
  std::vector<RunRow> runs;      // oldest first
  std::int64_t spent_cents = 0;

  std::size_t issues_done() const;
  std::size_t runs_in(std::string_view status) const;
  std::size_t runs_live() const;
};

Result<Snapshot> take_snapshot(Client& client, const Company& company);

/// Shows a company at work. On a terminal the tree of issues stays at the bottom, redrawn, and what the agents say
/// scrolls above it; elsewhere each change is a line.
class View {
 public:
  View(std::ostream& out, bool terminal);
  void show(const Snapshot& now);
  /// A line of an agent's run.
  void say(const std::string& agent, const std::string& issue, const std::string& line);
  /// The tree for the last time; it stays.
  void finish(const Snapshot& now);

 private:
  void erase_tree();
  void draw_tree(const Snapshot& now);
  std::string paint(std::string_view code, std::string text) const;

  std::ostream& out_;
  bool terminal_;
  std::size_t columns_ = 100, drawn_ = 0;
  std::vector<std::string> pending_;
  std::map<std::string, std::string> known_status_;  // by issue
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

/// Reads the logs of all runs and hands their new lines to the view.
class Listening {
 public:
  Result<> hear(Client& client, const Snapshot& now, View& view);

 private:
  struct Heard {
    RunLogTail log;
    LineJoiner lines;
    bool ended = false;
  };
  std::map<std::string, Heard> runs_;
};

}  // namespace paperclip::cli::demo
