#pragma once

#include "base/result.h"
#include "domain/access/actor.h"
#include "net/http.h"

namespace paperclip::api {

struct ApiSettings;

/// The private hostname guard (spec/platform.md 1.5) and, in `local_trusted`, OURS: a foreign `Origin` is refused on
/// every request, because without a login any web page the person opens is the attacker.
Result<> guard_request(const ApiSettings& settings, const net::Request& request);

/// The board mutation guard for cookie sessions (spec/platform.md 1.4).
Result<> guard_mutation(const ApiSettings& settings, const net::Request& request, const domain::Actor& actor);

}  // namespace paperclip::api
