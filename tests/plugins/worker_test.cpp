#include "plugins/worker.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "base/enum.h"
#include "os/child_environment.h"
#include "os/files.h"
#include "plugins/package.h"

namespace paperclip::plugins {
namespace {

using namespace std::chrono_literals;

// Speaks the protocol; what it does further is each test's.
constexpr const char* prelude = R"js(
import readline from "node:readline";
const send = (o) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...o }) + "\n");
let asked = 0; const waiting = new Map();
const ask = (method, params) => new Promise((resolve) => { const id = "w" + ++asked; waiting.set(id, resolve); send({ id, method, params }); });
const on = { initialize: () => ({ ok: true, supportedMethods: ["health"] }), health: () => ({ status: "ok" }), echo: (p) => p, pid: () => process.pid,
  shutdown: () => { setTimeout(() => process.exit(0), 5); return null; } };
readline.createInterface({ input: process.stdin, crlfDelay: Infinity }).on("line", async (line) => {
  const m = JSON.parse(line);
  if (m.method === undefined) { waiting.get(m.id)?.(m); return; }
  if (m.id === undefined) { on[m.method]?.(m.params); return; }
  try { if (!on[m.method]) throw Object.assign(new Error("unknown"), { code: -32601 }); send({ id: m.id, result: (await on[m.method](m.params)) ?? null }); }
  catch (e) { send({ id: m.id, error: { code: e.code ?? -32002, message: e.message } }); }
}).on("close", () => process.exit(0));
)js";

bool wait_for(const std::function<bool()>& holds) {
  for (const Deadline until = Deadline::in(60s); !until.passed(); std::this_thread::sleep_for(5ms))
    if (holds()) return true;
  return holds();
}

bool alive(pid_t pid) { return ::kill(pid, 0) == 0; }

class WorkerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto directory = os::TemporaryDirectory::create();
    ASSERT_TRUE(directory.ok());
    directory_.emplace(*std::move(directory));
    if (!os::resolve_command("node", "/", os::value_in(os::own_environment(), "PATH"))) GTEST_SKIP() << "no node";
    timing_.first_backoff = 20ms;
    timing_.initialize = timing_.call = 120s;  // the machine may be busy
  }

  std::unique_ptr<Worker> make(const std::string& script) {
    const auto file = directory_->path() / "worker.mjs";
    std::ofstream(file) << prelude << script;
    return make_of(file);
  }

  std::unique_ptr<Worker> make_of(const std::filesystem::path& file) {
    WorkerOptions options;
    options.plugin_id = "p-1";
    options.launch = [this, file]() -> Result<WorkerLaunch> {
      ++launches_;
      auto command = worker_command(file, os::own_environment());
      if (!command) return std::move(command).error();
      return WorkerLaunch{command->executable, command->argv, worker_environment("p-1", os::own_environment(), {}), {{"extensions", {"environment.stream", "environment.cancel"}}}};
    };
    options.on_request = [this](const std::string& method, const json::value& params) {
      ++requests_;
      if (method == "refused") return RpcAnswer::failed(rpc_code::capability_denied, "no");
      return RpcAnswer::of(json::object{{"method", method}, {"params", params}});
    };
    options.on_notification = [this](const std::string& method, const json::value& params) {
      std::lock_guard lock(mutex_);
      notifications_.push_back(method + " " + to_string(params));
    };
    options.on_gone = [this] { ++gone_; };
    options.pool = &pool_;
    options.timing = timing_;
    options.max_frame = max_frame_;
    return std::make_unique<Worker>(std::move(options));
  }

  std::size_t notified() {
    std::lock_guard lock(mutex_);
    return notifications_.size();
  }

  std::optional<os::TemporaryDirectory> directory_;
  net::WorkerPool pool_{4};
  WorkerTiming timing_;
  std::size_t max_frame_ = 64u * 1024 * 1024;
  std::atomic<int> launches_{0}, requests_{0}, gone_{0};
  std::mutex mutex_;
  std::vector<std::string> notifications_;
};

