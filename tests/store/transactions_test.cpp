#include <atomic>
#include <barrier>
#include <latch>
#include <thread>

#include "both_engines.h"

namespace paperclip::store {
namespace {

using namespace std::chrono_literals;

struct Account {
  AgentId id;
  std::string owner;
  std::int64_t balance = 0;
  Timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(Account, (), (id, owner, balance, created_at))

struct Deposit {
  AgentId account_id;
  std::int64_t amount = 0;
};
BOOST_DESCRIBE_STRUCT(Deposit, (), (account_id, amount))

constexpr const char* schema = R"(
  create table accounts (id {id} primary key not null, owner {text} not null unique, balance {bigint} not null,
                         created_at {timestamp} not null){strict};
  create table deposits (account_id {id} not null references accounts (id), amount {bigint} not null){strict};
  create table promises (account_id {id} not null references accounts (id) deferrable initially deferred){strict};
)";

class Transactions : public test::BothEngines {
 protected:
  void SetUp() override {
    BothEngines::SetUp();
    if (!IsSkipped()) open(schema);
  }
  static Account account(std::string owner, std::int64_t balance = 0) {
    return {Random::system().id<AgentId>(), std::move(owner), balance, Timestamp{1000}};
  }
  Result<void> insert(const Account& a) {
    return database_->write([&](Transaction& tx) -> Result<void> {
      tx.insert("accounts", a);
      return {};
    });
  }
  std::vector<std::string> owners() {
    return database_->read(
        [](Reader& r) { return r.column<std::string>("select owner from accounts order by owner"); });
  }
};
ON_BOTH_ENGINES(Transactions);

TEST_P(Transactions, What_a_rule_returns_arrives_after_the_commit) {
  const auto a = account("ann");
  const auto result = database_->write([&](Transaction& tx) -> Result<std::string> {
    tx.insert("accounts", a);
    return a.owner + "!";
  });
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(*result, "ann!");
  EXPECT_EQ(owners(), std::vector<std::string>{"ann"});
}

TEST_P(Transactions, An_error_result_rolls_back) {
  const auto result = database_->write([&](Transaction& tx) -> Result<int> {
    tx.insert("accounts", account("ann"));
    tx.emit({.type = "never"});
    return not_found("no such thing");
  });
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, ErrorKind::not_found);
  EXPECT_TRUE(owners().empty());
  EXPECT_EQ(database_->read([](Reader& r) { return events_after(r, 0, 10).size(); }), 0u);
}

TEST_P(Transactions, An_exception_rolls_back_and_reaches_the_caller) {
  EXPECT_THROW((void)database_->write([&](Transaction& tx) -> Result<int> {
    tx.insert("accounts", account("ann"));
    throw std::out_of_range("a bug");
  }),
               std::out_of_range);
  EXPECT_TRUE(owners().empty());
  ASSERT_TRUE(insert(account("bob")).ok());  // and the database goes on
}

TEST_P(Transactions, A_taken_unique_key_is_a_conflict_that_names_it) {
  ASSERT_TRUE(insert(account("ann")).ok());
  const auto again = insert(account("ann"));
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().kind, ErrorKind::conflict);
  EXPECT_NE(again.error().message.find("owner"), std::string::npos) << again.error().message;
  EXPECT_EQ(owners().size(), 1u);
}

TEST_P(Transactions, A_unique_violation_says_where) {
  ASSERT_TRUE(insert(account("ann")).ok());
  const auto result = database_->write([&](Transaction& tx) -> Result<std::string> {
    try {
      tx.nested([&] { tx.insert("accounts", account("ann")); });
    } catch (const UniqueViolation& violation) {
      if (sqlite()) {
        EXPECT_EQ(violation.table(), "accounts");
        EXPECT_EQ(violation.columns(), std::vector<std::string>{"owner"});
      } else {
        EXPECT_EQ(violation.constraint(), "accounts_owner_key");
      }
      return std::string("caught");
    }
    return std::string("nothing thrown");
  });
  EXPECT_EQ(*result, "caught");
}

TEST_P(Transactions, After_try_insert_failed_the_rule_goes_on) {
  ASSERT_TRUE(insert(account("ann")).ok());
  const auto result = database_->write([&](Transaction& tx) -> Result<bool> {
    tx.insert("accounts", account("before"));
    const bool conflicted = !tx.try_insert("accounts", account("ann")).ok();
    tx.insert("accounts", account("zoe"));
    return conflicted;
  });
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_TRUE(*result);
  EXPECT_EQ(owners(), (std::vector<std::string>{"ann", "before", "zoe"}));
}

