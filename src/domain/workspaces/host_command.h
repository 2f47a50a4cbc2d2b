#pragma once

#include <optional>
#include <string>

#include "base/text.h"

namespace paperclip::domain {

/// A shell line that the board stored for this machine to run: provision, teardown, cleanup, a service or a job. Made
/// only from columns that agents may not write (spec/workspaces.md 9.2), so that nothing else reaches a shell.
class HostCommand {
 public:
  /// Nothing for a blank text.
  static std::optional<HostCommand> stored(const std::optional<std::string>& text) {
    if (!text || trim(*text).empty()) return std::nullopt;
    return HostCommand(std::string(trim(*text)));
  }
  const std::string& text() const { return text_; }

 private:
  explicit HostCommand(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

}  // namespace paperclip::domain
