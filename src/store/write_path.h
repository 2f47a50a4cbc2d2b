#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "store/event_delivery.h"
#include "store/function_ref.h"
#include "store/session_pool.h"
#include "store/transaction.h"

namespace paperclip::store {

/// A rule: true to keep what it wrote. It leaves its outcome with its caller.
using Rule = FunctionRef<bool(Transaction&)>;

struct WriteCounters {
  std::atomic<std::uint64_t> rules = 0, commits = 0, largest_batch = 0, retries = 0;
};

/// How rules become commits on one engine.
class WritePath {
 public:
  virtual ~WritePath() = default;
  /// Blocks until the rule is committed or rolled back. An Error if the database refused or failed; what else the rule
  /// throws is thrown.
  virtual std::optional<Error> run(Rule rule) = 0;
  const WriteCounters& counters() const { return counters_; }

 protected:
  WriteCounters counters_;
};

/// What every transaction is given.
struct TransactionSources {
  Clock& clock;
  Random& random;
  const std::string& origin;
};

/// SQLite: one thread takes all waiting rules into one BEGIN IMMEDIATE, each in a savepoint, and one COMMIT, then
/// answers them all. So a commit's fsync is shared, and a reader never sees half a rule.
class SqliteWriter : public WritePath {
 public:
  SqliteWriter(std::unique_ptr<Session> session, TransactionSources sources, QueuedDelivery& delivery);
  /// Runs what waits, then ends.
  ~SqliteWriter() override;
  std::optional<Error> run(Rule rule) override;

 private:
  struct Job;
  void loop();
  void run_batch(std::vector<Job*> batch);
  void run_job(Job& job, bool alone);
  std::optional<Error> commit();
  void settle(std::vector<Job*>& batch);

  std::unique_ptr<Session> session_;
  TransactionSources sources_;
  QueuedDelivery& delivery_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Job*> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

/// PostgreSQL: several rules at once, each serializable on a session of its own, run again after a serialisation
/// failure.
class PostgresWriter : public WritePath {
 public:
  PostgresWriter(SessionPool::Open open, int sessions, std::chrono::milliseconds patience, TransactionSources sources);
  std::optional<Error> run(Rule rule) override;

 private:
  enum class Attempt { done, again };
  Attempt attempt(Rule rule);
  void commit(Session& session, Transaction& tx);
  void back_off(int attempt);

  SessionPool pool_;
  TransactionSources sources_;
};

}  // namespace paperclip::store
