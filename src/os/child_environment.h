#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "os/process.h"

namespace paperclip::os {

/// PATH where none is set (spec/execution.md 7, rule 1).
inline constexpr std::string_view default_path =
    "/usr/local/bin:/opt/homebrew/bin:/usr/local/sbin:/usr/bin:/bin:/usr/sbin:/sbin";

/// This process's environment.
Environment own_environment();

/// Builds what a child sees. It starts empty; of the host's variables only those on an allow-list come in, so that what
/// the server alone may know (DATABASE_URL, BETTER_AUTH_SECRET, PAPERCLIP_*) never does.
class ChildEnvironment {
 public:
  /// Takes over from the host what any program needs: PATH (with `default_path` if there is none), HOME, USER, SHELL,
  /// language, time zone, terminal, temporary and XDG directories, SSH agent, proxies, certificates, and the three
  /// PAPERCLIP_ variables that spec/execution.md 7 keeps.
  static ChildEnvironment from_host(const Environment& host);
  /// Nothing but PATH.
  static ChildEnvironment empty();

  /// Takes over further names of the host: exact, or a beginning when it ends in `*` ("ANTHROPIC_*"). The variables
  /// that the server keeps for itself stay out whatever the pattern says.
  ChildEnvironment& allow(const Environment& host, const std::vector<std::string_view>& patterns);
  /// Sets one variable, in place of an earlier value. An empty value removes it: empty strings are never set. Names that
  /// are no identifiers, values with NUL, and what a nested agent must not see (CLAUDECODE and its relatives) are ignored.
  ChildEnvironment& set(std::string_view name, std::string_view value);

  const Environment& variables() const& { return variables_; }
  Environment variables() && { return std::move(variables_); }
  std::string_view value(std::string_view name) const { return value_in(variables_, name); }

 private:
  Environment variables_;
};

/// What the server keeps for itself: its own settings and secrets.
bool is_server_variable(std::string_view name);

}  // namespace paperclip::os
