#include "environments/leases.h"

#include <gmock/gmock.h>

#include "../domain/domain_database.h"
#include "base/crypto.h"
#include "domain/agents/agent.h"
#include "domain/companies/company.h"
#include "domain/environments/environments.h"
#include "domain/environments/run_lease.h"
#include "domain/runs/heartbeat_run.h"
#include "failing_provider.h"
#include "os/files.h"

// Leases against a provider that keeps its sandboxes in memory, and fails as told. On both engines.
namespace paperclip::environments {
namespace {

using domain::EnvironmentLease;
using domain::LeaseStatus;
using domain::RunStatus;

class LeasesAtWork : public test::DomainDatabase {
 protected:
  void SetUp() override {
    DomainDatabase::SetUp();
    if (IsSkipped()) return;
    auto keys = os::TemporaryDirectory::create();
    ASSERT_TRUE(keys.ok());
    keys_.emplace(*std::move(keys));
    auto vault = domain::SecretVault::open("", keys_->path() / "master.key", Random::system());
    ASSERT_TRUE(vault.ok());
    vault_.emplace(*std::move(vault));
    company_.id = Random::system().id<CompanyId>();
    company_.name = "Acme";
    ASSERT_TRUE(insert(domain::table_of<domain::Company>, company_).ok());
    agent_.id = Random::system().id<AgentId>();
    agent_.company_id = company_.id;
    agent_.name = "Bee";
    ASSERT_TRUE(insert(domain::table_of<domain::Agent>, agent_).ok());
    use(std::make_shared<FailingProvider>(1, 0));
  }

  void use(std::shared_ptr<FailingProvider> provider) {
    provider_ = std::move(provider);
    registry_.emplace(provider_);
    driver_.emplace(provider_);
    configs_.emplace(*database_, *vault_, Random::system(), &*registry_);
  }
  // Patience of zero: whatever time would bring has come.
  Leases leases(std::chrono::milliseconds idle = std::chrono::hours(1)) {
    LeaseOptions options{*database_, *configs_, [this](domain::EnvironmentDriver) { return &*driver_; }};
    options.between_lists = std::chrono::milliseconds(0);
    options.patience = {std::chrono::milliseconds(0), std::chrono::milliseconds(0), std::chrono::milliseconds(0), std::chrono::milliseconds(0), idle};
    return Leases(std::move(options));
  }

  domain::CompanyScope scope() { return domain::CompanyScope::internal(company_.id); }
  domain::Environment make(const json::object& config, std::optional<json::object> metadata = std::nullopt) {
    domain::NewEnvironment wanted;
    wanted.name = "boxes";
    wanted.driver = domain::EnvironmentDriver::sandbox;
    if (metadata) wanted.metadata = JsonObject{*metadata};
    auto prepared = configs_->prepare(wanted.driver, config, "boxes");
    EXPECT_TRUE(prepared.ok()) << prepared.error().message;
    auto made = database_->write([&](store::Transaction& tx) { return domain::create_environment(tx, scope(), wanted, *prepared); });
    EXPECT_TRUE(made.ok());
    return *made;
  }
  struct Begun {
    RunId run;
    PlaceOrder order;
  };
  Begun begin(const domain::Environment& environment) {
    domain::HeartbeatRun run;
    run.id = Random::system().id<RunId>();
    run.company_id = company_.id;
    run.agent_id = agent_.id;
    run.status = RunStatus::running;
    EXPECT_TRUE(insert(domain::table_of<domain::HeartbeatRun>, run).ok());
    auto lease = database_->write([&](store::Transaction& tx) -> Result<LeaseId> {
      return domain::open_lease(tx, {{run.id, company_.id, agent_.id}, environment, std::nullopt, std::nullopt, std::nullopt});
    });
    EXPECT_TRUE(lease.ok());
    return {run.id, {*lease, run.id, environment, "", std::nullopt}};
  }
  // What finalising a run does.
  void finish(RunId run, RunStatus status) {
    const auto done = database_->write([&](store::Transaction& tx) -> Result<> {
      tx.execute("update heartbeat_runs set status = :1, finished_at = :2 where id = :3", status, tx.now(), run);
      domain::release_run_leases(tx, {run, company_.id, agent_.id}, status, std::nullopt);
      return {};
    });
    ASSERT_TRUE(done.ok());
  }
  EnvironmentLease lease(LeaseId id) {
    return *database_->read([&](store::Reader& reader) { return domain::find_lease(reader, id); });
  }
  std::unique_ptr<Place> acquired(Leases& leases, const Begun& begun) {
    auto place = leases.acquire(begun.order, Deadline::in(std::chrono::seconds(30)));
    EXPECT_TRUE(place.ok()) << (place.ok() ? "" : place.error().message);
    return place.ok() ? *std::move(place) : nullptr;
  }
  // A whole run; returns its lease.
  EnvironmentLease work(Leases& leases, const domain::Environment& environment, RunStatus end = RunStatus::succeeded) {
    const auto begun = begin(environment);
    const auto place = acquired(leases, begun);
    finish(begun.run, end);
    leases.release(begun.run, place.get());
    return lease(begun.order.lease_id);
  }

