// The server's end alone, fed frame by frame: also what no runner of ours would say.
#include <random>

#include "bridge_fixture.h"

namespace paperclip::environments {
namespace {

using runner::CallbackRequest;
using runner::FrameType;

/// What the session says.
class Ear : public FrameLink {
 public:
  void send(runner::FrameClass frame_class, std::string frames) override {
    EXPECT_EQ(frame_class, runner::FrameClass::callbacks);
    const std::lock_guard lock(mutex_);
    runner::Frame frame;
    for (std::string_view left = frames; runner::read_frame(left, frame) == runner::FrameRead::complete; left.remove_prefix(frame.size())) {
      types_.push_back(frame.type);
      std::string message, credit;
      if (frame.type != FrameType::callback_answer || streams_.take(frame, message, credit) != runner::CallbackStreams::Taken::whole) continue;
      answers_.push_back(*runner::decode_callback_answer(message));
    }
    changed_.notify_all();
  }
  std::vector<runner::CallbackAnswer> wait_answers(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60), [&] { return answers_.size() >= count; }));
    return answers_;
  }
  std::size_t said(FrameType type) {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count(types_.begin(), types_.end(), type));
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<FrameType> types_;
  runner::CallbackStreams streams_{1024 * 1024};
  std::vector<runner::CallbackAnswer> answers_;
};

class BridgeSessionTest : public ::testing::Test {
 protected:
  BridgeSessionTest() { session_->on_connected(ear_); }
  ~BridgeSessionTest() override { api_.open(); }
  void say(const std::string& frames) {
    runner::Frame frame;
    for (std::string_view left = frames; runner::read_frame(left, frame) == runner::FrameRead::complete; left.remove_prefix(frame.size()))
      session_->on_frame(frame);
  }
  void ask(const CallbackRequest& request) {
    std::string frames;
    runner::CallbackStreams streams(0);
    streams.queue(FrameType::callback_request, runner::callback_stream(request.id), runner::encode(request));
    streams.write(frames, [](std::uint16_t) {});
    say(frames);
  }
  void say_number(FrameType type, std::uint64_t id) {
    std::string frames;
    runner::append_callback_number(frames, type, id);
    say(frames);
  }
  static CallbackRequest get(std::uint64_t id, std::uint32_t remaining_ms = 600'000) {
    return {id, remaining_ms, "GET", "/api/issues/" + std::to_string(id), "", {}, ""};
  }

  CountingApi api_;
  std::shared_ptr<BridgeSession> session_ = std::make_shared<BridgeSession>(
      api_, BridgeCaller{Random::system().id<RunId>(), Random::system().id<AgentId>(), Random::system().id<CompanyId>()}, BridgePolicy{});
  std::shared_ptr<Ear> ear_ = std::make_shared<Ear>();
};

TEST_F(BridgeSessionTest, An_id_is_performed_once_however_often_it_is_said) {
  for (int i = 0; i < 3; ++i) ask(get(1));
  ear_->wait_answers(1);
  say_number(FrameType::callback_release, 1);
  ask(get(1));
  ask(get(2));
  EXPECT_EQ(ear_->wait_answers(2)[1].id, 2u);
  EXPECT_EQ(api_.calls(), 2u);
}

TEST_F(BridgeSessionTest, What_nobody_waits_for_is_not_begun) {
  ask(get(1, 0));
  const auto answers = ear_->wait_answers(1);
  EXPECT_EQ(answers[0].status, 502);
  EXPECT_EQ(answers[0].body, R"({"error":"Timed out waiting for host bridge response."})");
  api_.shut();
  for (std::uint64_t id = 2; id <= 9; ++id) ask(get(id));
  ASSERT_TRUE(api_.wait_calls(8));
  ask(get(10));
  say_number(FrameType::callback_release, 10);
  say_number(FrameType::callback_release, 11);  // before it has come
  ask(get(11));
  api_.open();
  ask(get(12));
  ear_->wait_answers(10);
  EXPECT_EQ(api_.calls(), 9u);
  for (const auto& request : api_.requests()) EXPECT_TRUE(request.path != "/api/issues/10" && request.path != "/api/issues/11");
}

TEST_F(BridgeSessionTest, What_it_never_heard_of_it_says_so) {
  say_number(FrameType::callback_ask, 5);
  EXPECT_EQ(ear_->said(FrameType::callback_unknown), 1u);
  ask(get(5));
  EXPECT_EQ(ear_->wait_answers(1)[0].status, 200);
}

TEST_F(BridgeSessionTest, A_run_that_is_over_asks_nothing_more) {
  session_->close();
  ask(get(1));
  EXPECT_EQ(ear_->wait_answers(1)[0].body, R"({"error":"Bridge worker stopped before request could be handled."})");
  EXPECT_EQ(api_.calls(), 0u);
}

// Answers that are never taken leave room for those that are.
TEST_F(BridgeSessionTest, Forgotten_answers_stop_nobody) {
  for (std::uint64_t id = 1; id <= 600; ++id) {
    if (id % 50 == 0) {
      session_->on_disconnected();
      ear_ = std::make_shared<Ear>();
      session_->on_connected(ear_);
    }
    ask(get(id));
    ear_->wait_answers(id % 50 + (id < 50 ? 0 : 1));
  }
  EXPECT_EQ(api_.calls(), 600u);
}

// A place under somebody's control may say anything.
TEST_F(BridgeSessionTest, Nonsense_reaches_nobody_and_breaks_nothing) {
  std::mt19937 random(20261125);
  for (int i = 0; i < 2000; ++i) {
    CallbackRequest request = get(1000 + static_cast<std::uint64_t>(i));
    request.path = "/api/agents/me/../me";
    std::string bytes = runner::encode(request);
    for (int cut = 0; cut < 3; ++cut) bytes[random() % bytes.size()] = static_cast<char>(random());
    if (random() % 3 == 0) bytes.resize(random() % bytes.size());
    std::string frames;
    runner::append_frame(frames, static_cast<FrameType>(0x20 + random() % 8), bytes, static_cast<std::uint8_t>(random() % 4), static_cast<std::uint16_t>(random() % 50));
    say(frames);
    if (i % 100 == 99) session_->on_connected(ear_);
  }
  EXPECT_EQ(api_.calls(), 0u);
  session_->on_connected(ear_);
  const auto before = ear_->wait_answers(0).size();
  ask(get(1'000'000));
  EXPECT_GE(ear_->wait_answers(before + 1).size(), before + 1);
  EXPECT_TRUE(eventually([&] { return api_.calls() == 1; }));
}

}  // namespace
}  // namespace paperclip::environments
