#pragma once

#include "api/routes.h"

namespace paperclip::api {

// One function per resource, each in its own file.
void add_health_routes(Routes& routes);
void add_metrics_routes(Routes& routes);
void add_approval_routes(Routes& routes);
void add_budget_routes(Routes& routes);
void add_company_routes(Routes& routes);
void add_agent_routes(Routes& routes);
void add_adapter_routes(Routes& routes);
void add_agent_creation_routes(Routes& routes);
void add_agent_instruction_routes(Routes& routes);
void add_agent_update_routes(Routes& routes);
void add_activity_routes(Routes& routes);
void add_cost_routes(Routes& routes);
void add_dashboard_routes(Routes& routes);
void add_environment_routes(Routes& routes);
void add_attachment_routes(Routes& routes);
void add_execution_workspace_routes(Routes& routes);
void add_workspace_command_routes(Routes& routes);
void add_goal_routes(Routes& routes);
void add_issue_routes(Routes& routes);
void add_issue_approval_routes(Routes& routes);
void add_issue_comment_routes(Routes& routes);
void add_issue_document_routes(Routes& routes);
void add_issue_lookup_routes(Routes& routes);
void add_issue_mark_routes(Routes& routes);
void add_label_routes(Routes& routes);
void add_work_product_routes(Routes& routes);
void add_plugin_routes(Routes& routes);
void add_plugin_work_routes(Routes& routes);
void add_plugin_bridge_routes(Routes& routes);
void add_plugin_scoped_routes(Routes& routes);
void add_plugin_ui_routes(Routes& routes);
void add_project_routes(Routes& routes);
void add_secret_routes(Routes& routes);
void add_session_routes(Routes& routes);
void add_skill_document_routes(Routes& routes);
void add_agent_runtime_routes(Routes& routes);
void add_agent_wakeup_routes(Routes& routes);
void add_run_routes(Routes& routes);
void add_why_routes(Routes& routes);

/// Every endpoint of the server.
void add_all_routes(Routes& routes);

}  // namespace paperclip::api
