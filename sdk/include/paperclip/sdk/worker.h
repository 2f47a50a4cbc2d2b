#pragma once

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "paperclip/sdk/environment.h"
#include "paperclip/sdk/host.h"
#include "paperclip/sdk/threads.h"

namespace paperclip::sdk {

/// What `initialize` brings.
struct Initialisation {
  json::object manifest;
  json::object config;
  std::string instance_id, host_version;
  std::optional<std::string> database_namespace;
};

/// A plugin's worker process: register what the manifest declares, then `run`.
///
///     int main() {
///       paperclip::sdk::Worker worker;
///       worker.data("greeting", [](const json::object& params) { return json::value("hello"); });
///       return worker.run();
///     }
///
/// Handlers come on several threads at once; what they throw is the answer (see Error). Register before `run`.
/// Descriptor 1 belongs to the protocol: whatever the plugin prints to stdout goes to stderr, which the host logs.
class Worker {
 public:
  using Handler = std::function<json::value(const json::object& params)>;
  using Effect = std::function<void(const json::object& params)>;

  Worker() : Worker(take_descriptor(0, 0), take_descriptor(1, 2)) {}
  /// Over other descriptors than 0 and 1, for tests.
  Worker(int in, int out) : connection_(in, out), host_(connection_), environments_(connection_) {
    ::signal(SIGPIPE, SIG_IGN);
  }
  Worker(const Worker&) = delete;

  Host& host() { return host_; }

  /// Called while the handshake waits, at most 15 s; may call the host. What it throws refuses the start.
  void on_setup(std::function<void(Host&, const Initialisation&)> setup) { setup_ = std::move(setup); }
  /// `{status: "ok" | "degraded" | "error", message?, details?}`; without: ok.
  void on_health(std::function<json::object()> health) { health_ = std::move(health); }
  void on_shutdown(std::function<void()> shutdown) { shutdown_ = std::move(shutdown); }
  void on_validate_config(std::function<ConfigCheck(const json::object& config)> check) { validate_config_ = std::move(check); }
  void on_config_changed(Effect changed) { config_changed_ = std::move(changed); }

  /// For `getData`; `params` also holds `renderEnvironment` where the host sent one.
  void data(std::string key, Handler handler) { data_.emplace(std::move(key), std::move(handler)); }
  void action(std::string key, Handler handler) { actions_.emplace(std::move(key), std::move(handler)); }
  /// `{jobKey, runId, trigger, scheduledAt}`.
  void job(std::string key, Effect handler) { jobs_.emplace(std::move(key), std::move(handler)); }
  /// Gets `{toolName, parameters, runContext}`, answers `{content?, data?, error?}`.
  void tool(std::string name, Handler handler) { tools_.emplace(std::move(name), std::move(handler)); }
  void on_webhook(Effect handler) { webhook_ = std::move(handler); }
  /// Gets what spec/plugins.md 19 says, answers `{status?, headers?, body?}`.
  void on_api_request(Handler handler) { api_request_ = std::move(handler); }
  /// Asks for events of this pattern once the plugin is set up; `filter` may be null.
  void on_event(std::string pattern, Effect handler, json::value filter = nullptr) {
    subscriptions_.push_back({std::move(pattern), std::move(filter), std::move(handler)});
  }
  /// For notifications `agents.sessions.event`.
  void on_session_event(Effect handler) { session_event_ = std::move(handler); }
  void environment_driver(std::string key, std::shared_ptr<EnvironmentDriver> driver) { environments_.add(std::move(key), std::move(driver)); }

  /// Serves the host until it says `shutdown` or closes the stream. Returns the exit code.
  int run() {
    while (!ending_) {
      const auto line = connection_.read_line();
      if (!line) break;
      take(*line);
    }
    connection_.close();
    environments_.kill_all();
    ::alarm(5);  // the kernel's: a handler that does not end shall not keep a worker nobody speaks to
    return 0;
  }

 private:
  struct Subscription {
    std::string pattern;
    json::value filter;
    Effect handler;
  };

  /// A private copy of a descriptor, whose place `replacement` (or nothing, if the same) takes.
  static int take_descriptor(int number, int replacement) {
    const int copy = ::fcntl(number, F_DUPFD_CLOEXEC, 3);
    const int instead = replacement == number ? ::open("/dev/null", O_RDONLY | O_CLOEXEC) : replacement;
    ::dup2(instead, number);
    if (replacement == number) ::close(instead);
    return copy;
  }

  void take(const std::string& line) {
    if (trimmed(line).empty()) return;
    boost::system::error_code failure;
    const json::value parsed = json::parse(line, failure);
    if (failure || !parsed.is_object()) {
      connection_.respond_error(nullptr, ErrorCode::parse_error, "Parse error");
      return;
    }
    const json::object& message = parsed.get_object();
    const json::value* id = member(message, "id");
    const auto method = text_at(message, "method");
    if (id && (message.contains("result") || message.contains("error"))) {
      connection_.take_answer(message);
    } else if (method && id && !id->is_null()) {
      request(*id, *method, object_at(message, "params"));
    } else if (method && !id) {
      notification(*method, object_at(message, "params"));
    }
  }

