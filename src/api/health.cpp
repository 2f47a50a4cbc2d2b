#include "api/all_routes.h"
#include "api/services.h"

namespace paperclip::api {

namespace {

/// spec/platform.md 6.3
Result<Answer> health(Call& call) {
  const ApiSettings& settings = call.services.settings;
  // Answered on the I/O thread, so the database itself is not asked.
  if (!call.services.database_answers()) {
    std::string body;
    JsonObjectWriter(body).field("status", "unhealthy").field("version", settings.version).field("error", "database_unreachable").end();
    return ok_json(std::move(body), 503);
  }
  const bool known = call.actor.kind != domain::ActorKind::none;
  std::string body;
  JsonObjectWriter writer(body);
  writer.field("status", "ok");
  if (known) writer.field("version", settings.version);
  writer.field("deploymentMode", settings.local_trusted ? "local_trusted" : "authenticated");
  if (known) writer.field("deploymentExposure", settings.exposure).field("authReady", true);
  writer.field("bootstrapStatus", "ready").field("bootstrapInviteActive", false);
  if (known) writer.field("features", json::object{{"companyDeletionEnabled", settings.company_deletion_enabled}});
  writer.end();
  return ok_json(std::move(body));
}

}  // namespace

void add_health_routes(Routes& routes) { routes.get("/api/health", health).callers(anyone).on_io_thread(); }

}  // namespace paperclip::api
