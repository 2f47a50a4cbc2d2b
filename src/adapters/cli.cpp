#include "adapters/cli.h"

#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "adapters/config.h"
#include "adapters/output.h"
#include "base/text.h"
#include "base/write_json.h"
#include "os/process.h"

namespace paperclip::adapters {

namespace fs = std::filesystem;

WorkingDirectory working_directory(const RunContext& run) {
  if (run.place.is_remote()) return {run.place.cwd, false};
  const json::object& workspace = config_object(run.context, "paperclipWorkspace");
  const std::string configured = config_text(run.config, "cwd");
  const std::string resolved = config_text(workspace, "cwd");
  if (!configured.empty() && (resolved.empty() || config_text(workspace, "source") == "agent_home"))
    return {configured, !resolved.empty()};
  if (!resolved.empty()) return {resolved, false};
  return {run.server_cwd.string(), false};
}

Result<void> check_run_directory(const std::string& cwd) {
  std::error_code error;
  if (fs::path(cwd).is_absolute() && !fs::exists(cwd, error)) return success();
  return os::check_working_directory(cwd);
}

std::chrono::milliseconds seconds_setting(const json::object& config, std::string_view key, double fallback) {
  const double seconds = config_number(config, key, fallback);
  // A week is longer than anyone waits; it also keeps the product in range.
  return std::chrono::milliseconds(std::llround(std::clamp(seconds, 0.0, 604800.0) * 1000));
}

std::string timed_out_message(std::chrono::milliseconds timeout) {
  std::string seconds;
  append_json(seconds, static_cast<double>(timeout.count()) / 1000.0);
  return "Timed out after " + seconds + "s";
}

std::optional<Instructions> read_instructions(const json::object& config, std::string_view key, const std::string& cwd,
                                              std::vector<std::string>& log_notes) {
  const std::string configured(trim(config_text(config, key)));
  if (configured.empty()) return std::nullopt;
  const fs::path path = fs::path(configured).is_absolute() ? fs::path(configured) : fs::path(cwd) / configured;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  std::error_code error;
  const bool readable = fs::is_regular_file(path, error) && file && (content << file.rdbuf(), !file.bad());
  if (!readable) {
    const auto reason = error ? error.message() : std::string(file ? "not a regular file" : "cannot be opened");
    log_notes.push_back("[paperclip] Warning: could not read agent instructions file \"" + path.string() +
                        "\": " + reason);
    return std::nullopt;
  }
  return Instructions{storable_text(content.str()), path.string(), path.parent_path().string() + "/"};
}

std::string instructions_with_origin(const Instructions& instructions) {
  std::string out(trim(instructions.text));
  if (!out.empty()) out += "\n\n";
  return out + "These instructions were read from " + instructions.path +
         ". Paths in them that are relative belong to the directory " + instructions.directory +
         "; sibling files such as HEARTBEAT.md, SOUL.md and TOOLS.md, where they are mentioned, are found there.";
}

namespace {

std::string text_of(const json::object& object, std::string_view key) {
  return text_at(json::value(object), key).value_or("");
}

bool same_text(const json::object& a, const json::object& b, std::string_view key) {
  return text_of(a, key) == text_of(b, key);
}

bool same_path(const std::string& a, const std::string& b) {
  const auto normal = [](const std::string& path) {
    std::string text = fs::path(path).lexically_normal().string();
    while (text.size() > 1 && text.ends_with('/')) text.pop_back();
    return text;
  };
  return normal(a) == normal(b);
}

std::string first_of(const json::value& raw, std::initializer_list<std::string_view> keys) {
  for (auto key : keys)
    if (auto text = text_at(raw, key)) return *text;
  return {};
}

std::string snake_case(std::string_view camel) {
  std::string out;
  for (char c : camel) {
    if (c >= 'A' && c <= 'Z') {
      out += '_';
      c = static_cast<char>(c + 32);
    }
    out += c;
  }
  return out;
}

}  // namespace

bool same_place(const json::object& a, const json::object& b) {
  if (a.empty() && b.empty()) return true;
  const std::string transport = text_of(a, "transport");
  if (transport != text_of(b, "transport") || !same_text(a, b, "remoteCwd")) return false;
  if (transport == "ssh")
    return same_text(a, b, "host") && same_text(a, b, "username") &&
           config_number(a, "port", 22) == config_number(b, "port", 22);
  if (transport != "sandbox" || !same_text(a, b, "providerKey") || !same_text(a, b, "environmentId")) return false;
  // Our lease's row changes with every run, the provider's sandbox does not (spec/remote-runtimes.md 7).
  const auto key = a.contains("providerLeaseId") || b.contains("providerLeaseId") ? "providerLeaseId" : "leaseId";
  return !text_of(a, key).empty() && same_text(a, b, key);
}

ResumeDecision decide_resume(const RunContext& run, std::string_view tool, const std::string& cwd,
                             const std::function<std::string(const json::object&)>& refuse) {
  const std::string saved_id = text_of(run.session.params, "sessionId");
  const std::string id = saved_id.empty() ? std::string(trim(run.session.id)) : saved_id;
  if (id.empty() || run.retry_with_fresh_session) return {};
  const std::string prefix = "[paperclip] " + std::string(tool) + " session \"" + id + "\" ";
  const json::object& saved_place = config_object(run.session.params, "remoteExecution");
  if (!same_place(saved_place, run.place.identity)) {
    return {{},
            prefix + "does not match the current remote execution identity and will not be resumed in \"" + cwd +
                "\". Starting a fresh " + (run.place.is_remote() ? "remote " : "") + "session."};
  }
  const std::string saved_cwd = text_of(run.session.params, "cwd");
  if (!saved_cwd.empty() && !same_path(saved_cwd, cwd))
    return {{}, prefix + "was saved for cwd \"" + saved_cwd + "\" and will not be resumed in \"" + cwd + "\"."};
  if (refuse)
    if (const auto reason = refuse(run.session.params); !reason.empty()) return {{}, prefix + reason};
  return {id, {}};
}

std::optional<json::object> cli_session_params(const json::value& raw, std::vector<std::string_view> further_keys) {
  const std::string id = first_of(raw, {"sessionId", "session_id", "sessionID"});
  if (id.empty()) return std::nullopt;
  json::object out{{"sessionId", id}};
  if (const auto cwd = first_of(raw, {"cwd", "workdir", "folder"}); !cwd.empty()) out["cwd"] = cwd;
  for (std::string_view key : {"workspaceId", "repoUrl", "repoRef"})
    if (const auto text = first_of(raw, {key, snake_case(key)}); !text.empty()) out[key] = text;
  for (auto key : further_keys)
    if (const auto text = first_of(raw, {key, snake_case(key)}); !text.empty()) out[key] = text;
  for (auto key : {"remoteExecution", "remote_execution"})
    if (const auto* place = member(raw, key);
        place != nullptr && place->is_object() && !out.contains("remoteExecution"))
      out["remoteExecution"] = *place;
  return out;
}

json::object saved_session_params(const RunContext& run, std::string_view session_id, const std::string& cwd) {
  json::object out{{"sessionId", session_id}, {"cwd", cwd}};
  const json::object& workspace = config_object(run.context, "paperclipWorkspace");
  for (auto key : {"workspaceId", "repoUrl", "repoRef"})
    if (const auto text = text_of(workspace, key); !text.empty()) out[key] = text;
  if (run.place.is_remote()) out["remoteExecution"] = run.place.identity;
  return out;
}

std::string runtime_root(const ExecutionPlace& place, std::string_view adapter_key) {
  std::string cwd = place.cwd;
  while (cwd.size() > 1 && cwd.ends_with('/')) cwd.pop_back();
  return cwd + "/.paperclip-runtime/" + std::string(adapter_key);
}

}  // namespace paperclip::adapters
