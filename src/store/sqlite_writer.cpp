#include <spdlog/spdlog.h>

#include <algorithm>
#include <stdexcept>

#include "os/crash_point.h"
#include "store/write_path.h"

namespace paperclip::store {

/// A rule that waits, on its caller's stack.
struct SqliteWriter::Job {
  Rule rule;
  bool keep = false;
  std::vector<Event> events;
  std::optional<Error> failure;
  std::exception_ptr thrown;

  std::mutex mutex;
  std::condition_variable answered;
  bool done = false;

  explicit Job(Rule rule_) : rule(rule_) {}

  void fail(const Error& error) {
    keep = false;
    events.clear();
    if (!thrown) failure = error;
  }
  void answer() {
    const std::lock_guard lock(mutex);  // held while notifying: the caller's stack goes as soon as it can lock
    done = true;
    answered.notify_one();
  }
};

SqliteWriter::SqliteWriter(std::unique_ptr<Session> session, TransactionSources sources, QueuedDelivery& delivery)
    : session_(std::move(session)), sources_(sources), delivery_(delivery), thread_([this] { loop(); }) {}

SqliteWriter::~SqliteWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::optional<Error> SqliteWriter::run(Rule rule) {
  if (std::this_thread::get_id() == thread_.get_id())
    throw std::logic_error("Database::write called inside a rule; use Transaction::nested");
  Job job(rule);
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return Error(ErrorKind::unavailable, "the database is closing");
    queue_.push_back(&job);
  }
  changed_.notify_one();
  {
    std::unique_lock lock(job.mutex);
    job.answered.wait(lock, [&] { return job.done; });
  }
  if (job.thrown) std::rethrow_exception(job.thrown);
  return std::move(job.failure);
}

void SqliteWriter::loop() {
  for (;;) {
    std::vector<Job*> batch;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      batch.swap(queue_);
    }
    run_batch(std::move(batch));
  }
}

void SqliteWriter::run_batch(std::vector<Job*> batch) {
  std::vector<Job*> rest;
  std::optional<Error> failure;
  try {
    session_->control(Control::begin_write);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      run_job(*batch[i], batch.size() == 1);
      if (session_->in_transaction()) continue;
      // A full disk and its like make SQLite roll back everything. The cause stays with its rule; those before it are
      // lost with it, those behind it have not begun.
      failure = batch[i]->failure.value_or(Error(ErrorKind::unavailable, "the database ended the transaction"));
      rest.assign(batch.begin() + static_cast<std::ptrdiff_t>(i) + 1, batch.end());
      batch.resize(i + 1);
      break;
    }
    const bool any = std::ranges::any_of(batch, [](const Job* job) { return job->keep; });
    if (!failure && any) failure = commit();
    if (!failure && !any) session_->control(Control::rollback);
  } catch (const StoreError& error) { failure = error.error(); }
  if (failure) {
    if (session_->in_transaction()) session_->script("ROLLBACK");
    const auto kept = std::ranges::count_if(batch, [](const Job* job) { return job->keep; });
    if (kept > 1 && failure->kind == ErrorKind::conflict) {
      // A deferred constraint of one rule failed the commit of all: each on its own, then.
      for (Job* job : batch) {
        if (!job->keep)
          job->answer();
        else
          run_batch({job});
      }
      batch.clear();
    }
    for (Job* job : batch)
      if (job->keep || !job->failure) job->fail(*failure);
    if (failure->kind != ErrorKind::conflict)
      spdlog::error("store.commit_failed rules={} error={}", batch.size(), failure->message);
  }
  settle(batch);
  if (!rest.empty()) run_batch(std::move(rest));
}

void SqliteWriter::run_job(Job& job, bool alone) {
  job.keep = false;
  job.failure.reset();
  Transaction tx(*session_, sources_.clock.now(), sources_.random, sources_.origin);
  try {
    // One rule alone needs no savepoint: the transaction is its own.
    if (!alone) session_->control(Control::savepoint);
    job.keep = job.rule(tx);
    if (job.keep) tx.write_events();
  } catch (const StoreError& error) { job.fail(error.error()); } catch (...) {
    job.keep = false;
    job.thrown = std::current_exception();
  }
  if (job.keep) job.events = tx.take_events();
  if (!alone && session_->in_transaction()) session_->control(job.keep ? Control::release : Control::rollback_to);
}

std::optional<Error> SqliteWriter::commit() {
  try {
    crash_point("commit.before");
    session_->control(Control::commit);
    ++counters_.commits;
    crash_point("commit.after");  // and nobody knows of it
    return std::nullopt;
  } catch (const StoreError& error) {
    return Error(error.kind(), std::string("the commit failed, nothing was written: ") + error.what());
  }
}

/// Hands the events over in commit order, then answers.
void SqliteWriter::settle(std::vector<Job*>& batch) {
  if (batch.empty()) return;
  std::vector<Event> events;
  for (Job* job : batch) std::ranges::move(job->events, std::back_inserter(events));
  delivery_.push(std::move(events));
  counters_.rules += batch.size();
  counters_.largest_batch = std::max<std::uint64_t>(counters_.largest_batch, batch.size());
  for (Job* job : batch) job->answer();
}

}  // namespace paperclip::store
