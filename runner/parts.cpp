#include "runner/bridge.h"
#include "runner/egress_proxy.h"
#include "runner/part.h"

namespace paperclip::runner {

std::vector<std::unique_ptr<Part>> make_parts() {
  std::vector<std::unique_ptr<Part>> parts;
  parts.push_back(std::make_unique<Bridge>());
  parts.push_back(std::make_unique<EgressProxy>());
  return parts;
}

}  // namespace paperclip::runner
