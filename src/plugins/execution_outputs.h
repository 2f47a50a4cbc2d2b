#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "plugins/provider.h"

namespace paperclip::plugins {

/// Who hears the output of commands that run in sandboxes, by execution.
class ExecutionOutputs {
 public:
  void add(const PluginId& plugin, const std::string& execution, OnOutput on_output);
  /// After it returns, the listener is not called any more. Not from the listener.
  void remove(const std::string& execution);
  /// An `environment.output` notification; what nobody waits for is dropped.
  void deliver(const PluginId& plugin, const json::value& params);

 private:
  struct Place {
    PluginId plugin;
    std::mutex mutex;
    OnOutput on_output;
  };
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Place>> places_;
};

}  // namespace paperclip::plugins
