#include "store/migrations.h"

#include <fmt/format.h>

#include <array>

#include "store/session.h"
#include "store/sql.h"
#include "store/transaction.h"

namespace paperclip::store {

namespace {

struct AppliedMigration {
  std::int64_t version = 0;
  std::string name;
  std::string checksum;
  Timestamp applied_at;
};
BOOST_DESCRIBE_STRUCT(AppliedMigration, (), (version, name, checksum, applied_at))

/// FNV-1a: it finds an accident, nobody attacks it.
std::string checksum(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return fmt::format("{:016x}", hash);
}

constexpr std::string_view table_sql =
    "create table if not exists schema_migrations (version {bigint} primary key not null, name {text} not null, "
    "checksum {text} not null, applied_at {timestamp} not null){strict};";

/// Several servers may start on one PostgreSQL database at once; the others wait here.
class MigrationLock {
 public:
  explicit MigrationLock(Session& session) : session_(session) {
    if (session_.engine() == Engine::postgresql) session_.script("select pg_advisory_lock(7310467801)");
  }
  ~MigrationLock() {
    try {
      if (session_.engine() == Engine::postgresql) session_.script("select pg_advisory_unlock(7310467801)");
    } catch (const StoreError&) {  // the connection is gone and the lock with it
    }
  }

 private:
  Session& session_;
};

/// Begins at once and rolls back unless it was committed.
class Step {
 public:
  explicit Step(Session& session) : session_(session) { session_.control(Control::begin_write); }
  ~Step() {
    try {
      if (session_.in_transaction()) session_.control(Control::rollback);
    } catch (const StoreError&) {}
  }
  void commit() { session_.control(Control::commit); }

 private:
  Session& session_;
};

Result<void> check_history(std::span<const AppliedMigration> applied, std::span<const Migration> known) {
  for (const auto& row : applied) {
    const auto* migration = [&]() -> const Migration* {
      for (const auto& candidate : known)
        if (candidate.version == row.version) return &candidate;
      return nullptr;
    }();
    if (!migration && !known.empty() && row.version > known.back().version)
      return internal_error(
          fmt::format("this database was written by a newer version of this program: it has schema version {} ({}), "
                      "this program knows "
                      "{}. Start the newer program, or restore a backup made before the upgrade.",
                      row.version, row.name, known.back().version));
    if (!migration)
      return internal_error(fmt::format("this database has schema version {} ({}), which this program does not know",
                                        row.version, row.name));
    if (checksum(migration->sql) != row.checksum)
      return internal_error(
          fmt::format("schema migration {} ({}) was changed after it was applied to this database; add a "
                      "new migration instead",
                      row.version, row.name));
  }
  return success();
}

}  // namespace

std::span<const Migration> store_migrations() {
  static const std::array migrations{Migration{1, "events", R"(
    create table events (
      sequence {serial_pk},
      company_id {id},
      type {text} not null,
      payload {json} not null,
      created_at {timestamp} not null,
      origin {text} not null
    ){strict};
    create index events_by_age on events (created_at);
  )"}};
  return migrations;
}

Result<void> migrate(Session& session, std::span<const Migration> migrations, const Clock& clock) {
  for (std::size_t i = 1; i < migrations.size(); ++i)
    if (migrations[i].version <= migrations[i - 1].version)
      return internal_error(
          fmt::format("schema migration {} comes after {}", migrations[i].version, migrations[i - 1].version));
  try {
    const MigrationLock lock(session);
    // One transaction for all: an upgrade happens or does not, and a first start waits for the disk once.
    Step step(session);
    session.script(expand_schema(table_sql, session.engine()));
    Transaction tx(session, clock.now(), Random::system(), "");
    const auto applied = tx.all<AppliedMigration>("select {} from schema_migrations order by version");
    TRY(check_history(applied, migrations));
    for (const auto& migration : migrations) {
      bool done = false;
      for (const auto& row : applied) done = done || row.version == migration.version;
      if (done) continue;
      try {
        session.script(expand_schema(migration.sql, session.engine()));
        tx.insert("schema_migrations",
                  AppliedMigration{migration.version, migration.name, checksum(migration.sql), clock.now()});
      } catch (const StoreError& error) {
        return internal_error(
            fmt::format("schema migration {} ({}) failed: {}", migration.version, migration.name, error.what()));
      }
    }
    step.commit();
    return success();
  } catch (const StoreError& error) { return error.error(); }
}

}  // namespace paperclip::store
