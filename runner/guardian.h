#pragma once

#include <vector>

#include "runner/boundary.h"

namespace paperclip::runner {

/// Forks the runner into the first boundary that works and stays above it. If the runner dies before its time, the
/// guardian sweeps what it leaves and writes exit.json with `runner_lost`. Descriptor 0 is the server's connection, 3
/// the run directory; the guardian keeps both open, so the server that started the run sees its connection end only
/// when nobody is left who could still write exit.json. Returns the exit code of the process.
int guard(const std::vector<Boundary>& boundaries);

}  // namespace paperclip::runner
