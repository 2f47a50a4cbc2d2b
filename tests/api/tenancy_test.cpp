#include <map>
#include <set>

#include "api_server.h"
#include "domain/schema/tables.h"

// Sends every route every foreign caller. The list of routes is the route table itself, so a new route is tested by
// being declared; a route on a new kind of entity fails here until the test can make one.
namespace paperclip::test {
namespace {

class Tenancy : public ApiServer {
 protected:
  void SetUp() override {
    ApiServer::SetUp();
    ours_ = make("/api/companies", R"({"name":"Ours"})");
    theirs_ = make("/api/companies", R"({"name":"Theirs"})");
    our_agent_ = make("/api/companies/" + ours_ + "/agents", R"({"name":"Ann"})");
    their_agent_ = make("/api/companies/" + theirs_ + "/agents", R"({"name":"Bob"})");
  }

  // One entity of our company for each kind a path can name, by the message its absence is answered with.
  std::string entity_of(const std::string& missing) {
    auto& id = entities_[missing];
    if (!id.empty()) return id;
    const std::string company = "/api/companies/" + ours_;
    if (missing == "Agent not found") id = our_agent_;
    if (missing == "Secret not found") id = make(company + "/secrets", R"({"name":"s","value":"v"})");
    if (missing == "Goal not found") id = make(company + "/goals", R"({"title":"g"})");
    if (missing == "Project not found") id = make(company + "/projects", R"({"name":"p"})");
    if (missing == "Approval not found") id = make(company + "/approvals", R"({"type":"request_board_approval","payload":{}})");
    if (missing == "Issue not found" || missing == "Parent issue not found" || missing == "Root issue not found")
      id = make(company + "/issues", R"({"title":"i"})");
    if (missing == "Label not found") id = make(company + "/labels", R"({"name":"l","color":"#112233"})");
    if (missing == "Work product not found")
      id = make("/api/issues/" + entity_of("Issue not found") + "/work-products", R"({"type":"document","provider":"paperclip","title":"w"})");
    if (missing == "Environment not found") id = make(company + "/environments", R"({"name":"e","driver":"ssh","config":{"host":"h","username":"u","remoteWorkspacePath":"/w"}})");
    if (missing == "Environment lease not found") id = insert_lease();
    if (missing == "Heartbeat run not found") id = insert_run();
    if (missing == "Attachment not found") id = insert_attachment();
    if (missing == "Execution workspace not found") id = insert_execution_workspace();
    if (missing == "Workspace operation not found") id = insert_operation();
    return id;
  }

  std::string insert_run() {
    domain::HeartbeatRun run;
    run.id = Random::system().id<RunId>();
    run.company_id = *CompanyId::parse(ours_);
    run.agent_id = *AgentId::parse(our_agent_);
    run.status = domain::RunStatus::succeeded;
    insert(run);
    return run.id.str();
  }

  std::string insert_execution_workspace() {
    domain::ExecutionWorkspace workspace;
    workspace.id = Random::system().id<ExecutionWorkspaceId>();
    workspace.company_id = *CompanyId::parse(ours_);
    workspace.project_id = *ProjectId::parse(entity_of("Project not found"));
    workspace.name = "w";
    insert(workspace);
    return workspace.id.str();
  }

  std::string insert_operation() {
    domain::WorkspaceOperation operation;
    operation.id = Random::system().id<WorkspaceOperationId>();
    operation.company_id = *CompanyId::parse(ours_);
    insert(operation);
    return operation.id.str();
  }

  std::string insert_lease() {
    domain::EnvironmentLease lease;
    lease.id = Random::system().id<LeaseId>();
    lease.company_id = *CompanyId::parse(ours_);
    lease.environment_id = *EnvironmentId::parse(make("/api/companies/" + ours_ + "/environments", R"({"name":"l","driver":"ssh","config":{"host":"h","username":"u","remoteWorkspacePath":"/w"}})"));
    insert(lease);
    return lease.id.str();
  }

  std::string insert_attachment() {
    domain::Asset asset;
    asset.id = Random::system().id<AssetId>();
    asset.company_id = *CompanyId::parse(ours_);
    asset.provider = "local_disk";
    asset.object_key = ours_ + "/x";
    asset.content_type = "text/plain";
    asset.sha256 = std::string(64, '0');
    insert(asset);
    domain::IssueAttachment attachment;
    attachment.id = Random::system().id<decltype(attachment.id)>();
    attachment.company_id = asset.company_id;
    attachment.issue_id = *IssueId::parse(entity_of("Issue not found"));
    attachment.asset_id = asset.id;
    insert(attachment);
    return attachment.id.str();
  }

  template <class Entity>
  void insert(const Entity& entity) {
    const auto stored = database_->write([&](store::Transaction& tx) -> Result<> {
      tx.insert(domain::table_of<Entity>, entity);
      return {};
    });
    ASSERT_TRUE(stored.ok()) << stored.error().message;
  }

  static std::string filled(std::string path, const std::string& param, const std::string& value) {
    const std::string slot = "{" + param + "}";
    path.replace(path.find(slot), slot.size(), value);
    // Further parameters name parts of the entity; any id does.
    for (auto open = path.find('{'); open != std::string::npos; open = path.find('{'))
      path.replace(open, path.find('}') - open + 1, "00000000-0000-4000-8000-00000000000a");
    return path;
  }

  std::string ours_, theirs_, our_agent_, their_agent_;
  std::map<std::string, std::string> entities_;
};

constexpr const char* unknown_id = "00000000-0000-4000-8000-000000000000";

TEST_F(Tenancy, A_foreign_entity_is_answered_like_a_missing_one) {
  const auto stranger = agent_actor(their_agent_, theirs_);
  int tested = 0;
  for (const auto& route : routes_.all()) {
    if (route->tenancy != api::Tenancy::entity) continue;
    SCOPED_TRACE(std::string(net::to_text(route->method)) + " " + route->path);
    const std::string id = entity_of(route->entity_kind->missing);
    ASSERT_FALSE(id.empty()) << "teach Tenancy::entity_of to make what '" << route->entity_kind->missing << "' is about";
    for (const std::string body : {"", "{}"}) {
      const auto foreign = send(net::to_text(route->method), filled(route->path, route->tenancy_param, id), body, stranger);
      const auto missing = send(net::to_text(route->method), filled(route->path, route->tenancy_param, unknown_id), body, stranger);
      EXPECT_EQ(foreign.status, missing.status);
      EXPECT_EQ(foreign.text, missing.text);
      EXPECT_GE(foreign.status, 400);
    }
    ++tested;
  }
  EXPECT_GT(tested, 20);
}

TEST_F(Tenancy, A_path_that_names_a_foreign_company_is_forbidden) {
  const auto stranger = agent_actor(their_agent_, theirs_);
  int tested = 0;
  for (const auto& route : routes_.all()) {
    if (route->tenancy != api::Tenancy::company) continue;
    SCOPED_TRACE(std::string(net::to_text(route->method)) + " " + route->path);
    const auto answer = send(net::to_text(route->method), filled(route->path, route->tenancy_param, ours_), "{}", stranger);
    // A body that does not fit may be refused before the company is looked at; it says nothing about the company.
    if (answer.status == 400) EXPECT_EQ(answer.at("error"), "Validation error");
    else EXPECT_EQ(answer.status, 403) << answer.text;
    ++tested;
  }
  EXPECT_GT(tested, 10);
}

TEST_F(Tenancy, Nobody_without_credentials_gets_past_a_tenancy) {
  const domain::Actor nobody;
  for (const auto& route : routes_.all()) {
    if (route->tenancy == api::Tenancy::none || (route->callers & api::anyone)) continue;
    SCOPED_TRACE(std::string(net::to_text(route->method)) + " " + route->path);
    const std::string value = route->tenancy == api::Tenancy::company ? ours_ : entity_of(route->entity_kind->missing);
    const auto answer = send(net::to_text(route->method), filled(route->path, route->tenancy_param, value), "{}", nobody);
    EXPECT_TRUE(answer.status == 401 || answer.status == 400) << answer.status << answer.text;
  }
}

TEST_F(Tenancy, Routes_are_declared_once) {
  std::set<std::string> seen;
  for (const auto& route : routes_.all()) {
    const std::string name = std::string(net::to_text(route->method)) + " " + route->path;
    EXPECT_TRUE(seen.insert(name).second) << name << " is declared twice";
  }
}

}  // namespace
}  // namespace paperclip::test
