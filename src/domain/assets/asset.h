#pragma once

#include <boost/describe/class.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// Uploaded files (spec/platform.md 8.1).
namespace paperclip::domain {

/// A stored file: where its bytes are and what they are.
struct Asset {
  AssetId id;
  CompanyId company_id;
  std::string provider;
  std::string object_key;
  std::string content_type;
  int byte_size = 0;
  std::string sha256;
  std::optional<std::string> original_filename;
  std::optional<AgentId> created_by_agent_id;
  std::optional<std::string> created_by_user_id;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(Asset, (),
                      (id, company_id, provider, object_key, content_type, byte_size, sha256, original_filename,
                       created_by_agent_id, created_by_user_id, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<Asset> = "assets";

}  // namespace paperclip::domain
