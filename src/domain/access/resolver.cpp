#include "domain/access/resolver.h"

#include <boost/describe/class.hpp>

#include "base/crypto.h"
#include "base/text.h"
#include "domain/access/run_actor.h"
#include "store/database.h"

namespace paperclip::domain {

namespace {

using namespace std::chrono_literals;

struct BoardKeyRow {
  AnyId id;
  std::string user_id, name;
  std::optional<std::string> email;
  std::optional<Timestamp> expires_at;
};
BOOST_DESCRIBE_STRUCT(BoardKeyRow, (), (id, user_id, name, email, expires_at))

struct AgentKeyRow {
  AnyId id;
  AgentId agent_id;
  CompanyId company_id;
  std::string status;
};
BOOST_DESCRIBE_STRUCT(AgentKeyRow, (), (id, agent_id, company_id, status))

struct MembershipRow {
  CompanyId company_id;
  std::optional<std::string> membership_role;
};
BOOST_DESCRIBE_STRUCT(MembershipRow, (), (company_id, membership_role))

// An agent that may not act any more, or not yet.
bool is_shut_out(std::string_view status) { return status == "terminated" || status == "pending_approval"; }

std::optional<Actor> board_key_actor(store::Reader& reader, std::string_view hash, Timestamp now) {
  const auto key = reader.one<BoardKeyRow>(
      "select k.id, k.user_id, u.name, u.email, k.expires_at from board_api_keys k join \"user\" u on u.id = k.user_id "
      "where k.key_hash = :1 and k.revoked_at is null", hash);
  if (!key || (key->expires_at && *key->expires_at <= now)) return std::nullopt;
  Actor actor;
  actor.kind = ActorKind::board;
  actor.source = ActorSource::board_key;
  actor.user_id = key->user_id;
  actor.user_name = key->name;
  actor.user_email = key->email;
  actor.key_id = key->id;
  actor.is_instance_admin = reader.exists("select 1 from instance_user_roles where user_id = :1 and role = 'instance_admin'", key->user_id);
  for (const auto& m : reader.all<MembershipRow>(
           "select company_id, membership_role from company_memberships where principal_type = 'user' and principal_id = :1 and status = 'active'",
           key->user_id))
    actor.memberships.push_back({m.company_id, m.membership_role.value_or("operator"), true});
  return actor;
}

std::optional<Actor> agent_key_actor(store::Reader& reader, std::string_view hash) {
  const auto key = reader.one<AgentKeyRow>(
      "select k.id, k.agent_id, k.company_id, a.status from agent_api_keys k join agents a on a.id = k.agent_id "
      "where k.key_hash = :1 and k.revoked_at is null", hash);
  if (!key || is_shut_out(key->status)) return std::nullopt;
  Actor actor;
  actor.kind = ActorKind::agent;
  actor.source = ActorSource::agent_key;
  actor.agent_id = key->agent_id;
  actor.company_id = key->company_id;
  actor.key_id = key->id;
  return actor;
}

std::optional<std::string_view> bearer_token(std::string_view authorization) {
  authorization = trim(authorization);
  if (authorization.size() < 6 || !equals_ignoring_case(authorization.substr(0, 6), "bearer")) return std::nullopt;
  if (authorization.size() == 6) return std::string_view{};
  if (authorization[6] != ' ' && authorization[6] != '\t') return std::nullopt;
  return trim(authorization.substr(6));
}

}  // namespace

Result<Actor> ActorResolver::resolve(std::string_view authorization, std::string_view run_id) {
  const auto token = bearer_token(authorization);
  const auto named_run = RunId::parse(trim(run_id));
  if (!token || token->empty()) {
    Actor actor = local_trusted_ ? local_board() : Actor();
    // An unknown run id is ignored: it would break the audit trail's foreign key.
    if (!token && named_run &&
        database_.read([&](store::Reader& r) { return r.exists("select 1 from heartbeat_runs where id = :1", *named_run); }))
      actor.run_id = named_run;
    return actor;
  }
  const std::string hash = sha256_hex(*token);
  const Timestamp now = clock_.now();
  const auto claims = tokens_.verify(*token, now);
  auto actor = database_.read([&](store::Reader& reader) -> std::optional<Actor> {
    std::optional<Actor> found;
    if (claims) found = run_actor(reader, claims->agent_id, claims->company_id, claims->run_id, now);
    if (!found && !claims) found = board_key_actor(reader, hash, now);
    if (!found && !claims) found = agent_key_actor(reader, hash);
    if (found && named_run && reader.exists("select 1 from heartbeat_runs where id = :1", *named_run)) found->run_id = named_run;
    return found;
  });
  if (!actor) return unauthorized();
  if (actor->key_id) touch(actor->is_board() ? "board_api_keys" : "agent_api_keys", *actor->key_id);
  return *std::move(actor);
}

Result<Actor> ActorResolver::resolve_agent_key(std::string_view token) {
  const std::string hash = sha256_hex(trim(token));
  auto actor = database_.read([&](store::Reader& reader) { return agent_key_actor(reader, hash); });
  if (!actor) return forbidden("forbidden");
  touch("agent_api_keys", *actor->key_id);
  return *std::move(actor);
}

void ActorResolver::touch(std::string_view table, const AnyId& key) {
  // Once a minute is enough to say when a key was last used, and keeps reads free of writes.
  const Timestamp now = clock_.now();
  {
    std::lock_guard lock(mutex_);
    auto& last = touched_[key.str()];
    if (now - last < 60s) return;
    last = now;
    if (touched_.size() > 10000) touched_.clear();
  }
  const std::string sql = table == "board_api_keys" ? "update board_api_keys set last_used_at = :1 where id = :2"
                                                    : "update agent_api_keys set last_used_at = :1 where id = :2";
  (void)database_.write([&](store::Transaction& tx) -> Result<> {
    tx.execute(sql, now, key);
    return {};
  });
}

}  // namespace paperclip::domain
