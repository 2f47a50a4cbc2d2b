#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "paperclip/sdk/base64.h"
#include "worker_host.h"

namespace paperclip::testing_support {

/// A worker of the provider `bubblewrap` with a directory of its own for sandboxes, and the calls that tests make.
struct Bubblewrap : testing::Test {
  std::string root = make_root();
  WorkerHost worker{"bubblewrap"};

  void SetUp() override { worker.initialise({{"directory", root + "/sandboxes"}}); }
  void TearDown() override {
    if (worker.pid() > 0) worker.close();
    std::filesystem::remove_all(root);
  }

  static std::string make_root() {
    std::string path = "/tmp/bubblewrap-test-XXXXXX";
    if (!::mkdtemp(path.data())) throw std::runtime_error("mkdtemp");
    ::chmod(path.c_str(), 0711);  // as root, sandboxes belong to other users, who have to get through
    return path;
  }
  static json::object with(json::object base, json::object more) {
    for (auto& item : more) base[item.key()] = item.value();
    return base;
  }
  static json::object base(json::object config = {}) {
    return {{"driverKey", "bubblewrap"}, {"companyId", "c1"}, {"environmentId", "e1"}, {"config", std::move(config)}};
  }
  json::object acquire(json::object config = {}) {
    const json::value lease = worker.call("environmentAcquireLease", with(base(std::move(config)), {{"runId", "r1"}}));
    return lease.is_object() ? lease.get_object() : json::object();
  }
  void release(const json::object& lease) {
    worker.call("environmentReleaseLease", with(base(), {{"providerLeaseId", lease.at("providerLeaseId")}, {"leaseMetadata", lease.at("metadata")}}));
  }
  static json::object execution(const json::object& lease, const std::string& script, json::object more = {}) {
    return with(with(base(), {{"lease", lease}, {"command", "sh"}, {"args", json::array{"-c", script}}}), std::move(more));
  }
  /// Runs a script to its end; the config is that of the lease's environment.
  json::object run(const json::object& lease, const std::string& script, json::object more = {}) {
    const json::value result = worker.call("environmentExecute", execution(lease, script, std::move(more)));
    return result.is_object() ? result.get_object() : json::object{{"stdout", ""}, {"stderr", ""}, {"exitCode", -1}};
  }
  std::string say(const json::object& lease, const std::string& script, json::object more = {}) {
    return std::string(run(lease, script, std::move(more)).at("stdout").as_string());
  }
  std::filesystem::path directory_of(const json::object& lease) {
    for (const auto& plugin : std::filesystem::directory_iterator(root + "/sandboxes"))
      if (std::filesystem::exists(plugin.path() / std::string(lease.at("providerLeaseId").as_string())))
        return plugin.path() / std::string(lease.at("providerLeaseId").as_string());
    return {};
  }
};

/// How many processes of this machine have the text among their arguments.
int processes_with(const std::string& text);
/// Waits until there are none.
bool all_gone(const std::string& text);

}  // namespace paperclip::testing_support
