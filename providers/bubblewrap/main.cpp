#include <stdlib.h>

#include "driver.h"
#include "paperclip/sdk/worker.h"

int main() {
  using namespace paperclip;
  const auto driver = std::make_shared<providers::BubblewrapDriver>();
  sdk::Worker worker;
  const auto use = [&](const sdk::json::object& config) {
    const char* id = ::getenv("PAPERCLIP_PLUGIN_ID");
    if (!driver->use(sdk::text_at(config, "directory").value_or(""), id ? id : ""))
      worker.host().warn("The directory for sandboxes is in use; the new one is used once the plugin has been started again");
  };
  worker.on_setup([&](sdk::Host&, const sdk::Initialisation& start) { use(start.config); });
  worker.on_config_changed(use);
  worker.environment_driver("bubblewrap", driver);
  return worker.run();
}
