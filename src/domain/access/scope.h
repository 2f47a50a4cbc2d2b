#pragma once

#include "base/result.h"
#include "domain/access/actor.h"

namespace paperclip::domain {

/// Proof that a caller may act in a company. Every company-scoped rule takes one, so tenancy cannot be forgotten.
class CompanyScope {
 public:
  CompanyId company_id() const { return company_id_; }
  const Actor& actor() const { return actor_; }
  Author author() const { return Author::of(actor_); }

  /// For the server's own work (engine, scheduler, recovery), which serves every company.
  static CompanyScope internal(CompanyId company);
  /// For the company that `creator` makes in this transaction, of which it cannot be a member yet.
  static CompanyScope of_creator(CompanyId company, const Actor& creator) { return CompanyScope(company, creator); }

 private:
  CompanyScope(CompanyId company, Actor actor) : company_id_(company), actor_(std::move(actor)) {}
  friend Result<CompanyScope> authorise_company(const Actor&, CompanyId, bool write);
  CompanyId company_id_;
  Actor actor_;
};

/// `assertCompanyAccess` of spec/platform.md 1.4: 401 without an actor, 403 for a foreign company or a read-only role.
Result<CompanyScope> authorise_company(const Actor& actor, CompanyId company, bool write);

/// 403 `Board access required` unless a human calls.
Result<> require_board(const Actor& actor);
/// 403 unless the local board or an instance admin calls.
Result<> require_instance_admin(const Actor& actor, const char* message = "Instance admin access required");

}  // namespace paperclip::domain
