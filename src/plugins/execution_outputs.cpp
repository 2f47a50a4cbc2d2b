#include "plugins/execution_outputs.h"

#include "base/crypto.h"

namespace paperclip::plugins {

void ExecutionOutputs::add(const PluginId& plugin, const std::string& execution, OnOutput on_output) {
  auto place = std::make_shared<Place>();
  place->plugin = plugin;
  place->on_output = std::move(on_output);
  std::lock_guard lock(mutex_);
  places_[execution] = std::move(place);
}

void ExecutionOutputs::remove(const std::string& execution) {
  std::shared_ptr<Place> place;
  {
    std::lock_guard lock(mutex_);
    const auto at = places_.find(execution);
    if (at == places_.end()) return;
    place = at->second;
    places_.erase(at);
  }
  std::lock_guard lock(place->mutex);
  place->on_output = nullptr;
}

void ExecutionOutputs::deliver(const PluginId& plugin, const json::value& params) {
  const auto execution = string_at(params, "executionId");
  const auto data = string_at(params, "data");
  if (!execution || !data) return;
  std::shared_ptr<Place> place;
  {
    std::lock_guard lock(mutex_);
    const auto at = places_.find(*execution);
    if (at == places_.end() || at->second->plugin != plugin) return;
    place = at->second;
  }
  const auto bytes = base64_decode(*data);
  if (!bytes || bytes->empty()) return;
  std::lock_guard lock(place->mutex);
  if (place->on_output) place->on_output(string_at(params, "stream") == "stderr" ? OutputStream::stderr_stream : OutputStream::stdout_stream, *bytes);
}

}  // namespace paperclip::plugins
