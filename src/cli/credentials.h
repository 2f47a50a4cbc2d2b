#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "cli/surroundings.h"

/// Board credentials that `auth login` obtained, one for each server: `<home>/auth.json`, 0600 (spec/cli.md 2.7).
namespace paperclip::cli {

/// Nothing when there is none for that server; an error when the file cannot be read.
Result<std::optional<std::string>> stored_token(const Surroundings& around, const std::string& api_base);
Result<> store_token(const Surroundings& around, const std::string& api_base, const std::string& token,
                     const std::string& user_id);
/// Whether there was one.
Result<bool> forget_token(const Surroundings& around, const std::string& api_base);

}  // namespace paperclip::cli
