#include <stdlib.h>

#include "driver.h"
#include "paperclip/sdk/worker.h"

int main() {
  using namespace paperclip;
  const auto driver = std::make_shared<providers::BubblewrapDriver>();
  sdk::Worker worker;
  worker.on_setup([&](sdk::Host&, const sdk::Initialisation& start) {
    const char* id = ::getenv("PAPERCLIP_PLUGIN_ID");
    driver->use(sdk::text_at(start.config, "directory").value_or(""), id ? id : "");
  });
  worker.environment_driver("bubblewrap", driver);
  return worker.run();
}
