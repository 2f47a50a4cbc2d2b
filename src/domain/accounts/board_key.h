#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// A human's credentials for the command line (spec/platform.md 3.6).
namespace paperclip::domain {

/// A key that acts as its user.
struct BoardApiKey {
  BoardApiKeyId id;
  std::string user_id;
  std::string name;
  std::string key_hash;
  std::optional<Timestamp> last_used_at;
  std::optional<Timestamp> revoked_at;
  std::optional<Timestamp> expires_at;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(BoardApiKey, (), (id, user_id, name, key_hash, last_used_at, revoked_at, expires_at, created_at))
template <>
inline constexpr std::string_view table_of<BoardApiKey> = "board_api_keys";

/// What a command line asks for.
enum class CliAccess { board, instance_admin_required };
BOOST_DESCRIBE_ENUM(CliAccess, board, instance_admin_required)

/// A command line that waits for a human to let it in.
struct CliAuthChallenge {
  CliAuthChallengeId id;
  std::string secret_hash;
  std::string command;
  std::optional<std::string> client_name;
  CliAccess requested_access = CliAccess::board;
  std::optional<CompanyId> requested_company_id;
  std::string pending_key_hash;
  std::string pending_key_name;
  std::optional<std::string> approved_by_user_id;
  std::optional<BoardApiKeyId> board_api_key_id;
  std::optional<Timestamp> approved_at;
  std::optional<Timestamp> cancelled_at;
  Timestamp expires_at;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(CliAuthChallenge, (),
                      (id, secret_hash, command, client_name, requested_access, requested_company_id, pending_key_hash,
                       pending_key_name, approved_by_user_id, board_api_key_id, approved_at, cancelled_at, expires_at,
                       created_at, updated_at))
template <>
inline constexpr std::string_view table_of<CliAuthChallenge> = "cli_auth_challenges";

}  // namespace paperclip::domain
