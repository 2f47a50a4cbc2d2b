#include "base/id.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <unordered_set>

#include "base/random.h"

using namespace paperclip;

constexpr std::string_view sample = "0f8fad5b-d9cb-469f-a165-70867728950e";

TEST(Id, Reads_any_case_and_keeps_lower_case) {
  EXPECT_EQ(IssueId::parse(sample)->view(), sample);
  EXPECT_EQ(IssueId::parse("0F8FAD5B-D9CB-469F-A165-70867728950E")->view(), sample);
}

TEST(Id, Refuses_what_is_no_uuid) {
  for (const char* bad : {"", "0f8fad5b", "0f8fad5bd9cb469fa16570867728950e", "0f8fad5b-d9cb-469f-a165-70867728950g",
                          "0f8fad5b-d9cb-469f-a165-70867728950e0", "{0f8fad5b-d9cb-469f-a165-70867728950}",
                          "0f8fad5b_d9cb_469f_a165_70867728950e"})
    EXPECT_EQ(IssueId::parse(bad), std::nullopt) << bad;
}

TEST(Id, Nil_names_nothing_and_is_the_default) {
  EXPECT_TRUE(AgentId().is_nil());
  EXPECT_EQ(AgentId().view(), "00000000-0000-0000-0000-000000000000");
  EXPECT_FALSE(AgentId::parse(sample)->is_nil());
}

TEST(Id, Orders_hashes_and_converts_by_its_text) {
  const auto a = *RunId::parse("00000000-0000-4000-8000-000000000001"),
             b = *RunId::parse("00000000-0000-4000-8000-000000000002");
  EXPECT_LT(a, b);
  EXPECT_EQ((std::unordered_set<RunId>{a, b, a}).size(), 2u);
  EXPECT_EQ(id_cast<AnyId>(a).view(), a.view());
}

TEST(Id, The_strict_form_wants_a_known_version_and_variant) {
  EXPECT_TRUE(is_strict_uuid(sample));
  EXPECT_TRUE(is_uuid("0f8fad5b-d9cb-069f-a165-70867728950e"));
  EXPECT_FALSE(is_strict_uuid("0f8fad5b-d9cb-069f-a165-70867728950e"));  // version 0
  EXPECT_FALSE(is_strict_uuid("0f8fad5b-d9cb-769f-a165-70867728950e"));  // version 7
  EXPECT_FALSE(is_strict_uuid("0f8fad5b-d9cb-469f-7165-70867728950e"));  // variant 7
}

namespace {
/// Counts up, so that what is made of random bytes can be foretold.
class CountingRandom final : public Random {
 public:
  void fill(unsigned char* out, std::size_t size) override {
    for (std::size_t i = 0; i < size; ++i) out[i] = next_++;
  }

 private:
  unsigned char next_ = 0;
};
}  // namespace

TEST(Random, A_uuid_carries_version_4_and_the_variant) {
  CountingRandom random;
  EXPECT_EQ(random.uuid(), "00010203-0405-4607-8809-0a0b0c0d0e0f");
  EXPECT_EQ(random.hex(3), "101112");
}

TEST(Random, System_ids_are_strict_and_never_repeat_across_threads) {
  std::vector<std::vector<std::string>> drawn(4);
  std::vector<std::thread> threads;
  for (auto& mine : drawn)
    threads.emplace_back([&mine] {
      for (int i = 0; i < 5000; ++i) mine.push_back(Random::system().uuid());
    });
  for (auto& thread : threads) thread.join();
  std::set<std::string> all;
  for (const auto& mine : drawn)
    for (const auto& id : mine) {
      ASSERT_TRUE(is_strict_uuid(id)) << id;
      all.insert(id);
    }
  EXPECT_EQ(all.size(), 20000u);
}

TEST(Random, A_request_larger_than_the_pool_is_filled_to_its_end) {
  const auto text = Random::system().hex(4096);
  ASSERT_EQ(text.size(), 8192u);
  EXPECT_NE(text.substr(8000), std::string(192, '0'));
}
