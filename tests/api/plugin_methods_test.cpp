#include <fstream>

#include "api_server.h"
#include "net/client.h"
#include "os/child_environment.h"
#include "plugins/host.h"

// What a plugin's worker reads and changes through the host goes through the routes, as the plugin.
namespace paperclip::test {
namespace {

constexpr const char* worker = R"js(
import readline from "node:readline";
const send = (o) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...o }) + "\n");
let asked = 0; const waiting = new Map();
readline.createInterface({ input: process.stdin, crlfDelay: Infinity }).on("line", (line) => {
  const m = JSON.parse(line);
  if (m.method === undefined) { const answer = waiting.get(m.id); send({ id: answer, result: m.error ? { error: m.error.message } : m.result }); return; }
  if (m.method === "initialize") return send({ id: m.id, result: { ok: true } });
  if (m.method === "shutdown") { send({ id: m.id, result: null }); process.exit(0); }
  waiting.set(++asked, m.id); send({ id: asked, method: m.params.method, params: m.params.params });
}).on("close", () => process.exit(0));
)js";

class PluginMethods : public ApiServer {
 protected:
  void SetUp() override {
    ApiServer::SetUp();
    if (!os::resolve_command("node", "/", os::value_in(os::own_environment(), "PATH"))) GTEST_SKIP() << "no node";
    plugins::PluginHostOptions options{.database = *database_, .vault = *vault_, .http = http_};
    options.host = os::own_environment();
    options.plugin_directory = directory_->path() / "plugins";
    options.call_api = [this](std::string_view method, const std::string& target, const std::optional<json::value>& body, const domain::Actor& actor) -> Result<json::value> {
      const auto answer = send(method, target, body ? to_string(*body) : "", actor);
      if (answer.status < 400) return answer.body;
      return Error(answer.status == 404 ? ErrorKind::not_found : ErrorKind::bad_request, answer.at("error"));
    };
    host_.emplace(std::move(options));
    const auto root = directory_->path() / "plugin";
    std::filesystem::create_directories(root);
    std::ofstream(root / "package.json") << R"({"name":"methods","type":"module"})";
    std::ofstream(root / "worker.js") << worker;
    std::ofstream(root / "manifest.json") << R"({"id":"test.methods","apiVersion":1,"version":"1.0.0","displayName":"M","description":"m","author":"a","categories":["automation"],
      "entrypoints":{"worker":"worker.js"},"capabilities":["companies.read","projects.read","issues.read","issues.create","issues.update","issue.relations.read","issue.relations.write",
      "issue.comments.read","issue.comments.create","issue.documents.read","issue.documents.write","issue.subtree.read","issues.orchestration.read","issues.checkout","issues.wakeup","agents.read",
      "agents.pause","agents.resume","goals.read","goals.create","goals.update","activity.log.write"]})";
    const auto installed = host_->install({root.string(), std::nullopt, true, {}}, domain::Author::system("test"));
    ASSERT_TRUE(installed.ok()) << installed.error().message;
    plugin_.emplace(*installed);
    company_ = make("/api/companies", R"({"name":"Ours"})");
    other_ = make("/api/companies", R"({"name":"Theirs"})");
  }
  void TearDown() override {
    if (host_) host_->stop();
    host_.reset();
    ApiServer::TearDown();
  }

  json::value ask(std::string_view method, json::object params) {
    if (!params.contains("companyId")) params["companyId"] = company_;
    const auto answer = host_->call(plugin_->id, "ask", json::object{{"method", method}, {"params", std::move(params)}});
    EXPECT_TRUE(answer.ok()) << (answer.ok() ? "" : answer.failure->message);
    return answer.result;
  }
  static std::string at(const json::value& value, std::string_view path) {
    const auto* found = find_path(value, path);
    if (found == nullptr) return "nothing";
    return found->is_string() ? std::string(found->get_string()) : to_string(*found);
  }

  net::HttpClient http_;
  std::optional<plugins::PluginHost> host_;
  std::optional<domain::Plugin> plugin_;
  std::string company_, other_;
};

TEST_F(PluginMethods, An_issue_is_made_changed_and_read_as_the_plugin) {
  const std::string agent = make("/api/companies/" + company_ + "/agents", R"({"name":"Ann"})");
  const auto issue = ask("issues.create", {{"title", "Made by a plugin"}, {"originId", "o-1"}, {"actorAgentId", agent}});
  const std::string id = at(issue, "id");
  EXPECT_EQ(at(issue, "originKind"), "plugin:test.methods") << to_string(issue);
  EXPECT_EQ(at(issue, "originId"), "o-1");
  EXPECT_EQ(at(ask("issues.create", {{"title", "x"}, {"originKind", "plugin:other"}}), "error"), "Plugin may only use originKind values under plugin:test.methods");
  EXPECT_EQ(at(ask("issues.update", {{"issueId", id}, {"patch", {{"title", "Changed"}}}}), "title"), "Changed");
  EXPECT_EQ(at(ask("issues.createComment", {{"issueId", id}, {"body", "a word"}}), "body"), "a word");
  EXPECT_EQ(ask("issues.listComments", {{"issueId", id}}).as_array().size(), 1u);
  for (const char* text : {"first", "second"}) EXPECT_EQ(at(ask("issues.documents.upsert", {{"issueId", id}, {"key", "plan"}, {"body", text}}), "body"), text) << "also one that is there";
  EXPECT_EQ(at(ask("issues.documents.get", {{"issueId", id}, {"key", "plan"}}), "body"), "second");
  const auto log = send("GET", "/api/companies/" + company_ + "/activity?entityType=issue", "", domain::local_board());
  bool created = false;
  for (const auto& entry : log.body.as_array()) {
    if (at(entry, "action") != "issue.created" || at(entry, "entityId") != id) continue;
    created = true;
    EXPECT_EQ(at(entry, "actorType"), "plugin");
    EXPECT_EQ(at(entry, "actorId"), plugin_->id.str());
    EXPECT_EQ(at(entry, "details.sourcePluginKey"), "test.methods");
    EXPECT_EQ(at(entry, "details.initiatingAgentId"), agent);
  }
  EXPECT_TRUE(created) << log.text;
}

