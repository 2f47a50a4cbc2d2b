#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/enum.h"

using namespace paperclip;

namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return unprocessable("odd: " + std::to_string(n), {{"n", n}});
  return n / 2;
}

Result<std::string> quarter(int n, int& reached) {
  const int first = TRY(half(n));
  const int second = TRY(half(first));
  ++reached;
  return std::to_string(second);
}

Result<void> must_be_even(int n) {
  TRY(half(n));
  return success();
}

enum class Visibility { public_, board_only, hidden };
BOOST_DESCRIBE_ENUM(Visibility, public_, board_only, hidden)

}  // namespace

TEST(Result, TRY_yields_the_value_or_leaves_with_the_error) {
  int reached = 0;
  EXPECT_EQ(*quarter(8, reached), "2");
  EXPECT_EQ(reached, 1);
  const auto failed = quarter(6, reached);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().message, "odd: 3");
  EXPECT_EQ(failed.error().details.at("n"), 3);
  EXPECT_EQ(reached, 1);
  EXPECT_TRUE(must_be_even(2).ok());
  EXPECT_EQ(must_be_even(1).error().kind, ErrorKind::unprocessable);
}

TEST(Result, Carries_values_that_can_only_be_moved) {
  const auto make = [](bool fail) -> Result<std::unique_ptr<int>> {
    if (fail) return not_found();
    return std::make_unique<int>(7);
  };
  const auto pass = [&](bool fail) -> Result<int> {
    const auto owned = TRY(make(fail));
    return *owned;
  };
  EXPECT_EQ(*pass(false), 7);
  EXPECT_EQ(pass(true).error().message, "Not found");
}

TEST(Error, Every_kind_has_the_status_clients_expect) {
  const std::pair<ErrorKind, int> statuses[] = {
      {ErrorKind::bad_request, 400}, {ErrorKind::validation, 400}, {ErrorKind::unauthorized, 401},
      {ErrorKind::forbidden, 403},   {ErrorKind::not_found, 404},  {ErrorKind::conflict, 409},
      {ErrorKind::gone, 410},        {ErrorKind::too_large, 413},  {ErrorKind::unprocessable, 422},
      {ErrorKind::too_many, 429},    {ErrorKind::internal, 500},   {ErrorKind::bad_gateway, 502},
      {ErrorKind::unavailable, 503}, {ErrorKind::timeout, 504}};
  for (const auto& [kind, status] : statuses) EXPECT_EQ(http_status(kind), status);
}

TEST(Enum, Words_are_the_enumerators_names_without_a_trailing_underscore) {
  EXPECT_EQ(to_text(Visibility::public_), "public");
  EXPECT_EQ(to_text(Visibility::board_only), "board_only");
  EXPECT_EQ(parse_enum<Visibility>("public"), Visibility::public_);
  EXPECT_EQ(parse_enum<Visibility>("public_"), std::nullopt);
  EXPECT_EQ(parse_enum<Visibility>("Hidden"), std::nullopt);
  EXPECT_EQ(enum_words<Visibility>(), (std::vector<std::string_view>{"public", "board_only", "hidden"}));
}
