#include "runner/part.h"

#include "runner/bridge.h"

namespace paperclip::runner {

std::vector<std::unique_ptr<Part>> make_parts() {
  std::vector<std::unique_ptr<Part>> parts;
  parts.push_back(std::make_unique<Bridge>());
  return parts;
}

}  // namespace paperclip::runner
