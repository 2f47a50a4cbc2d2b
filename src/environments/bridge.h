#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "base/id.h"
#include "base/secret.h"
#include "environments/bridge_policy.h"
#include "environments/frame_handler.h"
#include "net/http.h"
#include "runner/callbacks.h"

/// The server's end of the callback bridge: what an agent asks of its loopback address arrives here, is checked, and goes to
/// the API in process, as that run's agent (spec/callback-bridge.md 9, 11). Whatever comes from a place is hostile: a
/// request is taken apart, compared with the allow-list and written anew; its bytes go nowhere.
namespace paperclip::environments {

/// As whom a run's callbacks are made.
struct BridgeCaller {
  RunId run;
  AgentId agent;
  CompanyId company;
};

/// The API as the bridge needs it; the server makes it of its router.
class CallbackApi {
 public:
  virtual ~CallbackApi() = default;
  /// Runs the job on a thread that may block, jobs in order; false when it is stopping.
  [[nodiscard]] virtual bool post(std::function<void()> job) = 0;
  /// Answers as the run's agent; 401 once the agent may not act any more or its run ended more than a minute ago.
  virtual net::Response perform(const BridgeCaller& caller, const net::Request& request) = 0;
};

/// The bearer token of a run's bridge: 32 characters base64url, the same each time it is asked for (a server that takes
/// the run over must mask it), and of no use to anyone who does not know `secret`.
SecretText bridge_token(std::string_view secret, RunId run);

/// What was asked and how it ended; for people and tests.
struct BridgeCounts {
  std::uint64_t asked = 0;      // requests that arrived whole
  std::uint64_t refused = 0;    // of those, by the bridge itself
  std::uint64_t performed = 0;  // by the API
  std::uint64_t repeated = 0;   // answers given out once more after a lost connection
  std::size_t most_at_once = 0;
};

/// `{"error":message}` as the bridge itself answers (spec/callback-bridge.md 2); OURS: a 503 says when to try again.
runner::CallbackAnswer bridge_error(std::uint64_t id, int status, std::string_view message);

/// One request, checked: either an answer of the bridge's own or a request for the API.
struct CheckedCallback {
  std::optional<runner::CallbackAnswer> refusal;
  net::Request request;
};
CheckedCallback check_callback(const BridgePolicy& policy, const runner::CallbackRequest& request);

/// The API's response as it goes back: three header fields, a bounded body.
runner::CallbackAnswer filtered_answer(const BridgePolicy& policy, std::uint64_t id, const net::Response& response);

/// The callbacks of one run. At most `concurrency` are performed at once, in the order of their ids; each id at most once.
/// What was answered is kept until the runner says that it has it, so that a lost connection loses no answer.
class BridgeSession : public FrameHandler, public std::enable_shared_from_this<BridgeSession> {
 public:
  static constexpr std::size_t concurrency = 8;

  BridgeSession(CallbackApi& api, const BridgeCaller& caller, const BridgePolicy& policy);

  /// What the run's start message asks the runner for. `token` outlives it.
  runner::CallbackSetup setup(const SecretText& token) const;

  void on_connected(std::shared_ptr<FrameLink> link) override;
  void on_frame(const runner::Frame& frame) override;
  void on_disconnected() override;

  /// Nothing that is not being performed yet will be: the run is over.
  void close();
  BridgeCounts counts() const;

 private:
  using Instant = std::chrono::steady_clock::time_point;
  enum class State { waiting, performing, answered };
  struct Callback {
    State state = State::waiting;
    runner::CallbackRequest request;
    Instant deadline;
    std::string answer;     // encoded; once answered
    bool wanted = true;     // by the connection there is now
    bool released = false;  // by the runner: nobody waits for it any more
  };

  void take_request(const runner::Frame& frame, std::string& out);
  void receive(runner::CallbackRequest request);
  void release(std::uint64_t id);
  void say_again(std::uint64_t id, std::string& out);
  void begin_some();
  void perform(std::uint64_t id);
  void finish(std::uint64_t id, const runner::CallbackAnswer& answer);
  bool is_new(std::uint64_t id);
  void make_room();
  void flush(std::string out = {});

  CallbackApi& api_;
  const BridgeCaller caller_;
  const BridgePolicy policy_;
  const std::uint64_t incarnation_;

  mutable std::mutex mutex_;
  std::shared_ptr<FrameLink> link_;
  runner::CallbackStreams streams_;
  std::map<std::uint64_t, Callback> callbacks_;
  std::set<std::uint64_t> seen_;   // above seen_up_to_
  std::uint64_t seen_up_to_ = 0;
  std::size_t performing_ = 0;
  bool closed_ = false;
  BridgeCounts counts_;
};

}  // namespace paperclip::environments
