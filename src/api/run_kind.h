#pragma once

#include "api/routes.h"

namespace paperclip::api {

/// A path's run.
extern const EntityKind run_kind;

}  // namespace paperclip::api