TEST_F(WorkerTest, Answers_calls_and_stops_when_asked) {
  auto worker = make("");
  const auto started = worker->start();
  ASSERT_TRUE(started.ok()) << started.error().message;
  const auto answer = worker->call("echo", json::object{{"a", 1}});
  ASSERT_TRUE(answer.ok()) << answer.failure->message;
  EXPECT_EQ(to_string(answer.result), R"({"a":1})");
  EXPECT_TRUE(worker->supports("health"));
  EXPECT_FALSE(worker->supports("validateConfig"));
  const auto now = worker->diagnostics();
  EXPECT_EQ(now.status, WorkerStatus::running);
  ASSERT_TRUE(now.pid);
  worker->stop();
  EXPECT_EQ(worker->diagnostics().status, WorkerStatus::stopped);
  EXPECT_FALSE(alive(*now.pid));
  EXPECT_EQ(worker->call("echo", nullptr).failure->code, rpc_code::worker_unavailable);
}

TEST_F(WorkerTest, A_setup_that_asks_the_host_completes_the_handshake) {
  auto worker = make(R"js(on.initialize = async () => { const m = await ask("state.get", { k: 1 }); return { ok: m.result.method === "state.get", extensions: ["environment.stream", "environment.files"] }; };)js");
  const auto started = worker->start();
  ASSERT_TRUE(started.ok()) << started.error().message;
  EXPECT_EQ(requests_, 1);
  EXPECT_TRUE(worker->has_extension("environment.stream"));
  EXPECT_FALSE(worker->has_extension("environment.files")) << "it was not offered";
  EXPECT_FALSE(worker->has_extension("environment.cancel")) << "the worker did not want it";
}

TEST_F(WorkerTest, A_setup_that_throws_fails_the_start_with_what_it_said_on_stderr) {
  auto worker = make(R"js(on.initialize = () => { console.error("the reason"); throw new Error("setup failed"); };)js");
  const auto started = worker->start();
  ASSERT_FALSE(started.ok());
  EXPECT_TRUE(started.error().message.starts_with("Worker initialize failed for \"p-1\": setup failed")) << started.error().message;
  EXPECT_NE(started.error().message.find("Worker stderr:\nthe reason"), std::string::npos) << started.error().message;
  EXPECT_EQ(launches_, 1) << "a first start is not tried again";
}

TEST_F(WorkerTest, A_worker_that_never_answers_the_handshake_is_killed) {
  timing_.initialize = 300ms;
  auto worker = make("on.initialize = () => new Promise(() => {});");
  const auto started = worker->start();
  ASSERT_FALSE(started.ok());
  EXPECT_NE(started.error().message.find("timed out after 300ms"), std::string::npos) << started.error().message;
  EXPECT_FALSE(worker->diagnostics().pid);
}

TEST_F(WorkerTest, One_that_exits_at_once_says_with_which_code) {
  auto worker = make("process.exit(7);");
  const auto started = worker->start();
  ASSERT_FALSE(started.ok());
  EXPECT_NE(started.error().message.find("Worker process exited (code=7, signal=null)"), std::string::npos) << started.error().message;
}

TEST_F(WorkerTest, After_a_kill_pending_calls_fail_and_it_is_started_again) {
  auto worker = make("on.never = () => new Promise(() => {});");
  ASSERT_TRUE(worker->start().ok());
  const int pid = static_cast<int>(worker->call("pid", json::object()).result.as_int64());
  RpcAnswer pending;
  std::thread caller([&] { pending = worker->call("never", json::object()); });
  ASSERT_TRUE(wait_for([&] { return worker->diagnostics().pending_requests == 1; }));
  ::kill(pid, SIGKILL);
  caller.join();
  ASSERT_FALSE(pending.ok());
  EXPECT_EQ(pending.failure->code, rpc_code::worker_unavailable);
  EXPECT_EQ(pending.failure->message, "Worker process exited (code=null, signal=SIGKILL)");
  ASSERT_TRUE(wait_for([&] { return worker->running() && launches_ == 2; }));
  EXPECT_EQ(gone_, 1);
  const auto now = worker->diagnostics();
  EXPECT_EQ(now.total_crashes, 1);
  EXPECT_EQ(now.consecutive_crashes, 0) << "the handshake forgives";
  EXPECT_TRUE(worker->call("echo", json::object()).ok());
}

