#pragma once

#include "../store/both_engines.h"
#include "domain/schema/migrations.h"

namespace paperclip::test {

/// A test on an empty database with the whole schema, once on each engine.
class DomainDatabase : public BothEngines {
 protected:
  void SetUp() override {
    BothEngines::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) reopen();
  }
  void reopen() {
    database_.reset();
    auto opened = store::Database::open(options(domain::domain_migrations()));
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    database_ = std::move(*opened);
  }

  /// Runs one statement in a transaction of its own.
  template <class... Args>
  Result<std::int64_t> execute(std::string_view sql, const Args&... args) {
    return database_->write([&](store::Transaction& tx) -> Result<std::int64_t> { return tx.execute(sql, args...); });
  }
  template <class Entity>
  Result<> insert(std::string_view table, const Entity& entity) {
    return database_->write([&](store::Transaction& tx) -> Result<> {
      tx.insert(table, entity);
      return success();
    });
  }
  template <class T, class... Args>
  std::optional<T> value(std::string_view sql, const Args&... args) {
    return database_->read([&](store::Reader& reader) { return reader.value<T>(sql, args...); });
  }
};

}  // namespace paperclip::test
