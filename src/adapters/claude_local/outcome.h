#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "adapters/claude_local/stream.h"
#include "adapters/cli_output.h"

/// What a Claude run's output means: success or which failure, worth a retry or not, when.
namespace paperclip::adapters {

/// Everything the verdict rests on.
struct ClaudeEvidence {
  const ClaudeTranscript& transcript;
  CliEvidence run;
};

/// Exit, error message and code, retry time, result JSON, usage, cost and summary; neither session nor billing type.
AdapterResult judge_claude_run(const ClaudeEvidence& evidence);

/// The tool does not know the session it was told to resume.
bool is_unknown_claude_session(const ClaudeTranscript& transcript);

/// When a usage limit ends, from a sentence like `5-hour limit reached ∙ resets 3pm (Europe/Berlin)` or the older
/// `…usage limit reached|<epoch seconds>`: the next such moment after `now`. nullopt if the text names none.
std::optional<Timestamp> usage_limit_reset(std::string_view text, Timestamp now);

/// The first address in the text that looks like a login page, else the first address.
std::string login_url(std::string_view text);

}  // namespace paperclip::adapters
