#include "api/all_routes.h"
#include "api/services.h"
#include "store/database.h"

namespace paperclip::api {

namespace {

struct Profile {
  std::string id;
  std::optional<std::string> email;
  std::string name;
  std::optional<std::string> image;
};
BOOST_DESCRIBE_STRUCT(Profile, (), (id, email, name, image))

/// A web address or one of our assets; empty for none.
struct ProfileImage {
  std::string value;
  static void read(const json::value* value, ProfileImage& out, SchemaIssues& issues) {
    if (!detail::read_text(value, out.value, issues)) return;
    out.value = std::string(trim(out.value));
    const bool fits = out.value.empty() || out.value.starts_with("http://") || out.value.starts_with("https://") ||
                      (out.value.starts_with("/api/assets/") && out.value.ends_with("/content"));
    if (!fits) issues.add("custom", "Must be an http(s) URL or an asset of this server");
    detail::check_length(out.value, 0, 4000, issues);
  }
};

struct ProfileBody {
  Trimmed<1, 120> name;
  Patch<ProfileImage> image;
};
BOOST_DESCRIBE_STRUCT(ProfileBody, (), (name, image))

Result<Profile> profile_of(Call& call) {
  if (!call.actor.is_board()) return unauthorized("Board authentication required");
  auto profile = call.services.database.read(
      [&](store::Reader& reader) { return reader.one<Profile>("select id, email, name, image from \"user\" where id = :1", call.actor.user_id); });
  if (!profile) return unauthorized("Signed-in user not found");
  return *std::move(profile);
}

/// spec/platform.md 3.5
Result<Answer> get_session(Call& call) {
  const Profile profile = TRY(profile_of(call));
  std::string body;
  JsonObjectWriter writer(body);
  JsonObjectWriter(writer.begin("session"))
      .field("id", "paperclip:" + std::string(to_text(call.actor.source)) + ":" + call.actor.user_id)
      .field("userId", call.actor.user_id)
      .end();
  writer.field("user", profile).end();
  return ok_json(std::move(body));
}

Result<Answer> get_profile(Call& call) { return ok(TRY(profile_of(call))); }

Result<Answer> update_profile(Call& call, const ProfileBody& body) {
  TRY(profile_of(call));
  TRY(call.services.database.write([&](store::Transaction& tx) -> Result<> {
    tx.execute("update \"user\" set name = :1, updated_at = :2 where id = :3", body.name, tx.now(), call.actor.user_id);
    if (body.image) {
      std::optional<std::string> image;
      if (body.image.has_value() && !body.image->value.empty()) image = body.image->value;
      tx.execute("update \"user\" set image = :1 where id = :2", image, call.actor.user_id);
    }
    return {};
  }));
  return get_profile(call);
}

struct NamedUser {
  std::string id, name;
  std::optional<std::string> email;
};
BOOST_DESCRIBE_STRUCT(NamedUser, (), (id, name, email))

struct OwnMembership {
  CompanyId company_id;
  std::optional<std::string> membership_role;
  std::string status;
};
BOOST_DESCRIBE_STRUCT(OwnMembership, (), (company_id, membership_role, status))

/// Who the command line is (spec/platform.md 3.6).
Result<Answer> command_line_identity(Call& call) {
  if (!call.actor.is_board()) return unauthorized("Board authentication required");
  return ok_json(call.services.database.read([&](store::Reader& reader) {
    const auto memberships = reader.all<OwnMembership>(
        "select {} from company_memberships where principal_type = 'user' and principal_id = :1 and status = 'active' order by created_at, id limit 10000",
        call.actor.user_id);
    std::vector<CompanyId> companies;
    for (const auto& membership : memberships) companies.push_back(membership.company_id);
    std::string body;
    JsonObjectWriter(body)
        .field("user", reader.one<NamedUser>("select id, name, email from \"user\" where id = :1", call.actor.user_id))
        .field("userId", call.actor.user_id)
        .field("isInstanceAdmin", reader.exists("select 1 from instance_user_roles where user_id = :1 and role = 'instance_admin'", call.actor.user_id))
        .field("companyIds", companies)
        .field("memberships", memberships)
        .field("source", call.actor.source)
        .field("keyId", call.actor.key_id)
        .end();
    return body;
  }));
}

}  // namespace

void add_session_routes(Routes& routes) {
  routes.get("/api/auth/get-session", get_session).callers(anyone);
  routes.get("/api/auth/profile", get_profile).callers(anyone);
  routes.patch("/api/auth/profile", update_profile).callers(anyone);
  routes.get("/api/cli-auth/me", command_line_identity).callers(anyone);
}

}  // namespace paperclip::api
