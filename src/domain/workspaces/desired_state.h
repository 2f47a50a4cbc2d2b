#pragma once

#include <boost/describe/enum.hpp>

namespace paperclip::domain {

/// What a workspace's services are meant to be; `manual` ones are left alone by whatever concerns all of them.
enum class DesiredState { running, stopped, manual };
BOOST_DESCRIBE_ENUM(DesiredState, running, stopped, manual)

}  // namespace paperclip::domain
