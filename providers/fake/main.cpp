#include "driver.h"
#include "paperclip/sdk/worker.h"

int main() {
  paperclip::sdk::Worker worker;
  worker.environment_driver("fake-plugin", std::make_shared<paperclip::providers::FakeDriver>());
  return worker.run();
}
