#include "adapters/registry.h"

#include <algorithm>

#include "adapters/claude_local/claude_local.h"
#include "adapters/gemini_local/gemini_local.h"
#include "adapters/http/http.h"
#include "adapters/process/process.h"
#include "base/text.h"

namespace paperclip::adapters {

const std::vector<const Adapter*>& all_adapters() {
  static const ClaudeLocalAdapter claude_local;
  static const GeminiLocalAdapter gemini_local;
  static const HttpAdapter http;
  static const ProcessAdapter process;
  static const std::vector<const Adapter*> sorted = [] {
    std::vector<const Adapter*> all{&claude_local, &gemini_local, &http, &process};
    std::sort(all.begin(), all.end(), [](const Adapter* a, const Adapter* b) { return a->type() < b->type(); });
    return all;
  }();
  return sorted;
}

const Adapter* find_adapter(std::string_view type) {
  for (const Adapter* adapter : all_adapters())
    if (adapter->type() == type) return adapter;
  return nullptr;
}

Result<const Adapter*> require_adapter(std::string_view type) {
  if (trim(type).empty()) return unprocessable("Adapter type is required");
  if (const Adapter* adapter = find_adapter(type)) return adapter;
  return unprocessable("Unknown adapter type: " + std::string(type));
}

const Adapter& adapter_for_run(std::string_view type) {
  const Adapter* adapter = find_adapter(type);
  return adapter != nullptr ? *adapter : *find_adapter("process");
}

std::string adapter_documentation_index() {
  std::string out;
  for (const Adapter* adapter : all_adapters()) {
    const std::string type(adapter->type());
    out += "- " + type + ": /llms/agent-configuration/" + type + ".txt\n";
  }
  return out;
}

}  // namespace paperclip::adapters
