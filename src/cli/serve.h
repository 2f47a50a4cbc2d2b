#pragma once

namespace CLI {
class App;
}

namespace paperclip::cli {

/// `paperclip serve`: the server in the foreground until SIGINT or SIGTERM.
void add_serve_command(CLI::App& app, int& exit_code);

}  // namespace paperclip::cli
