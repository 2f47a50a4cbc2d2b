#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace paperclip::environments::shell {

using Assignments = std::vector<std::pair<std::string_view, std::string>>;

/// One of the scripts in programs/, its variables set before and its arguments too.
std::string script(std::string_view name, const Assignments& variables, const std::vector<std::string>& arguments = {});
/// A file of programs/ as it is.
std::string_view program(std::string_view name);

}  // namespace paperclip::environments::shell
