#pragma once

/// One declaration for each group of commands; `program.cpp` calls them.
namespace paperclip::cli {

class CommandLine;

void add_agent_commands(CommandLine& line);
void add_agent_key_commands(CommandLine& line);
void add_api_command(CommandLine& line);
void add_approval_commands(CommandLine& line);
void add_auth_commands(CommandLine& line);
void add_budget_commands(CommandLine& line);
void add_company_commands(CommandLine& line);
void add_context_commands(CommandLine& line);
void add_heartbeat_commands(CommandLine& line);
void add_issue_commands(CommandLine& line);
void add_issue_work_commands(CommandLine& line);
void add_overview_commands(CommandLine& line);
void add_plugin_commands(CommandLine& line);
void add_why_commands(CommandLine& line);

}  // namespace paperclip::cli
