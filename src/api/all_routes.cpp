#include "api/all_routes.h"

namespace paperclip::api {

void add_all_routes(Routes& routes) {
  add_health_routes(routes);
  add_metrics_routes(routes);
  add_approval_routes(routes);
  add_budget_routes(routes);
  add_company_routes(routes);
  add_agent_routes(routes);
  add_adapter_routes(routes);
  add_agent_creation_routes(routes);
  add_agent_instruction_routes(routes);
  add_agent_update_routes(routes);
  add_agent_runtime_routes(routes);
  add_agent_wakeup_routes(routes);
  add_activity_routes(routes);
  add_cost_routes(routes);
  add_dashboard_routes(routes);
  add_environment_routes(routes);
  add_attachment_routes(routes);
  add_execution_workspace_routes(routes);
  add_workspace_command_routes(routes);
  add_goal_routes(routes);
  add_issue_routes(routes);
  add_issue_approval_routes(routes);
  add_issue_comment_routes(routes);
  add_issue_document_routes(routes);
  add_issue_lookup_routes(routes);
  add_issue_mark_routes(routes);
  add_label_routes(routes);
  add_plugin_routes(routes);
  add_plugin_work_routes(routes);
  add_plugin_bridge_routes(routes);
  add_plugin_scoped_routes(routes);
  add_plugin_ui_routes(routes);
  add_project_routes(routes);
  add_run_routes(routes);
  add_secret_routes(routes);
  add_session_routes(routes);
  add_skill_document_routes(routes);
  add_why_routes(routes);
  add_work_product_routes(routes);
}

}  // namespace paperclip::api
