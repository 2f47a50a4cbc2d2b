#pragma once

#include "work_fixture.h"

namespace paperclip::test {

/// Work with a clock that only the test moves.
class WorkInTime : public Work {
 protected:
  class StandingClock : public Clock {
   public:
    Timestamp now() const override { return now_; }
    std::chrono::steady_clock::time_point steady() const override { return std::chrono::steady_clock::time_point(now_ - Timestamp{0}); }
    void advance(std::chrono::milliseconds by) { now_ = now_ + by; }

   private:
    Timestamp now_ = *parse_iso("2026-03-10T12:00:00.000Z");
  };

  void SetUp() override {
    Work::SetUp();
    if (IsSkipped()) return;
    database_.reset();
    auto options = this->options(domain::domain_migrations());
    options.clock = &clock_;
    auto opened = store::Database::open(options);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    database_ = std::move(*opened);
  }
  // The clock must outlive the database.
  void TearDown() override {
    database_.reset();
    Work::TearDown();
  }

  StandingClock clock_;
};

}  // namespace paperclip::test
