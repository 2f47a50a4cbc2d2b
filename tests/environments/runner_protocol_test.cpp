// What server and runner exchange: whole, cut at every byte, and from a peer that makes no sense.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include "environments/live_run.h"
#include "environments/run_files.h"
#include "os/descriptor.h"
#include "run_fixture.h"
#include "runner/frames.h"
#include "runner/run_directory.h"
#include "runner/start_message.h"

namespace paperclip::runner {
namespace {

std::string record(RecordStream stream, std::string_view bytes) {
  std::string out(record_header_bytes, '\0');
  write_record_header(Record{stream, 1746267131234, bytes}, out.data());
  return out.append(bytes);
}

TEST(RunnerProtocolTest, A_record_is_read_as_it_was_written) {
  const std::string bytes = record(RecordStream::stderr_, std::string("a\0b", 3));
  const std::string with_next = bytes + "next";  // what is read is a view into it
  const auto read = read_record(with_next);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->stream, RecordStream::stderr_);
  EXPECT_EQ(read->time_ms, 1746267131234);
  EXPECT_EQ(read->bytes, std::string_view("a\0b", 3));
  EXPECT_EQ(read->size(), bytes.size());
}

TEST(RunnerProtocolTest, A_cut_or_damaged_record_is_none) {
  const std::string whole = record(RecordStream::stdout_, "some words");
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(read_record(whole.substr(0, size))) << size;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    EXPECT_FALSE(read_record(damaged)) << at;
  }
}

TEST(RunnerProtocolTest, The_largest_record_fits_into_a_frame) {
  EXPECT_LE(sizeof(std::uint64_t) + record_header_bytes + record_bytes_limit, frame_payload_limit);
  EXPECT_TRUE(read_record(record(RecordStream::stdout_, std::string(record_bytes_limit, 'x'))));
}

TEST(RunnerProtocolTest, A_long_message_is_put_together_again) {
  std::string message(100'000, 'x');
  for (std::size_t i = 0; i < message.size(); ++i) message[i] = static_cast<char>(i * 7);
  std::string frames;
  append_message(frames, FrameType::start, message);
  std::string together;
  bool more = true;
  for (std::size_t at = 0; at < frames.size();) {
    Frame frame;
    ASSERT_TRUE(more);
    ASSERT_EQ(read_frame(std::string_view(frames).substr(at), frame), FrameRead::complete);
    for (std::size_t size = 0; size < frame.size(); size += 1000) {
      Frame cut;
      EXPECT_EQ(read_frame(std::string_view(frames).substr(at, size), cut), FrameRead::cut);
    }
    together += frame.payload;
    more = frame.flags & frame_continues;
    at += frame.size();
  }
  EXPECT_FALSE(more);
  EXPECT_EQ(together, message);
}

TEST(RunnerProtocolTest, A_frame_beyond_the_limit_is_refused) {
  std::string header;
  append_frame_header(header, FrameType::output, frame_payload_limit + 1);
  Frame frame;
  EXPECT_EQ(read_frame(header, frame), FrameRead::broken);
}

StartMessage message_of(const std::string& text) {
  StartMessage message;
  message.run_id = "run";
  message.argv = {"agent", "", "--words=a b"};
  message.cwd = "/work";
  message.environment = {"A=1", "B="};
  message.timeout_ms = 5;
  message.limits.nice = -3;
  message.limits.cpu_seconds = UINT64_MAX;
  message.stdin_text = text;
  return message;
}

TEST(RunnerProtocolTest, A_start_message_survives_the_way) {
  const std::string bytes = encode(message_of("prompt"));
  const auto read = decode_start(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->argv, (std::vector<std::string_view>{"agent", "", "--words=a b"}));
  EXPECT_EQ(read->environment, (std::vector<std::string_view>{"A=1", "B="}));
  EXPECT_EQ(read->cwd, "/work");
  EXPECT_EQ(read->limits.nice, -3);
  EXPECT_EQ(read->limits.cpu_seconds, UINT64_MAX);
  EXPECT_EQ(read->stdin_text, "prompt");
}

TEST(RunnerProtocolTest, A_start_message_is_whole_or_none) {
  const std::string bytes = encode(message_of("prompt"));
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode_start(bytes.substr(0, size))) << size;
  EXPECT_FALSE(decode_start(bytes + "x"));
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {  // any damage is survived
    std::string damaged = bytes;
    for (int n = 0; n < 3; ++n) damaged[random() % damaged.size()] = static_cast<char>(random());
    (void)decode_start(damaged);
  }
}

