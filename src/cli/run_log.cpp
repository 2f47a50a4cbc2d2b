#include "cli/run_log.h"

#include <fmt/format.h>

#include "base/text.h"
#include "cli/output.h"

namespace paperclip::cli {

namespace {

constexpr std::uint64_t usual_bytes = 64 * 1024, most_bytes = 1024 * 1024;

// The `assistant` and `result` lines of Claude's stream-json, which others have taken over.
std::string readable_event(const json::value& event) {
  const std::string type = string_at(event, "type").value_or("");
  if (type == "result") {
    const auto* cost = member(event, "total_cost_usd");
    const auto text = text_at(event, "result").value_or("");
    return cost != nullptr && cost->is_number() ? fmt::format("{}  (${:.4f})", text, cost->to_number<double>()) : text;
  }
  if (type == "system") return text_at(event, "model") ? "model " + *text_at(event, "model") : "";
  const auto* content = find_path(event, "message.content");
  if (type != "assistant" || content == nullptr || !content->is_array()) return {};
  std::string out;
  for (const auto& part : content->get_array()) {
    std::string line;
    if (string_at(part, "type") == "text")
      line = text_at(part, "text").value_or("");
    else if (string_at(part, "type") == "tool_use")
      line = "> " + string_at(part, "name").value_or("tool") +
             (member(part, "input") != nullptr ? " " + compact(to_string(*member(part, "input")), 120) : "");
    if (!line.empty()) (out += out.empty() ? "" : "\n") += line;
  }
  return out;
}

}  // namespace

Result<std::vector<LogChunk>> RunLogTail::read(Client& client) {
  std::vector<LogChunk> chunks;
  std::uint64_t limit = usual_bytes;
  while (true) {
    auto answer = client.get(
        fmt::format("{}?offset={}&limitBytes={}", path("/api/heartbeat-runs/{}/log", {run_id_}), offset_, limit));
    if (!answer) {
      if (answer.error().kind == ErrorKind::not_found) return chunks;
      return std::move(answer).error();
    }
    const std::string content = string_at(*answer, "content").value_or("");
    // A range may end inside a line, even inside a character: only whole lines count, the rest is asked for again.
    const auto end = content.rfind('\n');
    if (end == std::string::npos) {
      if (content.size() < limit || limit >= most_bytes) return chunks;
      limit = std::min(limit * 4, most_bytes);
      continue;
    }
    offset_ += end + 1;
    for (const auto& line : split(std::string_view(content).substr(0, end), '\n'))
      if (const auto record = parse_json(line); record && record->is_object())
        chunks.push_back({string_at(*record, "ts").value_or(""), string_at(*record, "stream").value_or("stdout"),
                          string_at(*record, "chunk").value_or("")});
    if (member(*answer, "nextOffset") == nullptr) return chunks;
  }
}

std::vector<std::string> LineJoiner::feed(const std::string& stream, std::string_view text) {
  std::string& open = stream == "stderr" ? err_ : out_;
  open += text;
  std::vector<std::string> lines;
  std::size_t begin = 0;
  for (auto end = open.find('\n'); end != std::string::npos; end = open.find('\n', begin)) {
    lines.push_back(open.substr(begin, end - begin));
    if (!lines.back().empty() && lines.back().back() == '\r') lines.back().pop_back();
    begin = end + 1;
  }
  open.erase(0, begin);
  return lines;
}

std::vector<std::string> LineJoiner::rest() {
  std::vector<std::string> lines;
  for (auto* open : {&out_, &err_})
    if (!open->empty()) lines.push_back(std::move(*open)), open->clear();
  return lines;
}

bool is_final_run_status(std::string_view status) {
  return status == "succeeded" || status == "failed" || status == "cancelled" || status == "timed_out";
}

std::string readable_line(std::string_view adapter_type, const std::string& line) {
  if (adapter_type == "process" || adapter_type == "http" || !line.starts_with('{')) return line;
  const auto event = parse_json(line);
  if (!event || !event->is_object() || member(*event, "type") == nullptr) return line;
  return readable_event(*event);
}

}  // namespace paperclip::cli
