#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "base/json.h"

/// How adapters read their configuration: a value of the wrong type is as good as none (spec/adapters.md 1.4).
namespace paperclip::adapters {

/// A non-empty JSON string, else the fallback. Not trimmed.
std::string config_text(const json::object& config, std::string_view key, std::string_view fallback = {});
/// A finite JSON number, else the fallback; `"30"` is no number.
double config_number(const json::object& config, std::string_view key, double fallback = 0);
/// A JSON boolean, else the fallback.
bool config_flag(const json::object& config, std::string_view key, bool fallback);
/// The strings of a JSON array, others dropped; a single string is no list.
std::vector<std::string> config_list(const json::object& config, std::string_view key);
/// A JSON object, else the empty one.
const json::object& config_object(const json::object& config, std::string_view key);

/// `extraArgs`, or `args` when those are empty (spec/adapters.md 3.2).
std::vector<std::string> extra_arguments(const json::object& config);

}  // namespace paperclip::adapters