TEST_F(WorkerTest, Crashes_in_the_handshake_of_a_restart_end_after_the_allowed_number) {
  timing_.restarts = 3;
  timing_.first_backoff = 1ms;
  const auto flag = (directory_->path() / "broken").string();
  auto worker = make("import fs from \"node:fs\"; if (fs.existsSync(" + to_string(json::value(flag)) + ")) process.exit(3);");
  ASSERT_TRUE(worker->start().ok());
  std::ofstream(flag) << "x";
  ::kill(*worker->diagnostics().pid, SIGKILL);
  ASSERT_TRUE(wait_for([&] { return worker->diagnostics().status == WorkerStatus::crashed && worker->diagnostics().consecutive_crashes == 4; }))
      << to_text(worker->diagnostics().status) << worker->diagnostics().consecutive_crashes;
  EXPECT_EQ(launches_, 4);
  const auto refused = worker->call("echo", json::object());
  EXPECT_EQ(refused.failure->message, "Cannot call \"echo\" — worker for \"p-1\" is crashed");
}

TEST_F(WorkerTest, A_worker_in_backoff_can_be_stopped) {
  timing_.first_backoff = std::chrono::hours(1);
  auto worker = make("");
  ASSERT_TRUE(worker->start().ok());
  ::kill(*worker->diagnostics().pid, SIGKILL);
  ASSERT_TRUE(wait_for([&] { return worker->diagnostics().status == WorkerStatus::backoff; }));
  EXPECT_TRUE(worker->diagnostics().next_restart_at);
  worker->stop();
  EXPECT_EQ(worker->diagnostics().status, WorkerStatus::stopped);
}

TEST_F(WorkerTest, A_hung_worker_is_killed_at_the_end_of_the_stop_sequence) {
  timing_.shutdown = 50ms;
  timing_.after_shutdown = 20ms;
  timing_.after_term = 100ms;
  auto worker = make("on.hang = () => { process.on(\"SIGTERM\", () => {}); for (;;); };");
  ASSERT_TRUE(worker->start().ok());
  const pid_t pid = *worker->diagnostics().pid;
  const auto hung = worker->call("hang", json::object(), 100ms);
  EXPECT_EQ(hung.failure->code, rpc_code::timeout);
  EXPECT_EQ(hung.failure->message, "RPC call \"hang\" timed out after 100ms");
  worker->stop();
  EXPECT_FALSE(alive(pid));
}

TEST_F(WorkerTest, Noise_on_stdout_is_dropped) {
  auto worker = make(R"js(console.log("hello"); console.log("{\"a\":1}"); console.log("[1]"); console.log(""); process.stdout.write("\x00\xff\n{\n"); on.noisy = () => { console.log("more"); return 2; };)js");
  ASSERT_TRUE(worker->start().ok());
  EXPECT_EQ(worker->call("noisy", json::object()).result, json::value(2));
}

TEST_F(WorkerTest, Huge_messages_pass_both_ways) {
  auto worker = make("");
  ASSERT_TRUE(worker->start().ok());
  std::string text(5 * 1024 * 1024, 'x');
  text += "\xE2\x80\xA8 \xE2\x80\xA9 \r\n \x01 ü";
  const auto answer = worker->call("echo", json::object{{"text", text}});
  ASSERT_TRUE(answer.ok()) << answer.failure->message;
  EXPECT_TRUE(string_at(answer.result, "text") == text);
}

TEST_F(WorkerTest, A_line_beyond_the_limit_is_dropped_and_the_next_is_read) {
  max_frame_ = 1024 * 1024;
  auto worker = make(R"js(on.big = () => "y".repeat(3 * 1024 * 1024);)js");
  ASSERT_TRUE(worker->start().ok());
  EXPECT_EQ(worker->call("big", json::object(), 500ms).failure->code, rpc_code::timeout);
  EXPECT_TRUE(worker->call("echo", json::object()).ok());
}

TEST_F(WorkerTest, A_hundred_calls_at_once_get_their_own_answers) {
  auto worker = make("on.late = (p) => new Promise((r) => setTimeout(() => r(p.n), (p.n * 7) % 13));");
  ASSERT_TRUE(worker->start().ok());
  std::atomic<int> right{0};
  std::vector<std::thread> callers;
  for (int n = 0; n < 100; ++n)
    callers.emplace_back([&, n] {
      if (worker->call("late", json::object{{"n", n}}).result == json::value(n)) ++right;
    });
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(right, 100);
}

