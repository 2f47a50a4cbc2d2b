#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "environments/bridge.h"
#include "net/worker_pool.h"
#include "run_fixture.h"

namespace paperclip::environments {

/// The API behind the bridge: counts what reaches it, holds it back where a test wants, and answers.
class CountingApi : public CallbackApi {
 public:
  [[nodiscard]] bool post(std::function<void()> job) override { return pool_.post(std::move(job)); }
  net::Response perform(const BridgeCaller& caller, const net::Request& request) override;

  std::vector<net::Request> requests() const;
  std::size_t calls() const { return requests().size(); }
  bool wait_calls(std::size_t count) const;
  /// From now on requests wait until `open`.
  void shut();
  void open();

  std::function<net::Response(const net::Request&)> answer;
  std::optional<BridgeCaller> last_caller;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool shut_ = false;
  std::vector<net::Request> requests_;
  net::WorkerPool pool_{16};
};

class BridgedRecorder : public Recorder {
 public:
  explicit BridgedRecorder(std::shared_ptr<BridgeSession> session) : session_(std::move(session)) {}
  std::shared_ptr<FrameHandler> frame_handler() override { return session_; }

 private:
  std::shared_ptr<BridgeSession> session_;
};

struct Heard {
  int status = 0;  // 0: the connection ended without an answer
  std::map<std::string, std::string> headers;
  std::string body;
};

/// One connection to a listener, speaking whatever bytes it is given.
class Wire {
 public:
  explicit Wire(int port);
  void say(std::string_view bytes);
  Heard hear(bool head_only = false);
  Heard ask(std::string_view bytes) {
    say(bytes);
    return hear();
  }

 private:
  os::Descriptor socket_;
  std::string in_;
};

/// An agent that prints its bridge's address and waits, and this process as whoever calls it.
class BridgeFixture : public RunFixture {
 protected:
  BridgeFixture() { renew_session(); }
  /// Ends the agent, which would wait for ever.
  ~BridgeFixture() override;
  /// As a server that knows nothing of the former one's callbacks.
  void renew_session();
  /// Starts an agent with the bridge.
  void start_bridged(RunCommand command);
  /// Starts one that waits, and learns its port. `change` sees the listener's settings first.
  void start_waiting(const std::function<void(runner::CallbackSetup&)>& change = {});
  void reattach();
  void end_agent();

  std::string get(const std::string& path, const std::string& more = {}) const;
  std::string post(const std::string& path, const std::string& body, const std::string& method = "POST") const;
  Heard call(const std::string& bytes) const { return Wire(port_).ask(bytes); }

  CountingApi api_;
  BridgeCaller caller_{run_, Random::system().id<AgentId>(), Random::system().id<CompanyId>()};
  BridgePolicy policy_;
  SecretText token_ = bridge_token("a secret of the server's", run_);
  std::shared_ptr<BridgeSession> session_;
  std::shared_ptr<BridgedRecorder> recorder_;
  int port_ = 0;
};

}  // namespace paperclip::environments
