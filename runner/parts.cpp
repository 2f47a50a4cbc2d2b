#include "runner/part.h"

namespace paperclip::runner {

std::vector<std::unique_ptr<Part>> make_parts() {
  std::vector<std::unique_ptr<Part>> parts;
  return parts;
}

}  // namespace paperclip::runner
