#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/issues/issue.h"
#include "domain/schema/table_of.h"

/// Work that comes back (spec/work-domain.md 4.1).
namespace paperclip::domain {

enum class RoutineStatus { active, paused, archived };
BOOST_DESCRIBE_ENUM(RoutineStatus, active, paused, archived)

/// What happens when a routine is due while its last issue is still open.
enum class RoutineConcurrency { coalesce_if_active, always_enqueue, skip_if_active };
BOOST_DESCRIBE_ENUM(RoutineConcurrency, coalesce_if_active, always_enqueue, skip_if_active)

/// What happens to ticks missed while the server was away.
enum class RoutineCatchUp { skip_missed, enqueue_missed_with_cap };
BOOST_DESCRIBE_ENUM(RoutineCatchUp, skip_missed, enqueue_missed_with_cap)

/// A template of an issue that is made again and again.
struct Routine {
  RoutineId id;
  CompanyId company_id;
  std::optional<ProjectId> project_id;
  std::optional<GoalId> goal_id;
  std::optional<IssueId> parent_issue_id;
  std::string title;
  std::optional<std::string> description;
  std::optional<AgentId> assignee_agent_id;
  IssuePriority priority = IssuePriority::medium;
  RoutineStatus status = RoutineStatus::active;
  RoutineConcurrency concurrency_policy = RoutineConcurrency::coalesce_if_active;
  RoutineCatchUp catch_up_policy = RoutineCatchUp::skip_missed;
  RawJson variables{std::string("[]")};
  std::optional<AgentId> created_by_agent_id;
  std::optional<std::string> created_by_user_id;
  std::optional<AgentId> updated_by_agent_id;
  std::optional<std::string> updated_by_user_id;
  std::optional<Timestamp> last_triggered_at;
  std::optional<Timestamp> last_enqueued_at;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(Routine, (),
                      (id, company_id, project_id, goal_id, parent_issue_id, title, description, assignee_agent_id,
                       priority, status, concurrency_policy, catch_up_policy, variables, created_by_agent_id,
                       created_by_user_id, updated_by_agent_id, updated_by_user_id, last_triggered_at, last_enqueued_at,
                       created_at, updated_at))
template <>
inline constexpr std::string_view table_of<Routine> = "routines";

enum class RoutineTriggerKind { schedule, webhook, api };
BOOST_DESCRIBE_ENUM(RoutineTriggerKind, schedule, webhook, api)

enum class WebhookSigning { bearer, hmac_sha256, github_hmac, none };
BOOST_DESCRIBE_ENUM(WebhookSigning, bearer, hmac_sha256, github_hmac, none)

/// What sets a routine off.
struct RoutineTrigger {
  RoutineTriggerId id;
  CompanyId company_id;
  RoutineId routine_id;
  RoutineTriggerKind kind{};
  std::optional<std::string> label;
  bool enabled = true;
  std::optional<std::string> cron_expression;
  std::optional<std::string> timezone;
  std::optional<Timestamp> next_run_at;
  std::optional<Timestamp> last_fired_at;
  std::optional<std::string> public_id;
  std::optional<SecretId> secret_id;
  std::optional<WebhookSigning> signing_mode;
  std::optional<int> replay_window_sec;
  std::optional<Timestamp> last_rotated_at;
  std::optional<std::string> last_result;
  std::optional<AgentId> created_by_agent_id;
  std::optional<std::string> created_by_user_id;
  std::optional<AgentId> updated_by_agent_id;
  std::optional<std::string> updated_by_user_id;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(RoutineTrigger, (),
                      (id, company_id, routine_id, kind, label, enabled, cron_expression, timezone, next_run_at,
                       last_fired_at, public_id, secret_id, signing_mode, replay_window_sec, last_rotated_at,
                       last_result, created_by_agent_id, created_by_user_id, updated_by_agent_id, updated_by_user_id,
                       created_at, updated_at))
template <>
inline constexpr std::string_view table_of<RoutineTrigger> = "routine_triggers";

enum class RoutineRunSource { schedule, manual, api, webhook };
BOOST_DESCRIBE_ENUM(RoutineRunSource, schedule, manual, api, webhook)

enum class RoutineRunStatus { received, coalesced, skipped, issue_created, completed, failed };
BOOST_DESCRIBE_ENUM(RoutineRunStatus, received, coalesced, skipped, issue_created, completed, failed)

/// One time that a routine was set off.
struct RoutineRun {
  RoutineRunId id;
  CompanyId company_id;
  RoutineId routine_id;
  std::optional<RoutineTriggerId> trigger_id;
  RoutineRunSource source{};
  RoutineRunStatus status = RoutineRunStatus::received;
  Timestamp triggered_at;
  std::optional<std::string> idempotency_key;
  std::optional<RawJson> trigger_payload;
  std::optional<std::string> dispatch_fingerprint;
  std::optional<IssueId> linked_issue_id;
  std::optional<RoutineRunId> coalesced_into_run_id;
  std::optional<std::string> failure_reason;
  std::optional<Timestamp> completed_at;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(RoutineRun, (),
                      (id, company_id, routine_id, trigger_id, source, status, triggered_at, idempotency_key,
                       trigger_payload, dispatch_fingerprint, linked_issue_id, coalesced_into_run_id, failure_reason,
                       completed_at, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<RoutineRun> = "routine_runs";

}  // namespace paperclip::domain
