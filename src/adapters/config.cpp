#include "adapters/config.h"

#include <cmath>

namespace paperclip::adapters {

std::string config_text(const json::object& config, std::string_view key, std::string_view fallback) {
  const auto* found = config.if_contains(key);
  if (found == nullptr || !found->is_string() || found->get_string().empty()) return std::string(fallback);
  return std::string(found->get_string());
}

double config_number(const json::object& config, std::string_view key, double fallback) {
  const auto* found = config.if_contains(key);
  if (found == nullptr || !found->is_number()) return fallback;
  const double number = found->to_number<double>();
  return std::isfinite(number) ? number : fallback;
}

bool config_flag(const json::object& config, std::string_view key, bool fallback) {
  const auto* found = config.if_contains(key);
  return found != nullptr && found->is_bool() ? found->get_bool() : fallback;
}

std::vector<std::string> config_list(const json::object& config, std::string_view key) {
  std::vector<std::string> out;
  const auto* found = config.if_contains(key);
  if (found == nullptr || !found->is_array()) return out;
  for (const auto& item : found->get_array())
    if (item.is_string()) out.emplace_back(item.get_string());
  return out;
}

const json::object& config_object(const json::object& config, std::string_view key) {
  static const json::object empty;
  const auto* found = config.if_contains(key);
  return found != nullptr && found->is_object() ? found->get_object() : empty;
}

std::vector<std::string> extra_arguments(const json::object& config) {
  auto extra = config_list(config, "extraArgs");
  return extra.empty() ? config_list(config, "args") : extra;
}

}  // namespace paperclip::adapters
