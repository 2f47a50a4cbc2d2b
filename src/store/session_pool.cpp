#include "store/session_pool.h"

#include "store/error.h"

namespace paperclip::store {

SessionPool::SessionPool(Open open, int limit, std::chrono::milliseconds patience)
    : open_(std::move(open)), limit_(limit), patience_(patience) {}
SessionPool::~SessionPool() = default;

std::unique_ptr<Session> SessionPool::take() {
  std::unique_lock lock(mutex_);
  if (!came_free_.wait_for(lock, patience_, [&] { return taken_ < limit_; }))
    throw StoreError(ErrorKind::unavailable,
                     "the database is busy: all " + std::to_string(limit_) + " sessions are in use");
  ++taken_;
  if (!free_.empty()) {
    auto session = std::move(free_.back());
    free_.pop_back();
    return session;
  }
  lock.unlock();
  try {
    return open_();
  } catch (...) {
    give(nullptr);
    throw;
  }
}

void SessionPool::give(std::unique_ptr<Session> session) {
  try {
    if (session && session->connected() && session->in_transaction()) session->control(Control::rollback);
    if (session && !session->connected()) session.reset();
  } catch (const StoreError&) { session.reset(); }
  {
    const std::lock_guard lock(mutex_);
    --taken_;
    if (session) free_.push_back(std::move(session));
  }
  came_free_.notify_one();
}

}  // namespace paperclip::store