TEST_P(Transactions, A_missing_reference_is_a_conflict) {
  const auto result = database_->write([&](Transaction& tx) -> Result<void> {
    tx.insert("deposits", Deposit{Random::system().id<AgentId>(), 5});
    return {};
  });
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, ErrorKind::conflict);
}

TEST_P(Transactions, A_rule_that_ignores_a_failed_statement_is_not_committed_by_halves) {
  ASSERT_TRUE(insert(account("ann")).ok());
  const auto result = database_->write([&](Transaction& tx) -> Result<void> {
    tx.insert("accounts", account("bob"));
    try {
      tx.insert("accounts", account("ann"));
    } catch (const UniqueViolation&) {  // swallowed without a savepoint
    }
    return {};
  });
  // SQLite undoes the one statement; PostgreSQL's transaction is dead, and its COMMIT would say nothing.
  EXPECT_EQ(result.ok(), sqlite());
  EXPECT_EQ(owners().size(), sqlite() ? 2u : 1u);
}

TEST_P(Transactions, Nested_parts_undo_alone) {
  const auto result = database_->write([&](Transaction& tx) -> Result<void> {
    tx.emit({.type = "kept"});
    const auto failed = tx.nested([&]() -> Result<void> {
      tx.insert("accounts", account("undone"));
      tx.emit({.type = "undone"});
      const auto inner = tx.nested([&]() -> Result<int> {
        tx.insert("accounts", account("undone too"));
        return 1;
      });
      EXPECT_TRUE(inner.ok());
      return conflict("no");
    });
    EXPECT_FALSE(failed.ok());
    EXPECT_THROW(tx.nested([&] {
      tx.insert("accounts", account("undone three"));
      throw std::runtime_error("x");
    }),
                 std::runtime_error);
    tx.nested([&] { tx.insert("accounts", account("kept")); });
    return {};
  });
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(owners(), std::vector<std::string>{"kept"});
  const auto events = database_->read([](Reader& r) { return events_after(r, 0, 10); });
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].type, "kept");
}

TEST_P(Transactions, Update_upsert_and_insert_if_absent) {
  auto a = account("ann", 1);
  ASSERT_TRUE(insert(a).ok());
  const auto result = database_->write([&](Transaction& tx) -> Result<void> {
    a.balance = 7;
    EXPECT_EQ(tx.update("accounts", a), 1);
    EXPECT_EQ(tx.update("accounts", account("nobody")), 0);
    EXPECT_FALSE(tx.insert_if_absent("accounts", account("ann")));
    EXPECT_TRUE(tx.insert_if_absent("accounts", account("bob", 2)));
    Account later = account("ann", 9);
    later.created_at = Timestamp{9999};
    tx.upsert("accounts", later, {"owner"});
    tx.upsert("accounts", account("cat", 3), {"owner"});
    return {};
  });
  ASSERT_TRUE(result.ok()) << result.error().message;
  const auto rows = database_->read([](Reader& r) { return r.all<Account>("select {} from accounts order by owner"); });
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].id, a.id);
  EXPECT_EQ(rows[0].balance, 9);
  EXPECT_EQ(rows[0].created_at, Timestamp{1000});
  EXPECT_EQ(rows[1].balance, 2);
  EXPECT_EQ(rows[2].owner, "cat");
}

TEST_P(Transactions, Execute_counts_rows) {
  ASSERT_TRUE(insert(account("ann")).ok());
  ASSERT_TRUE(insert(account("bob")).ok());
  const auto count = database_->write([](Transaction& tx) -> Result<std::int64_t> {
    EXPECT_EQ(tx.execute("delete from accounts where owner = :1", "nobody"), 0);
    return tx.execute("update accounts set balance = balance + :1", 5);
  });
  EXPECT_EQ(*count, 2);
}

TEST_P(Transactions, A_rule_sees_one_moment) {
  const auto moments = database_->write([](Transaction& tx) -> Result<std::pair<Timestamp, Timestamp>> {
    const auto first = tx.now();
    while (Clock::system().now() == first) {}
    return std::pair(first, tx.now());
  });
  EXPECT_EQ(moments->first, moments->second);
}

