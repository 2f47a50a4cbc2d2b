#pragma once

/// Commands that work on this machine's instance: files, checks, the server itself (spec/cli.md 2).
namespace paperclip::cli {

class CommandLine;

/// serve, run, onboard, doctor, env, allowed-hostname, db:backup
void add_local_commands(CommandLine& line);

void add_serve_command(CommandLine& line);
void add_run_command(CommandLine& line);
void add_onboard_command(CommandLine& line);
void add_doctor_command(CommandLine& line);
void add_env_command(CommandLine& line);
void add_hostname_command(CommandLine& line);
void add_backup_command(CommandLine& line);

}  // namespace paperclip::cli
