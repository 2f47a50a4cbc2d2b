#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chance.h"
#include "domain/access/scope.h"
#include "machine.h"
#include "store/database.h"

namespace paperclip::simulator {

/// A company whose people and agents do things: the callers of the API.
class World {
 public:
  World(store::Database& database, VirtualClock& clock, Dice& dice);

  /// One random thing that a person or the outside does.
  void disturb();
  /// An agent at work uses the API. Returns a complaint if it could do what a stale run must not.
  std::optional<std::string> act(const Process& process, bool calm);
  /// Nobody wants anything new; what was stopped goes on, and timers rest.
  void calm_down();

  CompanyId company() const { return company_; }
  std::string last_deed() const { return deed_; }

 private:
  void hire(int number);
  void open_dead_ends();
  template <class Body>
  std::optional<Body> body(const json::object& fields);
  template <class Rule>
  bool attempt(Rule&& rule);
  domain::CompanyScope board();
  domain::CompanyScope scope_of(const Process& process);
  template <class IdType>
  std::optional<IdType> any(std::string_view sql);

  void wake();
  void new_issue();
  void comment();
  void patch();
  void cancel();
  void pause_or_resume();
  // world_limits.cpp
  void limit_something();
  void decide_incident();
  void report_cost(const Process& process, const std::optional<IssueId>& issue);
  void lift_limits(store::Transaction& tx);

  store::Database& database_;
  VirtualClock& clock_;
  Dice& dice_;
  CompanyId company_;
  std::vector<AgentId> agents_;
  bool limited_ = false;  // whether this story is one about money and limits, too
  std::string deed_;
};

}  // namespace paperclip::simulator
