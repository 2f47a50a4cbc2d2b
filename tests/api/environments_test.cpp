#include <gmock/gmock.h>

#include "api_server.h"
#include "domain/environments/environments.h"

namespace paperclip::test {
namespace {

class EnvironmentRoutes : public ApiServer {
 protected:
  void SetUp() override {
    ApiServer::SetUp();
    company_ = make("/api/companies", R"({"name":"Acme"})");
    base_ = "/api/companies/" + company_;
  }
  ApiAnswer board(std::string_view method, const std::string& path, const std::string& body = "") { return send(method, path, body, domain::local_board()); }
  std::string ssh(const std::string& more = "") {
    return make(base_ + "/environments", R"({"name":"Build Host!","driver":"ssh","config":{"host":"h","username":"u","remoteWorkspacePath":"/w")" + more + "}}");
  }
  std::size_t secrets() { return board("GET", base_ + "/secrets").body.as_array().size(); }
  std::string company_, base_;
};

constexpr const char* key = R"(,"privateKey":" -----BEGIN KEY-----\nabc\n-----END KEY-----\n ")";

TEST_F(EnvironmentRoutes, A_pasted_key_becomes_a_secret_of_the_company) {
  const auto id = ssh(key);
  const auto read = board("GET", "/api/environments/" + id);
  EXPECT_EQ(read.at("config.privateKey"), "null");
  EXPECT_EQ(read.at("config.privateKeySecretRef.type"), "secret_ref");
  EXPECT_EQ(read.at("config.privateKeySecretRef.version"), "latest");
  EXPECT_THAT(read.text, ::testing::Not(::testing::HasSubstr("BEGIN KEY")));
  const auto list = board("GET", base_ + "/secrets").body.as_array();
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(*string_at(list[0], "id"), read.at("config.privateKeySecretRef.secretId"));
  EXPECT_THAT(*string_at(list[0], "name"), ::testing::MatchesRegex("environment-ssh-build-host-private-key-[0-9a-f]{8}"));
  EXPECT_EQ(*string_at(list[0], "description"), "Secret for Build Host! private-key.");
  const auto trail = board("GET", base_ + "/activity");
  EXPECT_THAT(trail.text, ::testing::Not(::testing::HasSubstr("BEGIN KEY")));
}

TEST_F(EnvironmentRoutes, A_key_stays_until_it_is_replaced_and_goes_with_its_environment) {
  const auto id = ssh(key);
  const auto before = board("GET", "/api/environments/" + id).at("config.privateKeySecretRef.secretId");
  EXPECT_EQ(board("PATCH", "/api/environments/" + id, R"({"config":{"port":2222}})").at("config.privateKeySecretRef.secretId"), before);
  EXPECT_EQ(board("PATCH", "/api/environments/" + id, R"({"name":"x"})").at("config.privateKeySecretRef.secretId"), before);
  // What the UI sends when another key is pasted.
  const auto replaced = board("PATCH", "/api/environments/" + id, R"({"config":{"privateKey":"another","privateKeySecretRef":null}})");
  EXPECT_NE(replaced.at("config.privateKeySecretRef.secretId"), before);
  EXPECT_EQ(secrets(), 1u) << "the replaced one is gone";
  EXPECT_EQ(board("DELETE", "/api/environments/" + id).status, 200);
  EXPECT_EQ(secrets(), 0u);
}

TEST_F(EnvironmentRoutes, A_secret_of_ones_own_survives_the_environment_that_uses_it) {
  const auto secret = make(base_ + "/secrets", R"({"name":"deploy key","value":"k"})");
  const auto id = ssh(R"(,"privateKeySecretRef":{"type":"secret_ref","secretId":")" + secret + R"("})");
  EXPECT_EQ(board("DELETE", "/api/environments/" + id).status, 200);
  EXPECT_EQ(secrets(), 1u);
}

TEST_F(EnvironmentRoutes, Another_driver_inherits_nothing) {
  const auto id = ssh(R"(,"knownHosts":"h ssh-ed25519 AAAA")" + std::string(key));
  EXPECT_EQ(board("PATCH", "/api/environments/" + id, R"({"driver":"sandbox"})").at("error"),
            "Built-in fake sandbox environments are reserved for internal probes and cannot be saved.");
  EXPECT_EQ(board("PATCH", "/api/environments/" + id, R"({"driver":"local"})").status, 409) << "there is one already";
  const auto local = board("GET", base_ + "/environments?driver=local").body.as_array();
  ASSERT_EQ(board("DELETE", "/api/environments/" + *string_at(local[0], "id")).status, 200);
  const auto moved = board("PATCH", "/api/environments/" + id, R"({"driver":"local"})");
  EXPECT_EQ(moved.status, 200);
  EXPECT_EQ(moved.at("config"), "{}");
  EXPECT_EQ(secrets(), 0u);
}

TEST_F(EnvironmentRoutes, A_stored_raw_key_is_an_error_and_not_used) {
  const auto id = ssh();
  const auto done = database_->write([&](store::Transaction& tx) -> Result<> {
    tx.execute("update environments set config = :1 where id = :2",
               RawJson(std::string(R"({"host":"h","username":"u","remoteWorkspacePath":"/w","privateKey":"raw"})")), *EnvironmentId::parse(id));
    return {};
  });
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(board("POST", "/api/environments/" + id + "/probe", "{}").status, 422);
}

TEST_F(EnvironmentRoutes, Who_may_not_manage_sees_no_config_and_no_leases) {
  const auto id = ssh(key);
  const auto agent = make(base_ + "/agents", R"({"name":"Ann"})");
  const auto as_agent = [&](std::string_view method, const std::string& path, const std::string& body = "") { return send(method, path, body, agent_actor(agent, company_)); };
  EXPECT_EQ(as_agent("GET", "/api/environments/" + id).at("config"), "{}");
  EXPECT_EQ(as_agent("GET", "/api/environments/" + id).at("configRedacted"), "true");
  for (const auto& [method, path] : {std::pair("GET", "/leases"), std::pair("POST", "/probe"), std::pair("DELETE", "")})
    EXPECT_EQ(as_agent(method, "/api/environments/" + id + path, method == std::string("POST") ? "{}" : "").at("error"), "Missing permission: environments:manage");
}

TEST_F(EnvironmentRoutes, An_adapter_that_works_on_this_machine_only_is_refused_when_it_is_chosen) {
  const auto id = ssh();
  const auto process = make(base_ + "/agents", R"({"name":"P","adapterType":"process","adapterConfig":{"command":"true"}})");
  const auto remote = make(base_ + "/agents", R"({"name":"C","adapterType":"claude_local"})");
  ASSERT_TRUE(database_->write([&](store::Transaction& tx) -> Result<> {
    tx.execute("delete from instance_settings");
    tx.execute("insert into instance_settings (id, singleton_key, general, experimental, created_at, updated_at) values (:1, 'default', :2, :3, :4, :4)",
               tx.new_id<AnyId>(), RawJson("{}"), RawJson(std::string(R"({"enableIsolatedWorkspaces":true})")), tx.now());
    return {};
  }).ok());
  const std::string settings = R"("executionWorkspaceSettings":{"environmentId":")" + id + R"("})";
  const std::string refusal = "Environment driver \"ssh\" is not allowed here. Allowed drivers: local";
  EXPECT_EQ(board("POST", base_ + "/issues", R"({"title":"i","assigneeAgentId":")" + process + "\"," + settings + "}").at("error"), refusal);
  const auto issue = make(base_ + "/issues", R"({"title":"i","assigneeAgentId":")" + remote + "\"," + settings + "}");
  EXPECT_EQ(board("PATCH", "/api/issues/" + issue, R"({"assigneeAgentId":")" + process + R"("})").at("error"), refusal);
  EXPECT_EQ(board("PATCH", "/api/agents/" + process, R"({"defaultEnvironmentId":")" + id + R"("})").at("error"), "Environment driver \"ssh\" is not allowed here");
  EXPECT_EQ(board("PATCH", "/api/agents/" + remote, R"({"defaultEnvironmentId":")" + id + R"("})").status, 200);
}

TEST_F(EnvironmentRoutes, Nobody_goes_on_choosing_an_environment_that_is_deleted) {
  const auto id = ssh();
  const auto project = make(base_ + "/projects", R"({"name":"p","executionWorkspacePolicy":{"enabled":true,"environmentId":")" + id + R"("}})");
  const auto agent = make(base_ + "/agents", R"({"name":"C","adapterType":"claude_local","defaultEnvironmentId":")" + id + R"("})");
  ASSERT_EQ(board("DELETE", "/api/environments/" + id).status, 200);
  EXPECT_EQ(board("GET", "/api/projects/" + project).at("executionWorkspacePolicy"), R"({"enabled":true})");
  EXPECT_EQ(board("GET", "/api/agents/" + agent).at("defaultEnvironmentId"), "null");
}

}  // namespace
}  // namespace paperclip::test
