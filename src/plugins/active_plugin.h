#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "domain/plugins/manifest.h"
#include "domain/plugins/plugin.h"
#include "domain/plugins/state.h"
#include "plugins/plugin_database.h"
#include "plugins/worker.h"

namespace paperclip::plugins {

/// What a worker wants to hear of (spec/plugins.md 15).
struct Subscription {
  std::string pattern;  // a type, or a beginning of it and `.*`
  json::object filter;
};

/// A plugin whose worker runs, or shall. Reached by its worker's requests by plain reference: the worker waits for them
/// before it goes.
struct ActivePlugin {
  ActivePlugin(domain::Plugin row_, domain::PluginManifest manifest_) : row(std::move(row_)), manifest(std::move(manifest_)) {}

  const domain::Plugin row;
  const domain::PluginManifest manifest;

  std::mutex mutex;  // guards what follows up to `worker`
  std::vector<Subscription> subscriptions;
  std::vector<domain::LogEntry> unsaved_logs;
  std::deque<Deadline::Clock::time_point> secret_attempts;

  std::unique_ptr<PluginDatabase> database;  // null unless the manifest declares one
  std::unique_ptr<Worker> worker;  // last: goes first
};

}  // namespace paperclip::plugins
