#pragma once

#include "api/routes.h"

namespace paperclip::api {

/// A path's agent: a UUID, or a shortname with `?companyId=` or an agent caller (spec/organisation.md 2.3).
extern const EntityKind agent_kind;

}  // namespace paperclip::api
