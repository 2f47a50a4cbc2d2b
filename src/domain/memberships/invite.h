#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/json.h"
#include "base/time.h"
#include "domain/schema/table_of.h"

/// How members come in (spec/platform.md 5.1).
namespace paperclip::domain {

enum class InviteType { company_join, bootstrap_ceo };
BOOST_DESCRIBE_ENUM(InviteType, company_join, bootstrap_ceo)

/// Who an invite lets in.
enum class JoinTypes { human, agent, both };
BOOST_DESCRIBE_ENUM(JoinTypes, human, agent, both)

/// A link that lets someone ask to join, or become the first admin. `token_hash` stays on the server.
struct Invite {
  InviteId id;
  std::optional<CompanyId> company_id;
  InviteType invite_type = InviteType::company_join;
  std::string token_hash;
  JoinTypes allowed_join_types = JoinTypes::both;
  std::optional<RawJson> defaults_payload;
  Timestamp expires_at;
  std::optional<std::string> invited_by_user_id;
  std::optional<Timestamp> revoked_at;
  std::optional<Timestamp> accepted_at;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(Invite, (),
                      (id, company_id, invite_type, token_hash, allowed_join_types, defaults_payload, expires_at,
                       invited_by_user_id, revoked_at, accepted_at, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<Invite> = "invites";

enum class JoinRequestType { human, agent };
BOOST_DESCRIBE_ENUM(JoinRequestType, human, agent)

enum class JoinRequestStatus { pending_approval, approved, rejected };
BOOST_DESCRIBE_ENUM(JoinRequestStatus, pending_approval, approved, rejected)

/// Someone who asks to join. `claim_secret_hash` is never sent.
struct JoinRequest {
  JoinRequestId id;
  InviteId invite_id;
  CompanyId company_id;
  JoinRequestType request_type{};
  JoinRequestStatus status = JoinRequestStatus::pending_approval;
  std::string request_ip;
  std::optional<std::string> requesting_user_id;
  std::optional<std::string> request_email_snapshot;
  std::optional<std::string> agent_name;
  std::optional<std::string> adapter_type;
  std::optional<std::string> capabilities;
  std::optional<RawJson> agent_defaults_payload;
  std::optional<std::string> claim_secret_hash;
  std::optional<Timestamp> claim_secret_expires_at;
  std::optional<Timestamp> claim_secret_consumed_at;
  std::optional<AgentId> created_agent_id;
  std::optional<std::string> approved_by_user_id;
  std::optional<Timestamp> approved_at;
  std::optional<std::string> rejected_by_user_id;
  std::optional<Timestamp> rejected_at;
  Timestamp created_at;
  Timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(JoinRequest, (),
                      (id, invite_id, company_id, request_type, status, request_ip, requesting_user_id,
                       request_email_snapshot, agent_name, adapter_type, capabilities, agent_defaults_payload,
                       claim_secret_hash, claim_secret_expires_at, claim_secret_consumed_at, created_agent_id,
                       approved_by_user_id, approved_at, rejected_by_user_id, rejected_at, created_at, updated_at))
template <>
inline constexpr std::string_view table_of<JoinRequest> = "join_requests";

}  // namespace paperclip::domain
