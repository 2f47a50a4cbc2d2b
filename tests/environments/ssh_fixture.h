#pragma once

#include "environments/ssh/driver.h"
#include "run_fixture.h"
#include "sshd.h"

namespace paperclip::environments {

/// A driver and a place on a real sshd.
class SshFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!Sshd::is_possible()) GTEST_SKIP() << "sshd is not installed (scripts/install-dependencies)";
    sshd_ = std::make_unique<Sshd>();
    restart_server();
  }
  void TearDown() override {
    place_.reset();
    driver_.reset();
    sshd_.reset();
  }

  static Deadline soon() { return Deadline::in(std::chrono::seconds(120)); }
  PlaceRequest request() const {
    PlaceRequest request;
    request.config = sshd_->config();
    request.run_id = run_;
    return request;
  }
  /// As after a restart of the server.
  void restart_server(std::chrono::milliseconds patience = std::chrono::minutes(10)) {
    place_.reset();
    driver_.reset();
    driver_ = ssh::SshDriver::create({.runner = program("paperclip-runner"), .patience = patience}).value();
  }
  Place& place() {
    if (!place_) {
      auto acquired = driver_->acquire(request(), soon());
      if (!acquired) throw std::runtime_error(acquired.error().message);
      metadata_ = acquired->metadata;
      place_ = std::move(acquired->place);
    }
    return *place_;
  }
  domain::EnvironmentLease lease() const {
    domain::EnvironmentLease lease;
    lease.metadata = RawJson(json::value(metadata_));
    return lease;
  }
  void resume_place() { place_ = std::move(driver_->resume(request(), lease(), soon()).value().place); }

  RunCommand shell(const std::string& script) {
    RunCommand command;
    command.argv = {"sh", "-c", script};
    command.cwd = place().description().cwd;
    return command;
  }
  std::shared_ptr<Recorder> start(const RunCommand& command) {
    auto recorder = std::make_shared<Recorder>();
    const auto started = place().runner().start(run_, command, recorder);
    EXPECT_TRUE(started) << started.error().message;
    return recorder;
  }
  std::filesystem::path run_directory() const { return sshd_->home() / ".paperclip/runs" / run_.view(); }
  /// The ssh clients of this process that hold connections to the server.
  std::vector<int> clients() const { return processes_with(std::to_string(sshd_->port())); }

  std::unique_ptr<Sshd> sshd_;
  std::unique_ptr<ssh::SshDriver> driver_;
  std::unique_ptr<Place> place_;
  json::object metadata_;
  RunId run_ = Random::system().id<RunId>();
};

}  // namespace paperclip::environments