TEST(RunnerProtocolTest, Versions_meet_or_part) {
  const auto hello = [](std::uint16_t newest, std::uint16_t oldest) {
    std::string payload;
    ByteWriter(payload).number(newest).number(oldest);
    return payload;
  };
  EXPECT_TRUE(hello_fits(hello(protocol_version, oldest_protocol_version)));
  EXPECT_TRUE(hello_fits(hello(protocol_version + 5, protocol_version)));
  EXPECT_FALSE(hello_fits(hello(protocol_version + 5, protocol_version + 1)));
  EXPECT_FALSE(hello_fits(hello(oldest_protocol_version - 1, 0)));
  EXPECT_FALSE(hello_fits("x"));
}

// A runner is talked to by everybody who can reach its socket. Whatever they say, its run goes on.
class StrangePeerTest : public environments::RunFixture {
 protected:
  os::Descriptor connect() const { return environments::connect_to_runner(run_directory()); }
  static void say(const os::Descriptor& peer, const std::string& bytes) {
    (void)::send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
};

TEST_F(StrangePeerTest, Nonsense_on_the_socket_does_not_hurt_the_run) {
  const auto recorder = start(shell("echo up; sleep 0.5; echo end"));
  recorder->wait_output("up");
  std::mt19937 random(11);
  for (int i = 0; i < 200; ++i) {
    const os::Descriptor peer = connect();
    std::string nonsense;
    if (i % 2 == 0) append_frame_header(nonsense, static_cast<FrameType>(random() % 256), random() % 40);
    for (int n = 0; n < 60; ++n) nonsense += static_cast<char>(random());
    // Types 5 and 6 would be heeded: a stop is a stop, whoever says it.
    if (nonsense[4] == 5 || nonsense[4] == 6) nonsense[4] = 99;
    say(peer, nonsense);
  }
  std::vector<os::Descriptor> crowd;
  for (int i = 0; i < 50; ++i) crowd.push_back(connect());
  EXPECT_EQ(recorder->wait_exit().exit_code, 0);
  EXPECT_EQ(recorder->out(), "up\nend\n");
}

// Who connects while the run ends, and only then asks for the output, gets all of it before the exit.
TEST_F(StrangePeerTest, An_exit_is_told_after_the_output_also_to_who_asks_late) {
  const auto recorder = start(shell("echo up; while [ ! -e '" + root_.path().string() + "/gate' ]; do sleep 0.01; done; echo end"));
  recorder->wait_output("up");
  const os::Descriptor peer = connect();
  ASSERT_TRUE(peer);
  ASSERT_EQ(::fcntl(peer.get(), F_SETFL, 0), 0);
  std::string status;
  append_frame(status, FrameType::status, "");
  say(peer, status);
  char answer[1024];
  ASSERT_GT(::recv(peer.get(), answer, sizeof answer, 0), 0) << "the runner knows this connection";
  ASSERT_TRUE(os::write_file_atomically(root_.path() / "gate", ""));
  recorder->wait_exit();

  std::string frames;
  append_hello(frames);
  append_attach(frames, 0, environments::run_window_bytes);
  say(peer, frames);
  std::string heard;
  for (ssize_t got; (got = ::recv(peer.get(), answer, sizeof answer, 0)) > 0;) heard.append(answer, static_cast<std::size_t>(got));
  std::vector<FrameType> order;
  std::string said;
  for (std::string_view left = heard; !left.empty();) {
    Frame frame;
    ASSERT_EQ(read_frame(left, frame), FrameRead::complete);
    if (frame.type == FrameType::output || frame.type == FrameType::exited) order.push_back(frame.type);
    if (frame.type == FrameType::output)
      for (std::string_view records = frame.payload.substr(sizeof(std::uint64_t)); const auto record = read_record(records); records.remove_prefix(record->size()))
        said += record->bytes;
    left.remove_prefix(frame.size());
  }
  EXPECT_EQ(said, "up\nend\n");
  ASSERT_FALSE(order.empty());
  EXPECT_EQ(order.back(), FrameType::exited);
}

// A second start, or one on the wrong connection, changes nothing.
TEST_F(StrangePeerTest, A_run_is_started_once) {
  const auto recorder = start(shell("echo up; sleep 0.3; echo end"));
  recorder->wait_output("up");
  StartMessage other;
  other.argv = {"/bin/sh", "-c", "echo other"};
  other.cwd = "/";
  std::string frames;
  append_message(frames, FrameType::start, encode(other));
  const os::Descriptor peer = connect();
  say(peer, frames);
  recorder->wait_exit();
  EXPECT_EQ(recorder->out(), "up\nend\n");
}

}  // namespace
}  // namespace paperclip::runner