TEST_P(Transactions, A_write_inside_a_rule_is_a_bug_that_is_loud) {
  EXPECT_THROW((void)database_->write([&](Transaction&) -> Result<void> { return insert(account("ann")); }),
               std::logic_error);
}

TEST_P(Transactions, A_read_is_one_snapshot) {
  ASSERT_TRUE(insert(account("ann")).ok());
  database_->read([&](Reader& r) {
    EXPECT_EQ(r.value<int>("select count(*) from accounts"), 1);
    EXPECT_TRUE(insert(account("bob")).ok());
    EXPECT_EQ(r.value<int>("select count(*) from accounts"), 1);
    return 0;
  });
  EXPECT_EQ(owners().size(), 2u);
}

// A read that stopped early must not keep its snapshot: the next read has to see what was written in between.
TEST_P(Transactions, A_read_that_stopped_early_lets_go) {
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(insert(account("owner " + std::to_string(i))).ok());
  database_->read([](Reader& r) { return r.one<Account>("select {} from accounts")->balance; });
  ASSERT_TRUE(insert(account("later")).ok());
  EXPECT_EQ(owners().size(), 21u);
}

// Read, then write, from many threads at once: on SQLite a deferred BEGIN would fail here with "database is locked".
TEST_P(Transactions, Concurrent_read_then_write_rules_lose_no_update) {
  const auto a = account("ann");
  ASSERT_TRUE(insert(a).ok());
  constexpr int threads = 8, each = 25;
  std::atomic<int> failures = 0;
  std::vector<std::jthread> workers;
  for (int t = 0; t < threads; ++t)
    workers.emplace_back([&] {
      for (int i = 0; i < each; ++i) {
        const auto result = database_->write([&](Transaction& tx) -> Result<void> {
          auto row = *tx.one<Account>("select {} from accounts where id = :1 {for update}", a.id);
          ++row.balance;
          tx.update("accounts", row);
          tx.insert("deposits", Deposit{a.id, 1});
          return {};
        });
        if (!result.ok()) ++failures;
      }
    });
  workers.clear();
  database_->read([&](Reader& r) {
    const auto balance = r.value<std::int64_t>("select balance from accounts");
    EXPECT_EQ(balance, threads * each - failures);
    EXPECT_EQ(r.value<std::int64_t>("select count(*) from deposits"), balance);
    return 0;
  });
  EXPECT_EQ(failures, 0);
}

// Each withdraws only if the sum of both accounts allows it: under snapshot isolation alone two of them could.
TEST_P(Transactions, Rules_are_serializable) {
  const auto a = account("ann", 50), b = account("bob", 50);
  ASSERT_TRUE(insert(a).ok());
  ASSERT_TRUE(insert(b).ok());
  std::barrier start(2);
  std::atomic<int> first_attempts = 0;
  const auto withdraw = [&](AgentId from) {
    return database_->write([&](Transaction& tx) -> Result<void> {
      const auto sum = *tx.value<std::int64_t>("select cast(sum(balance) as bigint) from accounts");
      if (!sqlite() && first_attempts.fetch_add(1) < 2) start.arrive_and_wait();  // both have read before either writes
      if (sum < 100) return conflict("not enough");
      tx.execute("update accounts set balance = balance - 100 where id = :1", from);
      return {};
    });
  };
  std::atomic<int> done = 0;
  std::jthread one([&] { done += withdraw(a.id).ok(); });
  std::jthread two([&] { done += withdraw(b.id).ok(); });
  one.join();
  two.join();
  EXPECT_EQ(done, 1);
  if (!sqlite()) { EXPECT_GE(database_->statistics().retries, 1u); }
}