  void request(const json::value& id, const std::string& method, json::object params) {
    if (method == "shutdown") {
      try {
        if (shutdown_) shutdown_();
      } catch (const std::exception& failure) {
        host_.warn(std::string("shutdown: ") + failure.what());
      }
      environments_.kill_all();
      connection_.respond(id, nullptr);
      ending_ = true;
      return;
    }
    std::function<json::value()> work;
    try {
      if (method.starts_with("environment") && !environments_.empty()) {
        work = environments_.prepare(method, std::move(params));
      } else {
        work = [this, method, params = std::move(params)] { return answer(method, params); };
      }
    } catch (...) {
      work = [failure = std::current_exception()]() -> json::value { std::rethrow_exception(failure); };
    }
    threads_.run([this, id, work = std::move(work)] {
      try {
        connection_.respond(id, work());
      } catch (const Error& failure) {
        connection_.respond_error(id, failure.code(), failure.what());
      } catch (const std::exception& failure) {
        connection_.respond_error(id, ErrorCode::worker_error, failure.what());
      }
    });
  }

  void notification(const std::string& method, json::object params) {
    if (method == "agents.sessions.event" && session_event_) return effect(session_event_, std::move(params));
    if (method != "onEvent") return;
    const json::object event = object_at(params, "event");
    const std::string name = text_at(event, "eventType").value_or("");
    for (const Subscription& each : subscriptions_)
      if (matches(each.pattern, name)) effect(each.handler, event);
  }
  void effect(const Effect& handler, json::object params) {
    threads_.run([this, &handler, params = std::move(params)] {
      try {
        handler(params);
      } catch (const std::exception& failure) {
        host_.error(std::string("An event handler failed: ") + failure.what());
      }
    });
  }
  /// A pattern is a name, or the beginning of one before `*`.
  static bool matches(std::string_view pattern, std::string_view name) {
    return pattern.ends_with('*') ? name.starts_with(pattern.substr(0, pattern.size() - 1)) : pattern == name;
  }

  json::value initialise(const json::object& params) {
    const json::object instance = object_at(params, "instanceInfo");
    const Initialisation start{object_at(params, "manifest"), object_at(params, "config"), text_at(instance, "instanceId").value_or(""),
                               text_at(instance, "hostVersion").value_or(""), text_at(params, "databaseNamespace")};
    if (setup_) setup_(host_, start);
    for (const Subscription& each : subscriptions_) host_.call("events.subscribe", {{"eventPattern", each.pattern}, {"filter", each.filter}});

    json::array methods{"configChanged", "health", "shutdown"};
    if (validate_config_) methods.emplace_back("validateConfig");
    if (api_request_) methods.emplace_back("handleApiRequest");
    if (!environments_.empty())
      for (const char* name : {"ValidateConfig", "Probe", "AcquireLease", "ResumeLease", "ReleaseLease", "DestroyLease", "RealizeWorkspace", "Execute"})
        methods.emplace_back(std::string("environment") + name);
    json::object result{{"ok", true}, {"supportedMethods", std::move(methods)}};
    const auto wanted = environments_.wanted(texts_at(params, "extensions"));
    if (!wanted.empty()) result["extensions"] = to_array(wanted);
    return result;
  }

  json::value answer(const std::string& method, const json::object& params) {
    if (method == "initialize") return initialise(params);
    if (method == "health") return health_ ? json::value(health_()) : json::value(json::object{{"status", "ok"}});
    if (method == "configChanged") {
      if (config_changed_) config_changed_(object_at(params, "config"));
      return nullptr;
    }
    if (method == "validateConfig" && validate_config_) return wire::from_check(validate_config_(object_at(params, "config")));
    if (method == "getData" || method == "performAction") return show(method, params);
    if (method == "runJob") {
      const json::object job = object_at(params, "job");
      registered(jobs_, text_at(job, "jobKey").value_or(""), "No handler registered for job")(job);
      return nullptr;
    }
    if (method == "executeTool")
      return registered(tools_, text_at(params, "toolName").value_or(""), "No tool handler registered for")(params);
    if (method == "handleWebhook" && webhook_) {
      webhook_(params);
      return nullptr;
    }
    if (method == "handleApiRequest" && api_request_) return api_request_(params);
    if (method == "validateConfig" || method == "handleWebhook" || method == "handleApiRequest" || method.starts_with("environment"))
      throw EnvironmentDriver::missing(method);
    throw Error("Method not found: " + method, ErrorCode::method_not_found);
  }

  json::value show(const std::string& method, const json::object& params) {
    json::object given = object_at(params, "params");
    if (const json::value* place = member(params, "renderEnvironment")) given["renderEnvironment"] = *place;
    const std::string key = text_at(params, "key").value_or("");
    return method == "getData" ? registered(data_, key, "No data handler registered for key")(given)
                               : registered(actions_, key, "No action handler registered for key")(given);
  }
  template <class Handlers>
  static const typename Handlers::mapped_type& registered(const Handlers& handlers, const std::string& key, const char* otherwise) {
    const auto found = handlers.find(key);
    if (found == handlers.end()) throw Error(std::string(otherwise) + " \"" + key + "\"");
    return found->second;
  }

  Connection connection_;
  Host host_;
  EnvironmentMethods environments_;
  std::function<void(Host&, const Initialisation&)> setup_;
  std::function<json::object()> health_;
  std::function<void()> shutdown_;
  std::function<ConfigCheck(const json::object&)> validate_config_;
  Effect config_changed_, webhook_, session_event_;
  Handler api_request_;
  std::map<std::string, Handler> data_, actions_, tools_;
  std::map<std::string, Effect> jobs_;
  std::vector<Subscription> subscriptions_;
  std::atomic<bool> ending_{false};
  Threads threads_;  // last: its threads end before what they use
};

}  // namespace paperclip::sdk
