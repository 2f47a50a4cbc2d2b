#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <tuple>

#include "base/id.h"
#include "base/json.h"

namespace paperclip::plugins {

/// What workers send to open pages, by plugin, channel and company; in memory, no replay (spec/plugins.md 20.2).
class Streams {
 public:
  enum class Kind { open, message, close };
  using Listener = std::function<void(Kind, const json::value&)>;

  std::uint64_t add(const PluginId& plugin, std::string channel, std::string company, Listener listener);
  void remove(std::uint64_t id);
  /// Listeners are called under the lock: they must be quick and must not come back.
  void send(const PluginId& plugin, const std::string& channel, const std::string& company, Kind kind, const json::value& data);
  /// The worker went: every open channel of the plugin closes.
  void close_all(const PluginId& plugin);

 private:
  struct Place {
    PluginId plugin;
    std::string channel, company;
    Listener listener;
  };
  std::mutex mutex_;
  std::uint64_t next_ = 1;
  std::map<std::uint64_t, Place> places_;
};

}  // namespace paperclip::plugins
