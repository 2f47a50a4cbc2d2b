#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "api/all_routes.h"
#include "api/dispatcher.h"
#include "api/services.h"
#include "base/json.h"
#include "domain/access/resolver.h"
#include "domain/schema/migrations.h"
#include "domain/secrets/vault.h"
#include "domain/storage/object_storage.h"
#include "net/worker_pool.h"
#include "os/files.h"
#include "store/database.h"

namespace paperclip::test {

struct ApiAnswer {
  int status = 0;
  std::string text;
  json::value body;
  std::string at(std::string_view path) const {
    const auto* found = find_path(body, path);
    if (found == nullptr) return {};
    return found->is_string() ? std::string(found->get_string()) : to_string(*found);
  }
};

/// The whole API on an empty SQLite database, without a socket and without an engine: what a route answers before a run
/// would start.
class ApiServer : public ::testing::Test {
 protected:
  void SetUp() override {
    auto directory = os::TemporaryDirectory::create();
    ASSERT_TRUE(directory.ok());
    directory_.emplace(*std::move(directory));
    store::OpenOptions options{.where = store::SqliteFile{(directory_->path() / "test.sqlite").string()}, .migrations = domain::domain_migrations()};
    auto opened = store::Database::open(std::move(options));
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    database_ = *std::move(opened);
    auto vault = domain::SecretVault::open("", directory_->path() / "master.key", Random::system());
    ASSERT_TRUE(vault.ok());
    vault_.emplace(*std::move(vault));
    tokens_.emplace(SecretText(std::string("a secret for tests only, long enough")));
    actors_.emplace(*database_, Clock::system(), *tokens_, true);
    storage_.emplace(directory_->path() / "storage", Clock::system(), Random::system());
    pool_.emplace(2);
    api::ApiSettings settings;
    settings.home = directory_->path();
    settings.instance_root = directory_->path() / "instances" / "default";
    services_.emplace(api::Services{std::move(settings), Clock::system(), Random::system(), *database_, *actors_, *vault_, *storage_, [] { return true; }});
    api::add_all_routes(routes_);
    dispatcher_.emplace(*services_, routes_, *pool_);
  }

  void TearDown() override {
    if (pool_) pool_->stop();
  }

  ApiAnswer send(std::string_view method, const std::string& path, const std::string& body = "", std::optional<domain::Actor> actor = std::nullopt,
                 const std::string& token = "") {
    net::Request request;
    request.method_text = method;
    request.method = net::method_of(method);
    request.target = path;
    const auto question = path.find('?');
    request.path = path.substr(0, question);
    if (question != std::string::npos) request.query = path.substr(question + 1);
    request.headers.add("Host", "127.0.0.1");
    if (!body.empty()) request.headers.add("Content-Type", "application/json");
    if (!token.empty()) request.headers.add("Authorization", "Bearer " + token);
    request.body = body;
    const net::Response response = dispatcher_->perform(request, std::move(actor));
    ApiAnswer answer{response.status, response.body, nullptr};
    if (auto parsed = parse_json(response.body); parsed) answer.body = *std::move(parsed);
    return answer;
  }

  /// As the local board; fails the test if the answer is not a success. Returns the `id` of what was made.
  std::string make(const std::string& path, const std::string& body) {
    const auto answer = send("POST", path, body, domain::local_board());
    EXPECT_LT(answer.status, 300) << path << ": " << answer.text;
    return answer.at("id");
  }

  static domain::Actor agent_actor(const std::string& agent, const std::string& company) {
    domain::Actor actor;
    actor.kind = domain::ActorKind::agent;
    actor.source = domain::ActorSource::agent_key;
    actor.agent_id = AgentId::parse(agent);
    actor.company_id = CompanyId::parse(company);
    return actor;
  }

  std::optional<os::TemporaryDirectory> directory_;
  std::unique_ptr<store::Database> database_;
  std::optional<domain::SecretVault> vault_;
  std::optional<domain::RunTokens> tokens_;
  std::optional<domain::ActorResolver> actors_;
  std::optional<domain::ObjectStorage> storage_;
  std::optional<net::WorkerPool> pool_;
  std::optional<api::Services> services_;
  api::Routes routes_;
  std::optional<api::Dispatcher> dispatcher_;
};

}  // namespace paperclip::test
