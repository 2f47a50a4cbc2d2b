#pragma once

#include "api/routes.h"

namespace paperclip::api {

/// A path's issue: a UUID or an identifier (spec/issues.md 2).
extern const EntityKind issue_kind;
/// The same where the missing one is called a parent.
extern const EntityKind parent_issue_kind;

}  // namespace paperclip::api
