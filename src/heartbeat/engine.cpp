#include "heartbeat/engine.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "adapters/registry.h"
#include "heartbeat/engine_state.h"
#include "heartbeat/execution.h"
#include "os/crash_point.h"

namespace paperclip::heartbeat {

namespace {

using namespace std::chrono_literals;
constexpr int most_claimed_at_once = 8;

std::optional<json::object> profile_defaults(std::string_view adapter_type, std::string_view profile) {
  const auto* adapter = adapters::find_adapter(adapter_type);
  if (adapter == nullptr) return std::nullopt;
  for (const auto& known : adapter->model_profiles())
    if (known.key == profile) return known.adapter_config.value;
  return std::nullopt;
}

bool adapter_runs_remotely(std::string_view adapter_type) {
  const auto* adapter = adapters::find_adapter(adapter_type);
  return adapter != nullptr && adapter->runs_remotely();
}

template <class IdType>
std::optional<IdType> id_at(const json::value& payload, std::string_view key) {
  const auto text = text_at(payload, key);
  return text ? IdType::parse(*text) : std::nullopt;
}

}  // namespace

Engine::State::State(EngineOptions options_)
    : options(std::move(options_)),
      workspace_host{{options.database, options.operation_log_directory}, options.host, options.instance_root},
      profiles(profile_defaults) {
  figures.note_event(options.database.read([](store::Reader& reader) { return store::last_event(reader); }));
  if (options.executor == nullptr) pool.emplace(options.workers);
  const auto hear = [this](const store::Event& event) { receive(event); };
  if (options.subscribe) options.subscribe(hear);
  else options.database.subscribe(hear);
}

// After each commit: a run was queued, or one that runs here was cancelled.
void Engine::State::receive(const store::Event& event) {
  figures.note_event(event.sequence);
  if (event.type == "heartbeat.run.queued") {
    if (const auto agent = id_at<AgentId>(event.payload.parse(), "agentId")) poke(*agent);
  } else if (event.type == "heartbeat.run.status") {
    const auto payload = event.payload.parse();
    if (text_at(payload, "status") != "cancelled") return;
    if (const auto run = id_at<RunId>(payload, "runId"))
      if (const auto execution = find(*run)) execution->cancel();
  }
}

bool Engine::State::run_job(std::function<void()> job) {
  {
    std::lock_guard lock(mutex);
    if (stopping) return false;
    ++jobs;
  }
  // Counted until the job is gone, whether it ran or was dropped.
  std::shared_ptr<void> counted(nullptr, [this](void*) {
    std::lock_guard lock(mutex);
    --jobs;
    changed.notify_all();
  });
  auto counted_job = [job = std::move(job), counted = std::move(counted)] {
    try {
      job();
    } catch (const std::exception& problem) {
      spdlog::error("heartbeat.job_failed error=\"{}\"", problem.what());
    }
  };
  return options.executor ? options.executor->post(std::move(counted_job)) : pool->post(std::move(counted_job));
}

void Engine::State::run_later(std::chrono::milliseconds delay, std::function<void()> job) {
  if (options.executor) {
    options.executor->post_after(delay, [this, job = std::move(job)] { run_job(job); });
    return;
  }
  std::lock_guard lock(mutex);
  timers.emplace(std::chrono::steady_clock::now() + delay, std::move(job));
  changed.notify_all();
}

void Engine::State::poke(AgentId agent) {
  {
    std::lock_guard lock(mutex);
    if (!open || stopping || !poked.insert(agent).second) return;
  }
  if (!run_job([this, agent] { look_at_queue(agent); })) {
    std::lock_guard lock(mutex);
    poked.erase(agent);  // the tick finds it
  }
}

void Engine::State::poke_waiting() {
  std::vector<AgentId> next;
  {
    std::lock_guard lock(mutex);
    int free = options.max_live_runs - static_cast<int>(live.size()) - reserved;
    for (; free > 0 && !waiting.empty(); --free) {
      next.push_back(waiting.front());
      waiting.pop_front();
    }
  }
  for (const auto& agent : next) poke(agent);
}

void Engine::State::look_at_queue(AgentId agent) {
  int slots = 0;
  {
    std::lock_guard lock(mutex);
    poked.erase(agent);  // first: what is queued from now on asks again
    if (stopping) return;
    // Not all of them, so that other agents' claims go on meanwhile.
    slots = std::min(most_claimed_at_once, options.max_live_runs - static_cast<int>(live.size()) - reserved);
    if (slots <= 0) {
      if (std::find(waiting.begin(), waiting.end(), agent) == waiting.end()) waiting.push_back(agent);
      return;
    }
    reserved += slots;
  }
  domain::Claims claims;
  try {
    auto claimed = options.database.write([&](store::Transaction& tx) -> Result<domain::Claims> {
      return domain::claim_queued_runs(tx, agent, {slots, profiles, adapter_runs_remotely, options.leases != nullptr});
    });
    if (claimed) claims = *std::move(claimed);
    else spdlog::error("heartbeat.claim_failed agent={} error=\"{}\"", agent.view(), claimed.error().message);
  } catch (const std::exception& problem) {
    spdlog::error("heartbeat.claim_failed agent={} error=\"{}\"", agent.view(), problem.what());
  }
  if (!claims.runs.empty()) crash_point("claim.committed");
  std::vector<std::shared_ptr<Execution>> started;
  for (const auto& setup : claims.runs) {
    const auto& run = setup.run;
    figures.count_claim(std::chrono::duration<double>(options.clock.now() - std::max(run.created_at, run.scheduled_retry_at.value_or(run.created_at))).count());
  }
  for (auto& setup : claims.runs) started.push_back(std::make_shared<Execution>(*this, std::move(setup)));
  {
    std::lock_guard lock(mutex);
    reserved -= slots;
    for (const auto& execution : started) live.emplace(execution->run_id(), execution);
    if (claims.machine_full && std::find(waiting.begin(), waiting.end(), agent) == waiting.end()) waiting.push_back(agent);
  }
  poke_waiting();
  for (std::size_t i = 0; i + 1 < started.size(); ++i)
    if (!run_job([execution = started[i]] { execution->launch(); })) started[i]->launch();
  if (!started.empty()) started.back()->launch();
}

void Engine::State::add(const std::shared_ptr<Execution>& execution) {
  std::lock_guard lock(mutex);
  live.emplace(execution->run_id(), execution);
}

std::shared_ptr<Execution> Engine::State::find(RunId run) {
  std::lock_guard lock(mutex);
  const auto at = live.find(run);
  return at == live.end() ? nullptr : at->second;
}

void Engine::State::remove(RunId run, const std::vector<AgentId>& waiting_agents) {
  {
    std::lock_guard lock(mutex);
    live.erase(run);
    changed.notify_all();
  }
  for (const auto& agent : waiting_agents) poke(agent);
  poke_waiting();
}

Engine::Engine(EngineOptions options) : state_(std::make_unique<State>(std::move(options))) {}

Engine::~Engine() { stop(Deadline::in(1s)); }

void Engine::start(std::string api_url) {
  state_->api_url = std::move(api_url);
  if (state_->options.executor == nullptr) state_->timekeeper = std::thread([state = state_.get()] { state->keep_time(); });
  state_->run_job([state = state_.get()] { state->recover(); });
}

void Engine::stop(Deadline deadline) {
  {
    std::unique_lock lock(state_->mutex);
    if (state_->stopping) return;
    state_->open = false;
    // What is being claimed or accounted for is brought to its end.
    state_->changed.wait_until(lock, deadline.at(), [&] { return state_->jobs == 0; });
    state_->stopping = true;
    state_->changed.notify_all();
  }
  if (state_->timekeeper.joinable()) state_->timekeeper.join();
  if (state_->pool) state_->pool->stop();
}

void Engine::poke(AgentId agent) { state_->poke(agent); }
void Engine::tick() { state_->tick(); }

Figures Engine::figures() const {
  Figures figures;
  state_->figures.read(figures);
  std::lock_guard lock(state_->mutex);
  figures.live = static_cast<int>(state_->live.size());
  figures.live_limit = state_->options.max_live_runs;
  figures.jobs = static_cast<std::size_t>(state_->jobs);
  return figures;
}

std::size_t Engine::live_runs() const {
  std::lock_guard lock(state_->mutex);
  return state_->live.size();
}

std::size_t Engine::most_live_runs() const { return static_cast<std::size_t>(state_->options.max_live_runs); }

bool Engine::settle(Deadline deadline) {
  // The cancels must have been heard of here.
  if (!state_->options.database.wait_delivered(deadline.left())) return false;
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_until(lock, deadline.at(), [&] {
    return std::none_of(state_->live.begin(), state_->live.end(), [](const auto& item) { return item.second->is_cancelled(); });
  });
}

bool Engine::wait_idle(Deadline deadline) {
  // What was committed before this call may not have reached the engine yet.
  if (!state_->options.database.wait_delivered(deadline.left())) return false;
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_until(lock, deadline.at(), [&] { return state_->live.empty() && state_->jobs == 0 && state_->poked.empty(); });
}

const std::filesystem::path& Engine::run_log_directory() const { return state_->options.run_log_directory; }

}  // namespace paperclip::heartbeat
