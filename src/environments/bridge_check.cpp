#include <algorithm>

#include "base/json.h"
#include "base/text.h"
#include "base/write_json.h"
#include "environments/bridge.h"
#include "net/uri.h"

/// What a callback has to look like, and what of an answer goes back.
namespace paperclip::environments {

using runner::CallbackAnswer;
using runner::CallbackRequest;
using runner::HeaderField;

namespace {

constexpr std::size_t longest_value = 4096;
constexpr std::size_t longest_query = 8192;
constexpr std::string_view passed_on[] = {"accept", "content-type", "if-match", "if-none-match"};
constexpr std::string_view passed_back[] = {"content-type", "etag", "last-modified"};

bool is_field_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '\t' || (c >= 0x20 && c < 0x7f); });
}
bool is_query_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
}

std::string write_query(std::string_view raw) {
  std::string query;
  for (const auto& [name, value] : net::parse_query(raw)) {
    if (!query.empty()) query += '&';
    query.append(percent_encode(name)).append("=").append(percent_encode(value));
  }
  return query;
}

// Text for a message: what is no visible ASCII would say nothing to anyone.
std::string shown(std::string_view text) {
  std::string out(text.substr(0, 256));
  for (char& c : out)
    if (c < 0x20 || c >= 0x7f) c = '?';
  return out;
}

std::optional<std::string_view> value_of(const std::vector<HeaderField>& headers, std::string_view name) {
  for (const auto& field : headers)
    if (field.name == name) return field.value;
  return std::nullopt;
}

}  // namespace

CallbackAnswer bridge_error(std::uint64_t id, int status, std::string_view message) {
  CallbackAnswer answer;
  answer.id = id;
  answer.status = static_cast<std::uint16_t>(status);
  answer.headers.push_back({"content-type", "application/json"});
  if (status == 503) answer.headers.push_back({"retry-after", "1"});
  JsonObjectWriter(answer.body).field("error", message).end();
  return answer;
}

CheckedCallback check_callback(const BridgePolicy& policy, const CallbackRequest& asked) {
  CheckedCallback checked;
  const auto refuse = [&](int status, std::string_view message) {
    checked.refusal = bridge_error(asked.id, status, message);
    return std::move(checked);
  };
  if (asked.body.size() > policy.max_body_bytes) return refuse(502, "Bridge request body exceeded the configured size limit.");
  if (asked.query.size() > longest_query || !is_query_text(asked.query)) return refuse(400, "Invalid bridge request payload.");
  const std::string method = upper(trim(asked.method));
  const auto segments = canonical_segments(asked.path);
  if (!segments || !allows(policy.allow_list, method, *segments))
    return refuse(403, "Route not allowed: " + shown(method) + " " + shown(asked.path));

  net::Request& request = checked.request;
  request.method = net::method_of(method);
  request.method_text = method;
  request.path = path_of(*segments);
  request.query = write_query(asked.query);
  request.target = request.query.empty() ? request.path : request.path + "?" + request.query;
  request.remote_address = "127.0.0.1";
  for (const std::string_view name : passed_on) {
    const auto value = value_of(asked.headers, name);
    if (!value) continue;
    if (value->size() > longest_value || !is_field_text(*value)) return refuse(400, "Invalid bridge request payload.");
    request.headers.add(name, trim(*value));
  }
  if (request.method == net::Method::get) return checked;
  if (lower(request.headers.find("content-type").value_or("")).find("json") == std::string::npos)
    return refuse(415, "Bridge only accepts JSON request bodies.");
  if (trim(asked.body).empty()) return checked;
  const auto body = parse_json(asked.body);
  if (!body) return refuse(400, body.error().message);
  request.body = to_string(*body);
  return checked;
}

CallbackAnswer filtered_answer(const BridgePolicy& policy, std::uint64_t id, const net::Response& response) {
  const std::string_view body = response.body.empty() ? response.static_body : std::string_view(response.body);
  // A file is never the answer to a call that is allowed.
  if (body.size() > policy.max_body_bytes || response.file_body)
    return bridge_error(id, 502, "Bridge response body exceeded the configured size limit of " + std::to_string(policy.max_body_bytes) + " bytes.");
  CallbackAnswer answer;
  answer.id = id;
  answer.status = static_cast<std::uint16_t>(response.status);
  for (const std::string_view name : passed_back) {
    const auto value = response.headers.find(name);
    if (value && !trim(*value).empty() && is_field_text(*value)) answer.headers.push_back({std::string(name), std::string(trim(*value))});
  }
  answer.body = body;
  return answer;
}

}  // namespace paperclip::environments
