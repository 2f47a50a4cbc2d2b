#pragma once

#include <map>
#include <mutex>
#include <string>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "domain/access/actor.h"
#include "domain/access/run_token.h"

namespace paperclip::store {
class Database;
}

namespace paperclip::domain {

/// Says who a bearer token is (spec/platform.md 3.2). OURS: a token that resolves to nobody is 401 in every mode.
class ActorResolver {
 public:
  ActorResolver(store::Database& database, Clock& clock, const RunTokens& tokens, bool local_trusted)
      : database_(database), clock_(clock), tokens_(tokens), local_trusted_(local_trusted) {}

  /// `authorization` and `run_id` are the request's headers, empty when absent.
  Result<Actor> resolve(std::string_view authorization, std::string_view run_id);

  /// Any request type with `headers.find`.
  template <class Request>
  Result<Actor> resolve(const Request& request) {
    return resolve(request.headers.find("authorization").value_or(std::string_view{}),
                   request.headers.find("x-paperclip-run-id").value_or(std::string_view{}));
  }

  /// The agent API key alone, as the live-event WebSocket takes it (spec/platform.md 9.1).
  Result<Actor> resolve_agent_key(std::string_view token);

 private:
  void touch(std::string_view table, const AnyId& key);

  store::Database& database_;
  Clock& clock_;
  const RunTokens& tokens_;
  bool local_trusted_;
  std::mutex mutex_;
  std::map<std::string, Timestamp, std::less<>> touched_;  // by key id: when last_used_at was last written
};

}  // namespace paperclip::domain
