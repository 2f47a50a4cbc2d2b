#include "heartbeat/run_egress.h"

#include <utility>

#include "runner/egress.h"

namespace paperclip::heartbeat {

Result<std::optional<RunEgress>> RunEgress::open(environments::EgressGateway* gateway, const environments::PlaceDescription& place) {
  if (place.egress.mode != environments::EgressTerms::Mode::allow_list) return std::optional<RunEgress>();
  if (gateway == nullptr) return unprocessable("The " + place.label + " reaches allowed hosts only, and this server opens no connections for sandboxes");
  auto policy = TRY(environments::EgressPolicy::parse(place.egress.allow));
  RunEgress egress;
  egress.refusals_ = std::make_shared<Refusals>();
  egress.session_ = gateway->open(std::move(policy), [refusals = egress.refusals_](const std::string& line) {
    const std::lock_guard lock(refusals->mutex);
    refusals->lines.push_back(line);
  });
  return std::optional<RunEgress>(std::move(egress));
}

void RunEgress::lay_over(environments::RunCommand& command) const {
  std::erase_if(command.env, [](const auto& entry) { return entry.first == runner::egress_variable; });
  command.env.emplace_back(runner::egress_variable, runner::egress_by_proxy);
}

std::vector<std::string> RunEgress::take_refusals() const {
  const std::lock_guard lock(refusals_->mutex);
  return std::exchange(refusals_->lines, {});
}

}  // namespace paperclip::heartbeat
