#pragma once

#include "api/routes.h"

namespace paperclip::api {

/// A path's execution workspace.
extern const EntityKind execution_workspace_kind;

}  // namespace paperclip::api
