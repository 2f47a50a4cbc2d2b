#pragma once

#include "api/routes.h"

namespace paperclip::api {

/// A path's project: a UUID or a shortname (spec/work-domain.md 2.2).
extern const EntityKind project_kind;

}  // namespace paperclip::api
