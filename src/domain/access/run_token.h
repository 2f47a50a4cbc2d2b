#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/id.h"
#include "base/secret.h"
#include "base/time.h"

namespace paperclip::domain {

/// What a run's token says (spec/platform.md 3.4).
struct RunTokenClaims {
  AgentId agent_id;
  CompanyId company_id;
  std::string adapter_type;
  RunId run_id;
  Timestamp issued_at, expires_at;
};

/// Issues and checks run tokens: HS256, fixed algorithm.
class RunTokens {
 public:
  RunTokens(Secret<std::string> secret, std::chrono::seconds lifetime = std::chrono::seconds(172800),
            std::string issuer = "paperclip", std::string audience = "paperclip-api")
      : secret_(std::move(secret)), lifetime_(lifetime), issuer_(std::move(issuer)), audience_(std::move(audience)) {}

  std::string issue(AgentId agent, CompanyId company, std::string_view adapter_type, RunId run, Timestamp now) const;
  /// nullopt for anything but a genuine, unexpired token.
  std::optional<RunTokenClaims> verify(std::string_view token, Timestamp now) const;

 private:
  Secret<std::string> secret_;
  std::chrono::seconds lifetime_;
  std::string issuer_, audience_;
};

}  // namespace paperclip::domain
