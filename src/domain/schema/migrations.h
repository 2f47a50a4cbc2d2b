#pragma once

#include <vector>

#include "store/migrations.h"

namespace paperclip::domain {

/// The schema of the whole product: versions 2 and up (version 1 is the store's `events` table). Pass it to
/// `store::OpenOptions::migrations`.
const std::vector<store::Migration>& domain_migrations();

}  // namespace paperclip::domain
