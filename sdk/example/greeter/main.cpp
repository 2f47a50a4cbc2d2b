// A plugin in C++, top to bottom. It offers
//   - data `greeting` and an action `greet` for its UI,
//   - a tool `greet` for agents,
//   - a job `reset` that the host runs every midnight,
// and notices each issue that is created. What it may ask the host for stands in manifest.json.

#include "paperclip/sdk/worker.h"

namespace {

using namespace paperclip::sdk;

/// The counter lives in the host's state, so that it outlives this process.
const StateKey counter{.key = "greetings"};

std::int64_t greetings(Host& host) {
  const json::value stored = host.state(counter);
  return stored.is_int64() ? stored.get_int64() : 0;
}

std::string greet(Host& host, const std::string& name) {
  // The configuration as the board saved it last; asked for each time, so that a change needs no restart.
  const std::string greeting = text_at(host.config(), "greeting").value_or("Hello");
  host.set_state(counter, greetings(host) + 1);
  return greeting + ", " + name + "!";
}

}  // namespace

int main() {
  Worker worker;
  Host& host = worker.host();

  worker.on_setup([](Host& host, const Initialisation& start) {
    host.info("The greeter is ready", {{"hostVersion", start.host_version}});
  });

  worker.on_validate_config([](const json::object& config) {
    ConfigCheck check;
    if (text_at(config, "greeting").value_or("Hello").empty()) check.errors.push_back("A greeting needs at least one letter.");
    return check;
  });

  worker.data("greetings", [&host](const json::object&) { return json::object{{"count", greetings(host)}}; });

  worker.action("greet", [&host](const json::object& params) {
    // Throwing an Error is how a handler says no.
    return json::object{{"text", greet(host, required_text(params, "name"))}};
  });

  worker.tool("greet", [&host](const json::object& call) {
    return json::object{{"content", greet(host, required_text(object_at(call, "parameters"), "name"))}};
  });

  worker.job("reset", [&host](const json::object&) { host.delete_state(counter); });

  worker.on_event("issue.created", [&host](const json::object& event) {
    host.info("An issue was created", {{"issue", text_at(event, "entityId").value_or("")}});
  });

  return worker.run();
}
