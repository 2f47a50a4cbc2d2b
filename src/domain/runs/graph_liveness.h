#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "domain/runs/work_issue.h"
#include "store/transaction.h"

/// Work that waits for something that nobody will ever do (spec/execution.md 24.4): dead ends in the graph of issues, and the
/// issues that ask somebody in charge to open them. Looking is always possible; asking is off unless the instance says so.
namespace paperclip::domain {

enum class DeadEndState { blocked_by_unassigned_issue, blocked_by_uninvokable_assignee, blocked_by_cancelled_issue, invalid_review_participant, in_review_without_action_path };
BOOST_DESCRIBE_ENUM(DeadEndState, blocked_by_unassigned_issue, blocked_by_uninvokable_assignee, blocked_by_cancelled_issue, invalid_review_participant,
                    in_review_without_action_path)

/// One issue that cannot go on, and the place where its way ends.
struct DeadEnd {
  DeadEndState state{};
  CompanyId company_id;
  WorkIssue source;
  WorkIssue leaf;  // the source itself when its own review is the end
  /// The issue below which somebody has to act: the leaf, or, when that one is cancelled, whoever waits for it.
  IssueId act_on;
  std::optional<std::string> participant;
  Timestamp touched_at;  // of the newest change on the way

  /// `harness_liveness:{company}:{issue}:{state}:{blocker|participant|none}`
  std::string incident_key() const;
  /// `harness_liveness_leaf:{company}:{state}:{leaf}`: one escalation for all who wait for the same.
  std::string leaf_key() const;
};

/// The dead end of one issue; nothing while somebody is, or will be, at work anywhere on each of its ways.
std::optional<DeadEnd> find_dead_end(store::Reader& reader, const WorkIssue& issue);
/// Those of all companies, of the issues changed last, up to `limit` issues looked at.
std::vector<DeadEnd> find_dead_ends(store::Reader& reader, int limit = 500);

/// The instance's wish (`enableIssueGraphLivenessAutoRecovery` and its lookback).
struct GraphRecoverySettings {
  bool enabled = false;
  int lookback_hours = 24;
};
GraphRecoverySettings graph_recovery_settings(store::Reader& reader);

struct GraphRecoveryItem {
  IssueId issue_id, leaf_issue_id;
  CompanyId company_id;
  std::optional<std::string> identifier, leaf_identifier;
  std::string title;
  DeadEndState state{};
  std::string incident_key;
  Timestamp latest_dependency_updated_at;
};
BOOST_DESCRIBE_STRUCT(GraphRecoveryItem, (), (issue_id, leaf_issue_id, company_id, identifier, leaf_identifier, title, state, incident_key, latest_dependency_updated_at))

/// What a recovery would do now, or did.
struct GraphRecoveryReport {
  int lookback_hours = 24;
  Timestamp cutoff, generated_at;
  int findings = 0, recoverable_findings = 0, skipped_outside_lookback = 0;
  int escalations_created = 0, existing_escalations = 0;
  std::vector<GraphRecoveryItem> items;  // the recoverable ones
};
BOOST_DESCRIBE_STRUCT(GraphRecoveryReport, (), (lookback_hours, cutoff, generated_at, findings, recoverable_findings, skipped_outside_lookback, escalations_created,
                                                existing_escalations, items))

GraphRecoveryReport preview_graph_recovery(store::Reader& reader, int lookback_hours);
/// Judges each item again and asks: an escalation issue of high priority below the leaf for somebody in charge, which blocks
/// the source. One open one for each incident and for each leaf; none for 24 h after one was closed.
void recover_dead_ends(store::Transaction& tx, GraphRecoveryReport& report);

/// Open escalations whose dead end is open again are cancelled, and their issues go on. Also when asking is off.
int retire_obsolete_escalations(store::Transaction& tx);

/// True if there is an open escalation.
bool has_open_escalations(store::Reader& reader);

}  // namespace paperclip::domain
