#pragma once

#include <sys/types.h>

#include <boost/json.hpp>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
#include "os/descriptor.h"

namespace paperclip::testing_support {

/// A worker process and just enough of a host: starts the package's worker with exactly the environment of
/// spec/plugins.md 6.2, speaks JSON-RPC with it and answers what it asks.
class WorkerHost {
 public:
  /// What a worker's request gets: a result, or an error when it throws std::runtime_error.
  using Answer = std::function<json::value(const std::string& method, const json::object& params)>;

  explicit WorkerHost(const std::string& package, Answer answer = {});
  ~WorkerHost();

  pid_t pid() const { return pid_; }

  /// Sends `initialize` with the package's manifest; the result.
  json::object initialise(json::object config = {}, std::vector<std::string> extensions = all_extensions());
  /// A request and its result; a failure of the worker fails the test and returns null.
  json::value call(const std::string& method, json::object params);
  /// A request and the whole answer.
  json::object ask(const std::string& method, json::object params);
  /// The same in two steps.
  std::int64_t begin(const std::string& method, json::object params);
  json::object wait(std::int64_t id);
  bool answered(std::int64_t id) const;
  void notify(const std::string& method, json::object params);
  void send_line(const std::string& line);

  /// Waits until `found` holds for what was streamed for the execution ("stdout" or "stderr").
  bool wait_for_output(const std::string& execution, const std::string& stream, const std::function<bool(const std::string&)>& found);
  std::string output(const std::string& execution, const std::string& stream) const;
  /// Notifications and lines that are no JSON, as they came.
  std::vector<json::object> notifications() const;
  bool wait_for_notification(const std::string& method);

  /// Ends the host's side, or the worker, and waits for the worker's end; its wait status.
  int close();
  int kill();

  static std::vector<std::string> all_extensions();

 private:
  void read_all();
  void take(const std::string& line);
  int reap();

  Answer answer_;
  json::value manifest_;
  pid_t pid_ = -1;
  os::Descriptor to_worker_, from_worker_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::int64_t last_id_ = 0;
  std::map<std::int64_t, json::object> answers_;
  std::map<std::string, std::string> output_;  // by execution + stream
  std::vector<json::object> notifications_;
  bool ended_ = false;
  std::mutex writing_;
  std::thread reader_;
};

}  // namespace paperclip::testing_support
