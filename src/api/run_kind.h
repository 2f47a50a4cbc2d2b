#pragma once

#include "api/routes.h"

namespace paperclip::api {

struct Services;

/// For routes that may have cancelled runs: the answer follows when their processes are gone, or after a second
/// (the reference kills before it answers).
void settle_cancelled(Services& services);

/// A path's run.
extern const EntityKind run_kind;

}  // namespace paperclip::api
