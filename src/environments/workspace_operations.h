#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/json.h"
#include "base/result.h"
#include "domain/workspaces/operations.h"
#include "os/process.h"

namespace paperclip::store {
class Database;
}

namespace paperclip::environments {

/// Where operations of workspaces are recorded (spec/workspaces.md 7).
struct OperationStore {
  store::Database& database;
  /// `<directory>/<company>/<operation>.ndjson`
  std::filesystem::path log_directory;
};

/// Records what is done to one workspace: a row before, the command's output as a log file, the row completed. Not for
/// use inside a rule.
class OperationRecorder {
 public:
  OperationRecorder(const OperationStore& store, CompanyId company, std::optional<RunId> run, std::optional<ExecutionWorkspaceId> workspace);

  struct Step {
    domain::WorkspaceOperationPhase phase;
    std::string command;  // as people write it
    std::string cwd;
    json::object metadata;
  };
  /// Does the work between the two rows and returns what it returned. An exit code other than 0 is a failed operation.
  Result<os::CommandOutput> record(const Step& step, const std::function<Result<os::CommandOutput>()>& work);

  /// Of all steps so far, in order.
  const std::vector<WorkspaceOperationId>& operations() const { return operations_; }

 private:
  Result<> finish(WorkspaceOperationId id, const Result<os::CommandOutput>& outcome);

  const OperationStore& store_;
  const CompanyId company_;
  const std::optional<RunId> run_;
  const std::optional<ExecutionWorkspaceId> workspace_;
  std::vector<WorkspaceOperationId> operations_;
};

}  // namespace paperclip::environments