// Rules that wait together are committed together, and a failing one takes none of the others along.
TEST_P(Transactions, Rules_share_a_commit_and_fail_alone) {
  if (!sqlite()) GTEST_SKIP() << "PostgreSQL commits each rule by itself";
  constexpr int callers = 30;
  std::latch blocked(1), release(1);
  std::jthread holder([&] {  // occupies the writer until all others wait
    (void)database_->write([&](Transaction&) -> Result<void> {
      blocked.count_down();
      release.wait();
      return {};
    });
  });
  blocked.wait();
  const auto commits_before = database_->statistics().commits;
  std::atomic<int> succeeded = 0, refused = 0, thrown = 0, queued = 0;
  std::vector<std::jthread> workers;
  for (int i = 0; i < callers; ++i)
    workers.emplace_back([&, i] {
      try {
        ++queued;
        const auto result = database_->write([&](Transaction& tx) -> Result<void> {
          tx.insert("accounts", account("owner " + std::to_string(i)));
          tx.emit({.type = "created", .payload = RawJson(json::value(i))});
          if (i % 3 == 1) return conflict("on purpose");
          if (i % 3 == 2) throw std::runtime_error("on purpose");
          return {};
        });
        ++(result.ok() ? succeeded : refused);
      } catch (const std::runtime_error&) { ++thrown; }
    });
  while (queued < callers) std::this_thread::yield();
  release.count_down();
  workers.clear();
  holder.join();
  EXPECT_EQ(succeeded, 10);
  EXPECT_EQ(refused, 10);
  EXPECT_EQ(thrown, 10);
  const auto names = owners();
  EXPECT_EQ(names.size(), 10u);
  for (const auto& name : names) EXPECT_EQ(std::stoi(name.substr(6)) % 3, 0) << name;
  EXPECT_EQ(database_->read([](Reader& r) { return events_after(r, 0, 100).size(); }), 10u);
  EXPECT_GT(database_->statistics().largest_batch, 1u);
  EXPECT_LT(database_->statistics().commits - commits_before, 12u);
}

// A deferred foreign key fails at COMMIT, where the whole batch is one; only the guilty rule may fail.
TEST_P(Transactions, A_failing_commit_fails_only_the_rule_that_caused_it) {
  const auto a = account("ann");
  ASSERT_TRUE(insert(a).ok());
  std::latch blocked(1), release(1);
  std::jthread holder([&] {
    (void)database_->write([&](Transaction&) -> Result<void> {
      blocked.count_down();
      release.wait();
      return {};
    });
  });
  blocked.wait();
  std::atomic<int> succeeded = 0, refused = 0, queued = 0;
  std::vector<std::jthread> workers;
  for (int i = 0; i < 3; ++i)
    workers.emplace_back([&, i] {
      ++queued;
      const auto result = database_->write([&](Transaction& tx) -> Result<void> {
        tx.execute("insert into promises (account_id) values (:1)", i == 1 ? Random::system().id<AgentId>() : a.id);
        tx.insert("accounts", account("owner " + std::to_string(i)));
        return {};
      });
      ++(result.ok() ? succeeded : refused);
    });
  while (queued < 3) std::this_thread::yield();
  release.count_down();
  workers.clear();
  EXPECT_EQ(succeeded, 2);
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(owners(), (std::vector<std::string>{"ann", "owner 0", "owner 2"}));
}

TEST_P(Transactions, Closing_answers_those_who_wait) {
  std::atomic<int> answered = 0;
  std::vector<std::jthread> workers;
  for (int i = 0; i < 8; ++i)
    workers.emplace_back([&, i] { answered += insert(account("owner " + std::to_string(i))).ok(); });
  workers.clear();
  database_.reset();
  EXPECT_EQ(answered, 8);
  open(schema);
  EXPECT_EQ(owners().size(), 8u);
}

TEST_P(Transactions, More_kept_statements_than_fit) {
  ASSERT_TRUE(insert(account("ann")).ok());
  database_->read([](Reader& r) {
    for (int i = 0; i < 1100; ++i)
      EXPECT_EQ(r.value<int>("select " + std::to_string(i) + " from accounts where owner = :1", "ann"), i);
    return 0;
  });
}

TEST_P(Transactions, More_readers_than_sessions_wait_their_turn) {
  std::atomic<int> read = 0;
  std::vector<std::jthread> workers;
  for (int i = 0; i < 16; ++i)
    workers.emplace_back([&] {
      for (int k = 0; k < 20; ++k) read += database_->read([](Reader& r) { return r.exists("select 1"); });
    });
  workers.clear();
  EXPECT_EQ(read, 320);
}

TEST_P(Transactions, A_caller_does_not_wait_for_a_session_forever) {
  database_.reset();
  auto impatient = options({{2, "test", schema}});
  impatient.readers = 1;
  impatient.patience = 10ms;
  database_ = std::move(*Database::open(std::move(impatient)));
  database_->read([&](Reader&) {
    const auto inner = database_->read([](Reader& r) -> Result<bool> { return r.exists("select 1"); });
    EXPECT_FALSE(inner.ok());
    if (!inner.ok()) { EXPECT_EQ(inner.error().kind, ErrorKind::unavailable); }
    return 0;
  });
}

}  // namespace
}  // namespace paperclip::store
