#include "domain/access/run_token.h"

#include "base/crypto.h"
#include "base/json.h"
#include "base/text.h"

namespace paperclip::domain {

namespace {

// The header is fixed: another algorithm is not verified, whatever the token claims.
constexpr std::string_view header = R"({"alg":"HS256","typ":"JWT"})";

std::optional<std::int64_t> whole_number(const json::value& claims, std::string_view key) {
  const auto* found = member(claims, key);
  if (found == nullptr || !found->is_number()) return std::nullopt;
  return static_cast<std::int64_t>(found->to_number<double>());
}

}  // namespace

std::string RunTokens::issue(AgentId agent, CompanyId company, std::string_view adapter_type, RunId run, Timestamp now) const {
  const std::int64_t issued = now.ms / 1000;
  json::object claims{{"sub", agent.view()},  {"company_id", company.view()}, {"adapter_type", adapter_type},
                      {"run_id", run.view()}, {"iat", issued},                {"exp", issued + lifetime_.count()},
                      {"iss", issuer_},       {"aud", audience_}};
  std::string token = base64url_encode(header) + "." + base64url_encode(to_string(claims));
  const std::string signature = hmac_sha256(secret_.expose(), token);
  return token + "." + base64url_encode(signature);
}

std::optional<RunTokenClaims> RunTokens::verify(std::string_view token, Timestamp now) const {
  const auto parts = split(token, '.');
  if (parts.size() != 3) return std::nullopt;
  const auto head_text = base64url_decode(parts[0]), claims_text = base64url_decode(parts[1]), signature = base64url_decode(parts[2]);
  if (!head_text || !claims_text || !signature) return std::nullopt;
  if (!constant_time_equal(hmac_sha256(secret_.expose(), parts[0] + "." + parts[1]), *signature)) return std::nullopt;
  const auto head = parse_json(*head_text), claims = parse_json(*claims_text);
  if (!head || !claims || string_at(*head, "alg") != "HS256") return std::nullopt;
  const auto agent = string_at(*claims, "sub"), company = string_at(*claims, "company_id");
  const auto adapter = string_at(*claims, "adapter_type"), run = string_at(*claims, "run_id");
  const auto issued = whole_number(*claims, "iat"), expires = whole_number(*claims, "exp");
  if (!agent || !company || !adapter || !run || !issued || !expires) return std::nullopt;
  if (*expires < now.ms / 1000) return std::nullopt;
  // Issuer and audience count only when they are there.
  if (const auto iss = string_at(*claims, "iss"); iss && *iss != issuer_) return std::nullopt;
  if (const auto aud = string_at(*claims, "aud"); aud && *aud != audience_) return std::nullopt;
  const auto agent_id = AgentId::parse(*agent);
  const auto company_id = CompanyId::parse(*company);
  const auto run_id = RunId::parse(*run);
  if (!agent_id || !company_id || !run_id) return std::nullopt;
  return RunTokenClaims{*agent_id, *company_id, *adapter, *run_id, {*issued * 1000}, {*expires * 1000}};
}

}  // namespace paperclip::domain