TEST_F(WorkerTest, A_refusal_of_the_host_reaches_the_worker_with_its_code) {
  auto worker = make(R"js(on.try = async () => (await ask("refused", {})).error.code; on.tell = () => { send({ method: "log", params: { message: "hi" } }); return null; };)js");
  ASSERT_TRUE(worker->start().ok());
  EXPECT_EQ(worker->call("try", json::object()).result, json::value(-32001));
  ASSERT_TRUE(worker->call("tell", json::object()).ok());
  EXPECT_EQ(notified(), 1u) << "a notification before an answer is there before it";
}

TEST_F(WorkerTest, The_environment_is_the_five_variables_and_what_was_granted) {
  const os::Environment host{{"PATH", "/usr/bin"}, {"HOME", "/root"}, {"E2B_API_KEY", "k"}, {"OTHER", "o"}, {"DATABASE_URL", "postgres://x"}};
  const auto environment = worker_environment("id-1", host, {"E2B_API_KEY", "DATABASE_URL", "MISSING"});
  const os::Environment expected{{"PATH", "/usr/bin"}, {"NODE_PATH", ""}, {"PAPERCLIP_PLUGIN_ID", "id-1"}, {"NODE_ENV", "production"}, {"TZ", "UTC"}, {"E2B_API_KEY", "k"}};
  EXPECT_EQ(environment, expected);
}

TEST_F(WorkerTest, A_native_executable_is_run_as_it_is) {
  const auto file = directory_->path() / "worker";
  std::ofstream(file) << "#!/bin/sh\nwhile read -r line; do case \"$line\" in *initialize*) echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"ok\":true}}';; "
                         "*shutdown*) id=${line#*\\\"id\\\":}; id=${id%%,*}; echo \"{\\\"jsonrpc\\\":\\\"2.0\\\",\\\"id\\\":$id,\\\"result\\\":null}\"; exit 0;; esac; done\n";
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  auto worker = make_of(file);
  const auto started = worker->start();
  ASSERT_TRUE(started.ok()) << started.error().message;
  const pid_t pid = *worker->diagnostics().pid;
  worker->stop();
  EXPECT_FALSE(alive(pid));
}

TEST_F(WorkerTest, No_worker_outlives_a_server_that_is_killed) {
  const auto told = directory_->path() / "pid";
  // The hung one does not see the end of its stdin.
  std::ofstream(directory_->path() / "worker.mjs") << prelude << "on.hang = () => { for (;;); };";
  os::SpawnRequest request;
  request.executable = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "worker_keeper";
  request.argv = {"worker_keeper", directory_->path() / "worker.mjs", told};
  request.environment = os::own_environment();
  const auto started = os::spawn(request);
  ASSERT_TRUE(started.ok()) << started.error().message;
  const pid_t server = *started;
  ASSERT_TRUE(wait_for([&] { return std::filesystem::exists(told); }));
  const pid_t worker = std::stoi(*os::read_file(told));
  EXPECT_TRUE(alive(worker));
  ::kill(server, SIGKILL);
  ::waitpid(server, nullptr, 0);
  const auto gone = [&] {
    // An orphan that nobody reaps yet counts as gone.
    const auto stat = os::read_file("/proc/" + std::to_string(worker) + "/stat", 4096);
    return !stat || stat->find(") Z ") != std::string::npos;
  };
  EXPECT_TRUE(wait_for(gone)) << "pid " << worker;
  if (!gone()) ::kill(worker, SIGKILL);
}

TEST(Rpc, Messages_are_told_apart) {
  using Kind = RpcMessage::Kind;
  EXPECT_FALSE(parse_message("hello"));
  EXPECT_FALSE(parse_message("[]"));
  EXPECT_FALSE(parse_message(R"({"jsonrpc":"1.0","id":1,"result":1})"));
  EXPECT_EQ(parse_message(R"({"jsonrpc":"2.0","id":1,"result":null})")->kind, Kind::response);
  EXPECT_EQ(parse_message(R"({"jsonrpc":"2.0","id":"a","method":"m"})")->kind, Kind::request);
  EXPECT_EQ(parse_message(R"({"jsonrpc":"2.0","method":"m"})")->kind, Kind::notification);
  EXPECT_EQ(parse_message(R"({"jsonrpc":"2.0","id":null,"method":"m"})")->kind, Kind::unknown);
  const auto failed = parse_message(R"({"jsonrpc":"2.0","id":1,"error":{"code":-32004,"message":"no"}})");
  EXPECT_EQ(failed->answer.failure->code, rpc_code::not_implemented);
}

}  // namespace
}  // namespace paperclip::plugins
