#pragma once

#include <boost/describe/class.hpp>
#include <optional>
#include <string>

#include "base/time.h"
#include "domain/schema/table_of.h"

/// Humans and their logins; ids are text (spec/platform.md 3.5).
namespace paperclip::domain {

/// A human with a login. `local-board` is the implicit one of `local_trusted`.
struct User {
  std::string id;
  std::string name;
  std::string email;
  bool email_verified = false;
  std::optional<std::string> image;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(User, (), (id, name, email, email_verified, image, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<User> = "user";

/// One signed-in browser.
struct AuthSession {
  std::string id;
  Timestamp expires_at;
  std::string token;
  Timestamp created_at;
  Timestamp updated_at;
  std::optional<std::string> ip_address;
  std::optional<std::string> user_agent;
  std::string user_id;
};
BOOST_DESCRIBE_STRUCT(AuthSession, (), (id, expires_at, token, created_at, updated_at, ip_address, user_agent, user_id))
template <>
inline constexpr std::string_view table_of<AuthSession> = "session";

/// How a user signs in; `password` is a salted hash.
struct AuthAccount {
  std::string id;
  std::string account_id;
  std::string provider_id;
  std::string user_id;
  std::optional<std::string> access_token;
  std::optional<std::string> refresh_token;
  std::optional<std::string> id_token;
  std::optional<Timestamp> access_token_expires_at;
  std::optional<Timestamp> refresh_token_expires_at;
  std::optional<std::string> scope;
  std::optional<std::string> password;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(AuthAccount, (),
                      (id, account_id, provider_id, user_id, access_token, refresh_token, id_token,
                       access_token_expires_at, refresh_token_expires_at, scope, password, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<AuthAccount> = "account";

/// A short-lived proof sent to someone; kept for the compatible login only.
struct AuthVerification {
  std::string id;
  std::string identifier;
  std::string value;
  Timestamp expires_at;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(AuthVerification, (), (id, identifier, value, expires_at, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<AuthVerification> = "verification";

}  // namespace paperclip::domain
