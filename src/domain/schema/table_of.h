#pragma once

#include <string_view>

namespace paperclip::domain {

/// The table that holds an entity: `tx.insert(table_of<Issue>, issue)`. Each entity's header says it next to the
/// struct. Unquoted; in hand-written SQL the table `user` must be written `"user"`.
template <class Entity>
constexpr std::string_view table_of;

}  // namespace paperclip::domain