TEST_F(PluginMethods, Relations_subtree_and_orchestration_show_what_is_below_an_issue) {
  const std::string agent = make("/api/companies/" + company_ + "/agents", R"({"name":"Ann"})");
  const std::string root = at(ask("issues.create", {{"title", "root"}}), "id");
  const std::string child = at(ask("issues.create", {{"title", "child"}, {"parentId", root}, {"assigneeAgentId", agent}}), "id");
  const auto relations = ask("issues.relations.addBlockers", {{"issueId", root}, {"blockerIssueIds", {child}}});
  EXPECT_EQ(relations.at("blockedBy").as_array().size(), 1u) << to_string(relations);
  EXPECT_EQ(ask("issues.relations.removeBlockers", {{"issueId", root}, {"blockerIssueIds", {child}}}).at("blockedBy").as_array().size(), 0u);
  const auto tree = ask("issues.getSubtree", {{"issueId", root}, {"includeRelations", true}, {"includeAssignees", true}, {"includeActiveRuns", true}});
  EXPECT_EQ(to_string(tree.at("issueIds")), "[\"" + root + "\",\"" + child + "\"]");
  EXPECT_EQ(at(tree, "assignees." + agent + ".name"), "Ann");
  EXPECT_FALSE(tree.as_object().contains("documents")) << "only what was asked for";
  EXPECT_EQ(ask("issues.getSubtree", {{"issueId", root}, {"includeRoot", false}}).at("issueIds").as_array().size(), 1u);
  const auto summary = ask("issues.summaries.getOrchestration", {{"issueId", root}, {"includeSubtree", true}});
  EXPECT_EQ(at(summary, "costs.costCents"), "0") << to_string(summary);
  EXPECT_EQ(summary.at("subtreeIssueIds").as_array().size(), 2u);
  EXPECT_EQ(at(ask("issues.assertCheckoutOwner", {{"issueId", child}, {"actorAgentId", agent}, {"actorRunId", "00000000-0000-4000-8000-000000000001"}}), "error"), "Issue run ownership conflict");
  EXPECT_EQ(at(ask("issues.requestWakeup", {{"issueId", root}}), "error"), "Issue has no assigned agent to wake");
}

TEST_F(PluginMethods, What_belongs_to_another_company_is_not_there) {
  const std::string issue = make("/api/companies/" + other_ + "/issues", R"({"title":"theirs"})");
  const std::string agent = make("/api/companies/" + other_ + "/agents", R"({"name":"Bob"})");
  EXPECT_TRUE(ask("issues.get", {{"issueId", issue}}).is_null());
  EXPECT_TRUE(ask("agents.get", {{"agentId", agent}}).is_null());
  EXPECT_EQ(to_string(ask("issues.listComments", {{"issueId", issue}})), "[]");
  EXPECT_EQ(at(ask("issues.update", {{"issueId", issue}, {"patch", {{"title", "x"}}}}), "error"), "Issue not found");
  EXPECT_EQ(at(ask("agents.pause", {{"agentId", agent}}), "error"), "Agent not found");
  EXPECT_EQ(at(ask("issues.getSubtree", {{"issueId", issue}}), "error"), "Issue not found");
  EXPECT_EQ(ask("companies.list", {{"limit", 1}}).as_array().size(), 1u);
  EXPECT_EQ(ask("companies.list", {{"offset", "1"}}).as_array().size(), 1u);
}

TEST_F(PluginMethods, Goals_and_agents_are_changed) {
  const auto goal = ask("goals.create", {{"title", "A goal"}});
  EXPECT_EQ(at(ask("goals.update", {{"goalId", at(goal, "id")}, {"patch", {{"title", "Another"}}}}), "title"), "Another") << to_string(goal);
  EXPECT_EQ(ask("goals.list", {{"status", "none such"}}).as_array().size(), 0u);
  const std::string agent = make("/api/companies/" + company_ + "/agents", R"({"name":"Ann"})");
  EXPECT_EQ(at(ask("agents.pause", {{"agentId", agent}}), "status"), "paused");
  EXPECT_EQ(at(ask("agents.resume", {{"agentId", agent}}), "status"), "idle");
}

}  // namespace
}  // namespace paperclip::test
