#pragma once

#include <boost/describe/class.hpp>
#include <string>

#include "base/id.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// Labels (spec/work-domain.md 8).
namespace paperclip::domain {

/// A coloured word for issues.
struct Label {
  LabelId id;
  CompanyId company_id;
  std::string name;
  std::string color;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(Label, (), (id, company_id, name, color, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<Label> = "labels";

}  // namespace paperclip::domain
