#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "../store/both_engines.h"
#include "base/crypto.h"
#include "base/write_json.h"
#include "domain/companies/company.h"
#include "domain/plugins/plugins.h"
#include "domain/schema/migrations.h"
#include "domain/secrets/vault.h"
#include "net/client.h"
#include "os/child_environment.h"
#include "os/files.h"
#include "plugins/host.h"
#include "plugins/package.h"

namespace paperclip::test {

/// A plugin host on an empty database, and plugins that the tests write as they need them.
class HostTest : public BothEngines {
 protected:
  void SetUp() override {
    BothEngines::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    if (!os::resolve_command("node", "/", os::value_in(os::own_environment(), "PATH"))) GTEST_SKIP() << "no node";
    auto opened = store::Database::open(options(domain::domain_migrations()));
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    database_ = *std::move(opened);
    auto directory = os::TemporaryDirectory::create();
    ASSERT_TRUE(directory.ok());
    files_.emplace(*std::move(directory));
    auto vault = domain::SecretVault::open("", files_->path() / "master.key", Random::system());
    ASSERT_TRUE(vault.ok());
    vault_.emplace(*std::move(vault));
    http_.emplace();
    environment_ = os::own_environment();
    company_ = Random::system().id<CompanyId>();
    write([&](store::Transaction& tx) {
      domain::Company company;
      company.id = company_;
      company.name = "Ours";
      company.issue_prefix = "OUR";
      company.created_at = company.updated_at = tx.now();
      tx.insert("companies", company);
    });
    start_host();
  }

  void TearDown() override {
    if (host_) host_->stop();
    host_.reset();
    http_.reset();
    BothEngines::TearDown();
  }

  void start_host() {
    plugins::PluginHostOptions options{.database = *database_, .vault = *vault_, .http = *http_};
    options.host = environment_;
    options.plugin_directory = files_->path() / "plugins";
    options.database_url = url_;  // empty on SQLite
    options.timing.first_backoff = std::chrono::milliseconds(20);
    options.timing.shutdown = std::chrono::seconds(5);
    options.timing.initialize = options.timing.call = std::chrono::seconds(120);  // the machine may be busy
    options.job_tick = std::chrono::milliseconds(50);
    options.call_api = [this](std::string_view method, const std::string& target, const std::optional<json::value>&, const domain::Actor& actor) -> Result<json::value> {
      std::lock_guard lock(mutex_);
      asked_.push_back(std::string(method) + " " + target + (actor.plugin ? " as " + actor.plugin->key : ""));
      return not_found();
    };
    host_ = std::make_unique<plugins::PluginHost>(std::move(options));
    host_->start();
  }

  template <class F>
  void write(F&& f) {
    const auto done = database_->write([&](store::Transaction& tx) -> Result<> {
      f(tx);
      return {};
    });
    ASSERT_TRUE(done.ok()) << done.error().message;
  }

  /// A folder with a package; `manifest` are further members, `worker` is code behind the prelude.
  std::string package(const std::string& name, const std::string& manifest, const std::string& worker) {
    const auto root = files_->path() / name;
    std::filesystem::create_directories(root);
    std::ofstream(root / "package.json") << R"({"name":")" << name << R"(","version":"1.0.0","type":"module"})";
    std::ofstream(root / "manifest.json") << R"({"id":"test.)" << name << R"(","apiVersion":1,"version":"1.0.0","displayName":"T","description":"t","author":"a",)"
                                          << R"("categories":["automation"],"entrypoints":{"worker":"./worker.js"},)" << manifest << "}";
    std::ofstream(root / "worker.js") << prelude << worker;
    return root.string();
  }

  Result<domain::Plugin> install(const std::string& path, std::vector<std::string> variables = {}) {
    return host_->install({path, std::nullopt, true, std::move(variables)}, domain::Author::system("test"));
  }

  json::value call(const domain::Plugin& plugin, std::string_view method, json::object params = {}) {
    const auto answer = host_->call(plugin.id, method, params);
    return answer.ok() ? answer.result : json::value("error " + std::to_string(answer.failure->code) + " " + answer.failure->message);
  }
  /// What the host answers when the worker asks.
  json::value ask(const domain::Plugin& plugin, std::string_view method, json::object params = {}) {
    return call(plugin, "ask", {{"method", method}, {"params", std::move(params)}});
  }

  static bool wait_for(const std::function<bool()>& holds) {
    for (const Deadline until = Deadline::in(std::chrono::seconds(60)); !until.passed(); std::this_thread::sleep_for(std::chrono::milliseconds(5)))
      if (holds()) return true;
    return holds();
  }

  domain::Plugin row(const PluginId& id) {
    return *database_->read([&](store::Reader& reader) { return domain::find_plugin(reader, id.view()); });
  }

  static constexpr const char* prelude = R"js(
import readline from "node:readline";
const send = (o) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...o }) + "\n");
let asked = 0; const waiting = new Map();
const ask = (method, params) => new Promise((resolve) => { const id = ++asked; waiting.set(id, resolve); send({ id, method, params }); });
const events = []; let config = null, initialized = null;
const on = { initialize: (p) => { initialized = p; config = p.config; return { ok: true, supportedMethods: [] }; },
  shutdown: () => { setTimeout(() => process.exit(0), 5); return null; }, configChanged: (p) => { config = p.config; return null; },
  ask: async (p) => { const m = await ask(p.method, p.params); return m.error ? { code: m.error.code, message: m.error.message } : { result: m.result }; },
  onEvent: (p) => { events.push(p.event); }, events: () => events, config: () => config, environment: () => Object.keys(process.env).sort(), initialized: () => initialized };
readline.createInterface({ input: process.stdin, crlfDelay: Infinity }).on("line", async (line) => {
  const m = JSON.parse(line);
  if (m.method === undefined) { waiting.get(m.id)?.(m); return; }
  if (m.id === undefined) { on[m.method]?.(m.params); return; }
  try { if (!on[m.method]) throw Object.assign(new Error("unknown"), { code: -32601 }); send({ id: m.id, result: (await on[m.method](m.params)) ?? null }); }
  catch (e) { send({ id: m.id, error: { code: e.code ?? -32002, message: e.message } }); }
}).on("close", () => process.exit(0));
)js";

  std::optional<os::TemporaryDirectory> files_;
  std::optional<domain::SecretVault> vault_;
  std::optional<net::HttpClient> http_;
  os::Environment environment_;
  CompanyId company_;
  std::mutex mutex_;
  std::vector<std::string> asked_;
  std::unique_ptr<plugins::PluginHost> host_;
};

}  // namespace paperclip::test
