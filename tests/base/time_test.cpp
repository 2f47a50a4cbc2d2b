#include "base/time.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

using namespace paperclip;

TEST(Iso, Writes_milliseconds_and_Z) {
  EXPECT_EQ(to_iso({0}), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(to_iso({1777803009137}), "2026-05-03T10:10:09.137Z");
  EXPECT_EQ(to_iso({-1}), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(to_iso({951782400000}), "2000-02-29T00:00:00.000Z");
}

TEST(Iso, Reads_what_clients_and_PostgreSQL_write) {
  EXPECT_EQ(parse_iso("2026-05-03T10:10:09.137Z")->ms, 1777803009137);
  EXPECT_EQ(parse_iso("2026-05-03 10:10:09.137+00")->ms, 1777803009137);
  EXPECT_EQ(parse_iso("2026-05-03T12:10:09.137+02:00")->ms, 1777803009137);
  EXPECT_EQ(parse_iso("2026-05-03T04:40:09.137-0530")->ms, 1777803009137);
  EXPECT_EQ(parse_iso("2026-05-03T10:10:09Z")->ms, 1777803009000);
  EXPECT_EQ(parse_iso("2026-05-03T10:10:09.1Z")->ms, 1777803009100);
}

TEST(Iso, Cuts_a_finer_fraction) { EXPECT_EQ(parse_iso("2026-05-03T10:10:09.137999Z")->ms, 1777803009137); }

TEST(Iso, Refuses_what_is_no_moment) {
  for (const char* bad :
       {"", "2026", "2026-05-03", "2026-05-03T10:10:09", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z", "2026-05-00T00:00:00Z", "2026-05-03T24:00:00Z", "2026-05-03T10:60:00Z",
        "2026-05-03T10:10:60Z", "2026-05-03T10:10:09.Z", "2026-05-03T10:10:09Zx", "2026-05-03T10:10:09+",
        "2026-05-03T10:10:09+1", "20260503T101009Z", "2026-05-03x10:10:09Z", " 2026-05-03T10:10:09Z"})
    EXPECT_EQ(parse_iso(bad), std::nullopt) << bad;
}

RC_GTEST_PROP(Iso, Reading_undoes_writing, ()) {
  const Timestamp time{*rc::gen::inRange<std::int64_t>(-62135596800000, 253402300800000)};  // years 1 to 9999
  RC_ASSERT(parse_iso(to_iso(time)) == time);
  RC_ASSERT(to_iso(time).size() == 24u);
}

RC_GTEST_PROP(Iso, Text_sorts_as_the_moments_do, ()) {
  const auto moment = rc::gen::inRange<std::int64_t>(0, 253402300800000);
  const Timestamp a{*moment}, b{*moment};
  RC_ASSERT((a < b) == (to_iso(a) < to_iso(b)));
}

TEST(Timestamp, Adds_and_subtracts_durations) {
  using namespace std::chrono_literals;
  const Timestamp time{1000};
  EXPECT_EQ(time + 1s, (Timestamp{2000}));
  EXPECT_EQ(time - 250ms, (Timestamp{750}));
  EXPECT_EQ((time + 1min) - time, 60000ms);
}

TEST(Clock, The_system_clock_tells_this_century_and_its_steady_side_never_goes_back) {
  EXPECT_GT(Clock::system().now(), *parse_iso("2024-01-01T00:00:00Z"));
  EXPECT_LT(Clock::system().now(), *parse_iso("2100-01-01T00:00:00Z"));
  const auto before = Clock::system().steady();
  EXPECT_LE(before, Clock::system().steady());
}
