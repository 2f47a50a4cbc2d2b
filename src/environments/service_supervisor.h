#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/deadline.h"
#include "environments/runtime_service.h"
#include "os/descriptor.h"

namespace paperclip::store {
class Database;
}
namespace paperclip::net {
class HttpClient;
}

/// Services of workspaces at work on this machine (spec/workspaces.md 8.3–8.5, 8.8):
///
///   <instance>/runtime-services/<service key>.json    which process it is, for the next server
///   <instance>/runtime-services/<service key>.log     what it says; begins anew with each start
///
/// A service outlives the server: it writes to a file and not to us, and the next server finds it by its record.
namespace paperclip::environments {

struct SupervisorOptions {
  store::Database& database;
  net::HttpClient& http;
  std::filesystem::path directory;
  os::Environment host;  // the server's own environment
};

class ServiceSupervisor {
 public:
  explicit ServiceSupervisor(SupervisorOptions options);
  /// Leaves the services running.
  ~ServiceSupervisor();
  ServiceSupervisor(const ServiceSupervisor&) = delete;

  /// Finds what an earlier server started; rows whose process is gone are stopped.
  void adopt();

  /// Starts the service, or takes the running one that is the same. Waits until it is ready. What it said meanwhile is
  /// given to `said`. Errors: `Failed to start runtime service "x": …`, `… could not start because port … is already in
  /// use by pid …`.
  Result<domain::WorkspaceRuntimeService> start(ServiceSpec spec, const std::function<void(std::string)>& said);
  /// Ends its process group: SIGTERM, after two seconds SIGKILL. Nothing happens if it does not run.
  void stop(RuntimeServiceId id, Deadline deadline);
  /// All of an execution workspace: by its id, or by working at or below `path`.
  void stop_of_execution_workspace(ExecutionWorkspaceId id, const std::optional<std::string>& path, Deadline deadline);

 private:
  struct Live {
    domain::WorkspaceRuntimeService row;
    std::string service_key;
    pid_t pid = 0;
    bool child = false;  // ours to reap
    bool stopping = false;
    os::Descriptor pidfd;
  };
  std::optional<domain::WorkspaceRuntimeService> running_like(const ServiceSpec& spec);
  std::optional<domain::WorkspaceRuntimeService> adopt_recorded(const ServiceSpec& spec);
  Result<> wait_ready(const ServiceSpec& spec, const domain::WorkspaceRuntimeService& row, const std::string& url);
  void watch(Live live);
  void follow();
  void ended(RuntimeServiceId id, std::optional<int> wait_status);
  void write_record(const Live& live, const std::string& fingerprint);
  std::filesystem::path record_of(const std::string& service_key) const;
  void save(const domain::WorkspaceRuntimeService& row);
  bool is_live(RuntimeServiceId id);

  const SupervisorOptions options_;
  std::mutex starting_;  // one start at a time, so that two of the same become one
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<RuntimeServiceId, Live> live_;
  bool closing_ = false;
  os::Descriptor wake_;
  std::thread thread_;
};

}  // namespace paperclip::environments
