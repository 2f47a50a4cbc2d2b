#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

/// Keeping secrets out of what is stored and shown (spec/platform.md 10).
namespace paperclip::domain {

inline constexpr std::string_view redacted_marker = "***REDACTED***";

/// True for keys whose values are secrets (`apiKey`, `authorization`, `password`, …; substring, any case).
bool is_sensitive_key(std::string_view key);

/// The record with every secret replaced by the marker. Secret references stay as they are.
json::value redact(const json::value& record);

/// Free text (a command line, an error) with tokens, keys and passwords replaced.
std::string redact_text(std::string_view text);

}  // namespace paperclip::domain
