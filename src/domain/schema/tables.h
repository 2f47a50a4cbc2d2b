#pragma once

#include <boost/mp11/list.hpp>

#include "domain/accounts/board_key.h"
#include "domain/accounts/user.h"
#include "domain/activity/activity_log.h"
#include "domain/actor_type.h"
#include "domain/agents/agent.h"
#include "domain/approvals/approval.h"
#include "domain/assets/asset.h"
#include "domain/budgets/budget.h"
#include "domain/companies/company.h"
#include "domain/costs/cost_event.h"
#include "domain/documents/document.h"
#include "domain/environments/environment.h"
#include "domain/environments/held_directory.h"
#include "domain/feedback/feedback.h"
#include "domain/goals/goal.h"
#include "domain/instance/instance.h"
#include "domain/instance/preferences.h"
#include "domain/issues/execution_decision.h"
#include "domain/issues/interaction.h"
#include "domain/issues/issue.h"
#include "domain/issues/issue_comment.h"
#include "domain/issues/issue_links.h"
#include "domain/issues/tree_hold.h"
#include "domain/issues/work_product.h"
#include "domain/labels/label.h"
#include "domain/memberships/invite.h"
#include "domain/memberships/membership.h"
#include "domain/plugins/plugin.h"
#include "domain/plugins/plugin_data.h"
#include "domain/plugins/plugin_work.h"
#include "domain/projects/project.h"
#include "domain/routines/routine.h"
#include "domain/runs/agent_state.h"
#include "domain/runs/heartbeat_run.h"
#include "domain/runs/run_event.h"
#include "domain/secrets/secret.h"
#include "domain/skills/company_skill.h"
#include "domain/waiting/wait.h"
#include "domain/wakeups/wakeup_request.h"
#include "domain/workspaces/execution_workspace.h"
#include "domain/workspaces/health.h"
#include "domain/workspaces/runtime_service.h"

namespace paperclip::domain {

/// Every entity of the product, for code that goes over all of them: the schema test, export, backup. In an order in
/// which rows can be inserted. Rules include only the headers of the entities that they touch.
using Entities = boost::mp11::mp_list<
    User, AuthSession, AuthAccount, AuthVerification, InstanceSettings, InstanceUserRole, BoardApiKey,
    UserSidebarPreferences, Company, Environment, Agent, AgentApiKey, AgentConfigRevision, Asset, CompanyLogo,
    CompanySecret, CompanySecretVersion, CompanySkill, Label, CompanyMembership, PrincipalPermissionGrant, Invite,
    JoinRequest, CliAuthChallenge, CompanyUserSidebarPreferences, InboxDismissal, Goal, Project, ProjectGoal,
    ProjectWorkspace, ExecutionWorkspace, AgentWakeupRequest, WakeupWait, HeartbeatRun, HeartbeatRunEvent, AgentRuntimeState,
    AgentTaskSession, WorkspaceOperation, Issue, IssueComment, IssueRelation, IssueLabel, IssueReadState,
    IssueInboxArchive, IssueReferenceMention, IssueExecutionDecision, Approval, ApprovalComment, IssueApproval,
    Document, DocumentRevision, IssueDocument, IssueAttachment, WorkspaceRuntimeService, IssueWorkProduct,
    IssueThreadInteraction, IssueTreeHold, IssueTreeHoldMember, HeartbeatRunWatchdogDecision, EnvironmentLease, HeldDirectory,
    CostEvent, FinanceEvent, BudgetPolicy, BudgetIncident, ActivityLog, Routine, RoutineTrigger, RoutineRun,
    FeedbackVote, FeedbackExport, Plugin, PluginConfig, PluginState, PluginEntity, PluginJob, PluginJobRun,
    PluginWebhookDelivery, PluginLog, PluginCompanySettings, PluginDatabaseNamespace, PluginMigration>;

}  // namespace paperclip::domain
