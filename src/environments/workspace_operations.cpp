#include "environments/workspace_operations.h"

#include "base/crypto.h"
#include "base/text.h"
#include "base/write_json.h"
#include "os/files.h"
#include "store/database.h"

namespace paperclip::environments {

namespace {

constexpr std::size_t excerpt_bytes = 4096;

// Bytes that are no text cannot be stored.
std::string storable(std::string_view bytes) {
  if (valid_utf8(bytes) && bytes.find('\0') == std::string_view::npos) return std::string(bytes);
  std::string out;
  for (std::size_t i = 0; i < bytes.size();) {
    std::size_t length = 1;
    while (length <= 4 && i + length <= bytes.size() && !valid_utf8(bytes.substr(i, length))) ++length;
    if (length > 4 || i + length > bytes.size() || bytes[i] == '\0') {
      out += "\xEF\xBF\xBD";
      ++i;
    } else {
      out += bytes.substr(i, length);
      i += length;
    }
  }
  return out;
}

void append_line(std::string& log, Timestamp at, std::string_view stream, const std::string& chunk) {
  if (chunk.empty()) return;
  JsonObjectWriter(log).field("ts", at).field("stream", stream).field("chunk", chunk).end();
  log += '\n';
}

}  // namespace

OperationRecorder::OperationRecorder(const OperationStore& store, CompanyId company, std::optional<RunId> run, std::optional<ExecutionWorkspaceId> workspace)
    : store_(store), company_(company), run_(run), workspace_(workspace) {}

Result<os::CommandOutput> OperationRecorder::record(const Step& step, const std::function<Result<os::CommandOutput>()>& work) {
  domain::OperationStart start{company_, run_, workspace_, step.phase, step.command, step.cwd, step.metadata};
  const auto id = TRY(store_.database.write([&](store::Transaction& tx) -> Result<WorkspaceOperationId> { return domain::begin_operation(tx, start); }));
  operations_.push_back(id);
  auto outcome = work();
  TRY(finish(id, outcome));
  return outcome;
}

Result<> OperationRecorder::finish(WorkspaceOperationId id, const Result<os::CommandOutput>& outcome) {
  domain::OperationEnd end;
  std::string out, err;
  if (outcome) {
    out = storable(outcome->stdout_text);
    err = storable(outcome->stderr_text);
    end.exit_code = outcome->exit_code;
    end.status = outcome->ok() ? domain::WorkspaceOperationStatus::succeeded : domain::WorkspaceOperationStatus::failed;
  } else {
    err = storable(outcome.error().message);
    end.status = domain::WorkspaceOperationStatus::failed;
  }
  std::string log;
  const Timestamp now = store_.database.clock().now();
  append_line(log, now, "stdout", out);
  append_line(log, now, "stderr", err);
  const std::filesystem::path ref = std::filesystem::path(company_.str()) / (id.str() + ".ndjson");
  TRY(os::make_directories((store_.log_directory / ref).parent_path()));
  TRY(os::write_file_atomically(store_.log_directory / ref, log));
  end.log_ref = ref.string();
  end.log_bytes = static_cast<std::int64_t>(log.size());
  end.log_sha256 = sha256_hex(log);
  end.stdout_excerpt = utf8_tail(out, excerpt_bytes);
  end.stderr_excerpt = utf8_tail(err, excerpt_bytes);
  return store_.database.write([&](store::Transaction& tx) -> Result<> {
    domain::finish_operation(tx, id, end);
    return {};
  });
}

}  // namespace paperclip::environments
