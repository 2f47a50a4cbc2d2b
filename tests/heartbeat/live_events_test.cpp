#include <mutex>
#include <thread>

#include "../domain/work_fixture.h"
#include "heartbeat/live_events.h"

/// The companies' live streams (spec/execution.md 12, platform.md 9.1).
namespace paperclip::heartbeat {
namespace {

using namespace std::chrono_literals;

/// A socket that keeps what it is given.
class Collector : public net::WebSocket {
 public:
  using net::WebSocket::send_text;
  bool send_text(std::shared_ptr<const std::string> text) override {
    std::lock_guard lock(mutex_);
    frames_.push_back(parse_json(*text)->as_object());
    return true;
  }
  void close(net::CloseCode, std::string) override {}

  std::vector<std::int64_t> ids() const {
    std::lock_guard lock(mutex_);
    std::vector<std::int64_t> out;
    for (const auto& frame : frames_) out.push_back(frame.at("id").to_number<std::int64_t>());
    return out;
  }
  std::vector<std::string> types() const {
    std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const auto& frame : frames_) out.emplace_back(frame.at("type").as_string());
    return out;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<json::object> frames_;
};

class Live : public test::Work {
 protected:
  void TearDown() override {
    database_.reset();  // it delivers to what the test holds
    Work::TearDown();
  }
  void emit(CompanyId company, const std::string& type) {
    ASSERT_TRUE(database_->write([&](store::Transaction& tx) -> Result<> {
      store::Event event;
      event.company_id = company;
      event.type = type;
      event.payload = RawJson(R"({"x":1})");
      tx.emit(std::move(event));
      return {};
    }).ok());
  }
  void delivered() { ASSERT_TRUE(database_->wait_delivered(10s)); }
};

TEST_P(Live, A_company_hears_its_own_events_in_order_and_no_others) {
  LiveEvents live(*database_);
  auto ours = std::make_shared<Collector>(), theirs = std::make_shared<Collector>();
  const auto listener = live.add(company_.id, ours, std::nullopt);
  live.add(fresh<CompanyId>(), theirs, std::nullopt);
  EXPECT_TRUE(live.has_listeners(company_.id));
  for (const char* type : {"a", "b", "c"}) emit(company_.id, type);
  delivered();
  EXPECT_EQ(ours->types(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(theirs->types().empty());
  live.remove(listener);
  emit(company_.id, "d");
  delivered();
  EXPECT_EQ(ours->ids().size(), 3u);
  database_.reset();
}

TEST_P(Live, What_is_not_stored_carries_the_number_of_the_event_before_it) {
  LiveEvents live(*database_);
  auto socket = std::make_shared<Collector>();
  live.add(company_.id, socket, std::nullopt);
  emit(company_.id, "a");
  delivered();
  live.publish(company_.id, "heartbeat.run.log", "{}", Timestamp{0});
  const auto ids = socket->ids();
  ASSERT_EQ(ids.size(), 2u);
  EXPECT_EQ(ids[0], ids[1]);
  database_.reset();
}

TEST_P(Live, A_client_that_comes_back_gets_what_it_missed_once) {
  LiveEvents live(*database_);
  auto first = std::make_shared<Collector>();
  const auto listener = live.add(company_.id, first, std::nullopt);
  emit(company_.id, "a");
  delivered();
  live.remove(listener);
  const auto seen = first->ids().back();
  // Events go on while the client comes back.
  std::atomic<bool> stop = false;
  std::thread busy([&] {
    for (int i = 0; i < 200 && !stop; ++i) emit(company_.id, "n");
  });
  auto again = std::make_shared<Collector>();
  for (int i = 0; i < 20; ++i) emit(company_.id, "m");
  live.add(company_.id, again, seen);
  busy.join();
  delivered();
  const auto ids = again->ids();
  EXPECT_EQ(ids.size(), 220u);
  for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(ids[i], seen + 1 + static_cast<std::int64_t>(i));
  database_.reset();
}

INSTANTIATE_TEST_SUITE_P(Database, Live, ::testing::Values(store::Engine::sqlite), test::engine_name);

}  // namespace
}  // namespace paperclip::heartbeat
