#pragma once

#include <chrono>
#include <string>

#include "cli/client.h"

/// The agents of the demonstration. They know what any agent knows: the PAPERCLIP_ variables of their run, and the
/// public API (spec/agent-contract.md).
namespace paperclip::cli::demo {

/// One run of an agent: who it is and what it was woken for.
class Seat {
 public:
  /// Fails when a variable is missing, or the server does not know the key.
  static Result<Seat> take(const Surroundings& around);

  Client& api() { return api_; }
  const std::string& name() const { return name_; }
  const std::string& agent_id() const { return agent_id_; }
  const std::string& company_id() const { return company_id_; }
  const std::string& task_id() const { return task_id_; }
  const std::string& wake_reason() const { return wake_reason_; }

  /// The issue we were woken for.
  Result<json::value> task();
  /// Takes it. False when somebody else has it: then there is nothing to do here.
  Result<bool> check_out();
  Result<> comment(const std::string& markdown);
  /// Creates the document, or a new revision of it.
  Result<> write_document(const std::string& key, const std::string& title, const std::string& markdown);
  Result<> report_cost(const std::string& model, std::int64_t numbers);
  /// Status and comment in one call, as agents are taught.
  Result<> finish(const std::string& status, const std::string& comment);

  /// One line of the run's log; then a moment's pause, so that people can follow.
  void say(const std::string& line);

 private:
  Seat(Surroundings around, Client api) : around_(std::move(around)), api_(std::move(api)) {}
  Surroundings around_;
  Client api_;
  std::string name_, agent_id_, company_id_, task_id_, wake_reason_, run_id_;
  std::chrono::milliseconds pace_{0};
};

/// The value of a line `name: value` in an issue's description; empty if there is none.
std::string fact(const json::value& issue, std::string_view name);
/// `below: 2000000` of the description, within reason.
Result<std::uint32_t> limit_of(const json::value& issue);

Result<int> run_lead(Seat& seat);
Result<int> run_worker(Seat& seat);

}  // namespace paperclip::cli::demo
