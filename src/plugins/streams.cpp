#include "plugins/streams.h"

namespace paperclip::plugins {

std::uint64_t Streams::add(const PluginId& plugin, std::string channel, std::string company, Listener listener) {
  std::lock_guard lock(mutex_);
  places_.emplace(next_, Place{plugin, std::move(channel), std::move(company), std::move(listener)});
  return next_++;
}

void Streams::remove(std::uint64_t id) {
  std::lock_guard lock(mutex_);
  places_.erase(id);
}

void Streams::send(const PluginId& plugin, const std::string& channel, const std::string& company, Kind kind, const json::value& data) {
  std::lock_guard lock(mutex_);
  for (const auto& [id, place] : places_)
    if (place.plugin == plugin && place.channel == channel && place.company == company) place.listener(kind, data);
}

void Streams::close_all(const PluginId& plugin) {
  std::lock_guard lock(mutex_);
  for (const auto& [id, place] : places_)
    if (place.plugin == plugin) place.listener(Kind::close, json::object());
}

}  // namespace paperclip::plugins
