#pragma once

#include "adapters/adapter.h"

namespace paperclip::adapters {

/// One request to a worker elsewhere (spec/adapters.md 13). The worker needs an API key of its own.
class HttpAdapter final : public Adapter {
 public:
  std::string_view type() const override { return "http"; }
  RunForm form() const override { return RunForm::http_call; }
  Result<HttpCall> prepare_call(const RunContext& run) const override;
  AdapterResult finish_call(const HttpCall& call, const HttpOutcome& outcome) const override;
  std::string documentation() const override;
  std::vector<Check> test(const SelfTest& test) const override;
};

}  // namespace paperclip::adapters
