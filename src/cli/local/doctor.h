#pragma once

#include <iosfwd>
#include <vector>

#include "cli/local/checks.h"

namespace paperclip::cli {

void print_checks(std::ostream& out, const std::vector<Check>& checks, bool colour);
int failures_in(const std::vector<Check>& checks);

}  // namespace paperclip::cli
