#pragma once

#include <boost/describe/enum.hpp>

namespace paperclip::domain {

enum class HealthStatus { unknown, healthy, unhealthy };
BOOST_DESCRIBE_ENUM(HealthStatus, unknown, healthy, unhealthy)

}  // namespace paperclip::domain