  std::optional<os::TemporaryDirectory> keys_;
  std::optional<domain::SecretVault> vault_;
  domain::Company company_;
  domain::Agent agent_;
  std::shared_ptr<FailingProvider> provider_;
  std::optional<OneProvider> registry_;
  std::optional<SandboxPlaces> driver_;
  std::optional<Configs> configs_;
};

TEST_P(LeasesAtWork, A_lease_is_active_from_the_claim_until_its_provider_has_the_sandbox_back) {
  auto all = leases();
  const auto environment = make({{"provider", "flaky"}, {"image", "debian"}});
  const auto begun = begin(environment);
  EXPECT_EQ(lease(begun.order.lease_id).status, LeaseStatus::active);
  const auto place = acquired(all, begun);
  const auto held = lease(begun.order.lease_id);
  EXPECT_EQ(held.provider, "flaky");
  EXPECT_EQ(held.provider_lease_id, "box-1");
  EXPECT_EQ(domain::metadata_of(held).at("driver"), "sandbox") << "a provider does not set the host's keys";
  EXPECT_EQ(domain::metadata_of(held).at("provider"), "flaky");
  EXPECT_EQ(domain::metadata_of(held).at("pluginKey"), "test.flaky");
  EXPECT_EQ(domain::metadata_of(held).at("remoteCwd"), "/work");
  finish(begun.run, RunStatus::failed);
  EXPECT_EQ(lease(begun.order.lease_id).status, LeaseStatus::active);
  all.release(begun.run, place.get());
  const auto ended = lease(begun.order.lease_id);
  EXPECT_EQ(ended.status, LeaseStatus::failed);
  EXPECT_EQ(ended.cleanup_status, domain::LeaseCleanupStatus::success);
  EXPECT_EQ(ended.failure_reason, "adapter_or_run_failure");
  EXPECT_TRUE(provider_->sandboxes().empty());
  const auto entries = value<std::int64_t>("select count(*) from activity_log where entity_id = :1", begun.order.lease_id.str());
  all.release(begun.run, nullptr);
  EXPECT_EQ(value<std::int64_t>("select count(*) from activity_log where entity_id = :1", begun.order.lease_id.str()), entries) << "the second release does nothing";
}

TEST_P(LeasesAtWork, A_pasted_secret_is_a_company_secret_in_the_row_and_a_value_only_in_calls) {
  auto all = leases();
  provider_->expected_key = "key-that-nobody-may-see";
  const auto environment = make({{"provider", "flaky"}, {"apiKey", "  key-that-nobody-may-see "}, {"nested", json::object{{"token", "another-one-here"}, {"size", 2}}}});
  const json::object config = domain::config_of(environment);
  EXPECT_TRUE(is_uuid(string_at(json::value(config), "apiKey").value_or("")));
  EXPECT_TRUE(is_uuid(config.at("nested").at("token").as_string()));
  EXPECT_EQ(value<std::int64_t>("select count(*) from company_secrets where name like 'environment-sandbox-boxes-%'"), 2);
  const auto ended = work(all, environment);
  EXPECT_EQ(provider_->acquired_with.at("apiKey"), "key-that-nobody-may-see");
  EXPECT_EQ(provider_->acquired_with.at("nested").at("token"), "another-one-here");
  EXPECT_THAT(ended.metadata->text, ::testing::Not(::testing::HasSubstr("nobody-may-see"))) << "not in the field, and not in a note of the provider's";
  EXPECT_THAT(ended.metadata->text, ::testing::Not(::testing::HasSubstr("another-one-here")));
  EXPECT_EQ(provider_->wrong_configs(), 0);
  // Removed with the environment, since nothing else refers to them.
  const auto gone = database_->write([&](store::Transaction& tx) { return domain::delete_environment(tx, scope(), environment.id, false); });
  ASSERT_TRUE(gone.ok()) << gone.error().message;
  EXPECT_EQ(value<std::int64_t>("select count(*) from company_secrets"), 0);
}

TEST_P(LeasesAtWork, A_secret_that_is_only_referred_to_stays) {
  const auto secret = database_->write([&](store::Transaction& tx) { return domain::create_secret(tx, scope(), {"shared", std::nullopt, vault_->seal(SecretText(std::string("value-of-it"))), "x"}); });
  const auto environment = make({{"provider", "flaky"}, {"apiKey", secret->str()}});
  EXPECT_EQ(domain::config_of(environment).at("apiKey").as_string(), secret->view());
  const auto config = configs_->prepare_draft(company_.id, domain::EnvironmentDriver::sandbox, domain::config_of(environment));
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->at("apiKey"), "value-of-it") << "a draft resolves references, too";
  ASSERT_TRUE(database_->write([&](store::Transaction& tx) { return domain::delete_environment(tx, scope(), environment.id, false); }).ok());
  EXPECT_EQ(value<std::int64_t>("select count(*) from company_secrets"), 1);
}

TEST_P(LeasesAtWork, A_reusable_sandbox_goes_from_run_to_run_and_never_to_two) {
  auto all = leases();
  const auto environment = make({{"provider", "flaky"}, {"reuseLease", true}, {"image", "debian"}});
  const auto first = work(all, environment);
  EXPECT_EQ(first.lease_policy, domain::LeasePolicy::reuse_by_environment);
  EXPECT_EQ(provider_->sandboxes().size(), 1u);

  const auto second = begin(environment);
  const auto there = acquired(all, second);
  EXPECT_EQ(lease(second.order.lease_id).provider_lease_id, "box-1");
  const auto third = begin(environment);
  const auto elsewhere = acquired(all, third);
  EXPECT_EQ(lease(third.order.lease_id).provider_lease_id, "box-2");
  EXPECT_EQ(lease(third.order.lease_id).lease_policy, domain::LeasePolicy::ephemeral) << "a further run gets one to throw away";
  EXPECT_EQ(provider_->double_use(), 0);
  for (const auto& [begun, place] : {std::pair(&second, &there), std::pair(&third, &elsewhere)}) {
    finish(begun->run, RunStatus::succeeded);
    all.release(begun->run, place->get());
  }
  EXPECT_EQ(provider_->sandboxes().size(), 1u);
  EXPECT_TRUE(provider_->sandboxes().contains("box-1"));

  // Another config is another sandbox; one that is gone is noticed.
  domain::EnvironmentPatch patch;
  patch.config = JsonObject{{{"image", "fedora"}}};
  auto prepared = configs_->prepare(environment.driver, *domain::changed_config(environment, patch), "boxes");
  const auto changed = database_->write([&](store::Transaction& tx) { return domain::update_environment(tx, scope(), environment, patch, *prepared); });
  ASSERT_TRUE(changed.ok()) << changed.error().message;
  EXPECT_EQ(work(all, *changed).provider_lease_id, "box-3");
  provider_->forget("box-3");
  EXPECT_EQ(work(all, *changed).provider_lease_id, "box-4");

  auto impatient = leases(std::chrono::milliseconds(0));
  impatient.sweep();
  EXPECT_TRUE(provider_->sandboxes().empty()) << "idle for too long";
}

TEST_P(LeasesAtWork, What_a_failed_run_left_is_kept_for_a_look_where_the_environment_says_so) {
  auto all = leases();
  const auto environment = make({{"provider", "flaky"}}, json::object{{"leasePolicy", "retain_on_failure"}});
  EXPECT_EQ(work(all, environment).status, LeaseStatus::released);
  const auto kept = work(all, environment, RunStatus::failed);
  EXPECT_EQ(kept.status, LeaseStatus::retained);
  EXPECT_FALSE(kept.released_at);
  EXPECT_EQ(provider_->sandboxes().size(), 1u);
  all.sweep();
  EXPECT_EQ(lease(kept.id).status, LeaseStatus::released);
  EXPECT_TRUE(provider_->sandboxes().empty());
}

TEST_P(LeasesAtWork, An_environment_in_use_is_not_deleted_and_what_it_keeps_is_given_back_first) {
  auto all = leases();
  const auto environment = make({{"provider", "flaky"}, {"reuseLease", true}});
  const auto remove = [&](bool forced) { return database_->write([&](store::Transaction& tx) { return domain::delete_environment(tx, scope(), environment.id, forced); }); };
  const auto begun = begin(environment);
  const auto place = acquired(all, begun);
  EXPECT_EQ(remove(true).error().kind, ErrorKind::conflict) << "not under a run, not even by force";
  finish(begun.run, RunStatus::succeeded);
  all.release(begun.run, place.get());
  EXPECT_EQ(remove(false).error().kind, ErrorKind::conflict) << "the sandbox still waits at its provider";
  all.give_back_kept(environment.id, Deadline::in(std::chrono::seconds(30)));
  EXPECT_TRUE(provider_->sandboxes().empty());
  EXPECT_TRUE(remove(false).ok());
}

TEST_P(LeasesAtWork, Sandboxes_that_nobody_holds_are_destroyed_and_those_of_others_are_not) {
  auto all = leases();
  const auto environment = make({{"provider", "flaky"}});
  const auto begun = begin(environment);
  const auto place = acquired(all, begun);
  plugins::ProviderContext context{company_.id, environment.id.str(), {}};
  ASSERT_TRUE(provider_->acquire_lease(context, {begun.run, std::nullopt}, Deadline::never()).ok());
  provider_->add_foreign("foreign-1");
  const auto report = all.sweep();
  EXPECT_EQ(report.destroyed, 1);
  EXPECT_TRUE(provider_->sandboxes().contains("box-1"));
  EXPECT_TRUE(provider_->sandboxes().contains("foreign-1"));
  EXPECT_EQ(provider_->sandboxes().size(), 2u);
}

TEST_P(LeasesAtWork, A_run_that_was_cancelled_while_its_sandbox_was_made_leaves_none) {
  auto all = leases();
  const auto begun = begin(make({{"provider", "flaky"}}));
  finish(begun.run, RunStatus::cancelled);
  const auto place = all.acquire(begun.order, Deadline::in(std::chrono::seconds(30)));
  ASSERT_FALSE(place.ok());
  EXPECT_TRUE(provider_->sandboxes().empty());
  EXPECT_NE(lease(begun.order.lease_id).status, LeaseStatus::active);
}

// The provider fails before, in the middle and after; the server dies in the middle of calls; runs overlap. Once all is
// well again, nothing is left, and no sandbox ever served two runs.
TEST_P(LeasesAtWork, A_thousand_random_failures_leave_no_lease) {
  const int wanted = sqlite() ? 1000 : 200;
  for (unsigned seed = 1; seed <= 2; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    auto flaky = std::make_shared<FailingProvider>(seed, 0);
    use(flaky);
    std::vector<domain::Environment> environments{make({{"provider", "flaky"}, {"image", "a"}, {"apiKey", "the-key-of-this"}}),
                                                  make({{"provider", "flaky"}, {"image", "b"}, {"reuseLease", true}}),
                                                  make({{"provider", "flaky"}, {"image", "c"}}, json::object{{"leasePolicy", "retain_on_failure"}})};
    flaky = std::make_shared<FailingProvider>(seed, 35);
    use(flaky);
    flaky->add_foreign("foreign-1");
    auto all = leases();
    std::mt19937 random(seed + 100);
    struct Live {
      Begun begun;
      std::unique_ptr<Place> place;
    };
    std::vector<Live> live;
    const RunStatus ends[] = {RunStatus::succeeded, RunStatus::failed, RunStatus::cancelled, RunStatus::timed_out};
    int turns = 0, started = 0;
    while (flaky->failures() < wanted / 2 && ++turns < 20000) {
      const auto choice = random() % 10;
      try {
        if (choice < 5 && live.size() < 4) {
          auto begun = begin(environments[random() % environments.size()]);
          try {
            auto place = all.acquire(begun.order, Deadline::in(std::chrono::seconds(30)));
            if (place) {
              ++started;
              live.push_back({begun, *std::move(place)});
            } else {
              finish(begun.run, RunStatus::failed);
              all.release(begun.run, nullptr);
            }
          } catch (const ServerDied&) {
            finish(begun.run, RunStatus::failed);  // what the next server finds and accounts for
          }
        } else if (choice < 9 && !live.empty()) {
          const auto at = random() % live.size();
          Live ended = std::move(live[at]);
          live.erase(live.begin() + static_cast<std::ptrdiff_t>(at));
          finish(ended.begun.run, ends[random() % 4]);
          // Given back by its place, by its row, or by nobody because the server was gone.
          if (const auto how = random() % 3; how < 2) all.release(ended.begun.run, how == 0 ? ended.place.get() : nullptr);
        } else {
          std::set<RunId> here;
          for (const auto& run : live) here.insert(run.begun.run);
          all.sweep(here);
        }
      } catch (const ServerDied&) {
      }
      ASSERT_EQ(flaky->double_use(), 0);
    }
    EXPECT_GE(flaky->failures(), wanted / 2);
    EXPECT_GT(started, 10) << "enough must go well, too";
    flaky->heal();
    for (auto& run : live) {
      finish(run.begun.run, RunStatus::succeeded);
      all.release(run.begun.run, run.place.get());
    }
    auto impatient = leases(std::chrono::milliseconds(0));
    for (int turn = 0; turn < 6; ++turn) impatient.sweep();
    EXPECT_EQ(flaky->sandboxes().size(), 1u) << "all but somebody else's";
    EXPECT_TRUE(flaky->sandboxes().contains("foreign-1"));
    EXPECT_EQ(value<std::int64_t>("select count(*) from environment_leases where status in ('active', 'retained')"), 0);
    EXPECT_EQ(value<std::int64_t>("select count(*) from environment_leases where cleanup_status in ('pending', 'failed')"), 0);
    EXPECT_EQ(flaky->wrong_configs(), 0);
    for (const auto& environment : environments)
      EXPECT_TRUE(database_->write([&](store::Transaction& tx) { return domain::delete_environment(tx, scope(), environment.id, false); }).ok());
    EXPECT_EQ(value<std::int64_t>("select count(*) from company_secrets"), 0);
  }
}

ON_BOTH_ENGINES(LeasesAtWork);

}  // namespace
}  // namespace paperclip::environments
