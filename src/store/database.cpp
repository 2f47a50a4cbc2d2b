#include "store/database.h"

#include "store/backup.h"
#include "store/session_pool.h"
#include "store/write_path.h"

namespace paperclip::store {

namespace {

constexpr int writer_cache_kib = 4000;  // grows only as far as it is used
constexpr int reader_cache_kib = 1000;

/// Brings the schema up to date on the session that will write.
Result<void> bring_up_to_date(Session& session, const OpenOptions& options) {
  std::vector<Migration> all(store_migrations().begin(), store_migrations().end());
  all.insert(all.end(), options.migrations.begin(), options.migrations.end());
  return migrate(session, all, *options.clock);
}

}  // namespace

/// Destroyed from the last to the first: the writer before the delivery that it feeds.
struct Database::Parts {
  OpenOptions options;
  std::string origin;
  Engine engine = Engine::sqlite;
  std::unique_ptr<SessionPool> readers;
  std::unique_ptr<EventDelivery> delivery;
  std::unique_ptr<WritePath> writer;

  explicit Parts(OpenOptions options_) : options(std::move(options_)), origin(options.random->uuid()) {}
  TransactionSources sources() { return {*options.clock, *options.random, origin}; }

  Result<void> build(const SqliteFile& file) {
    engine = Engine::sqlite;
    auto session = Session::open_sqlite({.path = file.path, .writer = true, .cache_kib = writer_cache_kib});
    TRY(bring_up_to_date(*session, options));
    readers = std::make_unique<SessionPool>(
        [path = file.path] {
          return Session::open_sqlite({.path = path, .writer = false, .cache_kib = reader_cache_kib});
        },
        options.readers, options.patience);
    auto queue = std::make_unique<QueuedDelivery>();
    writer = std::make_unique<SqliteWriter>(std::move(session), sources(), *queue);
    delivery = std::move(queue);
    return success();
  }

  Result<void> build(const PostgresUrl& postgres) {
    engine = Engine::postgresql;
    const auto open = [url = postgres.url] { return Session::open_postgresql(url); };
    TRY(bring_up_to_date(*open(), options));
    readers = std::make_unique<SessionPool>(open, options.readers, options.patience);
    delivery = std::make_unique<FollowedDelivery>(open);
    writer = std::make_unique<PostgresWriter>(open, options.writers, options.patience, sources());
    return success();
  }
};

Database::Database(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Database::~Database() = default;

Result<std::unique_ptr<Database>> Database::open(OpenOptions options) {
  try {
    auto parts = std::make_unique<Parts>(std::move(options));
    TRY(std::visit([&](const auto& where) { return parts->build(where); }, parts->options.where));
    return std::unique_ptr<Database>(new Database(std::move(parts)));
  } catch (const StoreError& error) { return error.error(); }
}

std::optional<Error> Database::run_rule(FunctionRef<bool(Transaction&)> rule) { return parts_->writer->run(rule); }

Database::ReadLease::ReadLease(Database& database) : database_(database), session_(database.parts_->readers->take()) {
  try {
    session_->control(Control::begin_read);
  } catch (const ConnectionLost&) {
    // It died while it lay in the pool; a fresh one tells whether the server is gone.
    database_.parts_->readers->give(std::move(session_));
    session_ = database_.parts_->readers->take();
    try {
      session_->control(Control::begin_read);
    } catch (...) {
      database_.parts_->readers->give(std::move(session_));
      throw;
    }
  }
  reader_.emplace(*session_, database_.clock().now());
}

Database::ReadLease::~ReadLease() { database_.parts_->readers->give(std::move(session_)); }

void Database::subscribe(std::function<void(const Event&)> receive) { parts_->delivery->subscribe(std::move(receive)); }
bool Database::wait_delivered(std::chrono::milliseconds limit) { return parts_->delivery->wait_delivered(limit); }

Result<void> Database::backup_to(const std::filesystem::path& file) {
  const auto* source = std::get_if<SqliteFile>(&parts_->options.where);
  if (!source) return unprocessable("this database is on PostgreSQL: back it up with pg_dump");
  return copy_sqlite(source->path, file);
}

Engine Database::engine() const { return parts_->engine; }
const std::string& Database::origin() const { return parts_->origin; }
const Clock& Database::clock() const { return *parts_->options.clock; }

Statistics Database::statistics() const {
  const auto& counters = parts_->writer->counters();
  return {counters.rules, counters.commits, counters.largest_batch, counters.retries, parts_->delivery->delivered()};
}

}  // namespace paperclip::store
