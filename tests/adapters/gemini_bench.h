#pragma once

#include <stdexcept>

#include "adapters/registry.h"
#include "support.h"

namespace paperclip::adapters {

inline const Adapter& gemini() { return *find_adapter("gemini_local"); }

/// A machine with a `gemini` on its PATH, an instructions file and one skill.
struct GeminiBench {
  GeminiBench() {
    namespace fs = std::filesystem;
    tool = folder.write("bin/gemini", "#!/bin/sh\n");
    fs::permissions(tool, fs::perms::owner_all);
    run = sample_run(folder);
    run.host.front().second = (folder.path() / "bin").string() + ":/usr/bin:/bin";
    instructions = folder.write("agent/AGENTS.md", "You are Ada.\n");
    skill = folder.write("skills/demo/SKILL.md", "---\nname: demo\n---\n").parent_path();
    const json::object entry = {{"key", "acme/demo"}, {"runtimeName", "demo"}, {"source", skill.string()}, {"required", true}};
    run.config["instructionsFilePath"] = instructions.string();
    run.config["paperclipRuntimeSkills"] = json::array{entry};
  }

  PreparedRun prepare() {
    auto prepared = gemini().prepare(run);
    if (!prepared.ok()) throw std::runtime_error(prepared.error().message);
    return std::move(*prepared);
  }

  /// What follows the option in the command line; empty if it is not there.
  static std::string option(const PreparedRun& prepared, const std::string& name) {
    const auto at = std::find(prepared.argv.begin(), prepared.argv.end(), name);
    return at == prepared.argv.end() || at + 1 == prepared.argv.end() ? "" : *(at + 1);
  }

  /// A first run has left this session; it went through the database.
  void save_session(const std::string& id) {
    const auto result = outcome(R"({"type":"init","session_id":")" + id + "\"}\n{\"type\":\"result\",\"status\":\"success\"}\n", {.code = 0});
    run.session = *result.session;
    run.session.params = *gemini().session_params(result.session->params);
  }

  /// The meaning of this output, fed in pieces of `chunk` bytes (0: at once).
  AdapterResult outcome(const std::string& out, const Exit& exit, const std::string& err = "", std::size_t chunk = 0) {
    auto prepared = prepare();
    for (std::size_t at = 0; at < out.size();) {
      const std::size_t length = chunk == 0 ? out.size() : chunk;
      prepared.parser->feed(OutputStream::out, std::string_view(out).substr(at, length));
      at += length;
    }
    prepared.parser->feed(OutputStream::err, err);
    return prepared.parser->finish(exit, *parse_iso("2026-05-03T10:00:00.000Z"));
  }

  std::filesystem::path skills_home() const { return folder.path() / ".gemini/skills"; }

  Folder folder;
  std::filesystem::path tool, instructions, skill;
  RunContext run;
};

}  // namespace paperclip::adapters
