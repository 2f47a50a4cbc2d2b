#include "simulation.h"

#include <cstdio>

#include "domain/runs/retries.h"
#include "domain/schema/migrations.h"
#include "os/child_environment.h"
#include "os/crash_point.h"
#include "os/files.h"
#include "store/error.h"

namespace paperclip::simulator {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t tick_ms = 30'000;
constexpr std::uint64_t most_steps = 6000;

store::OpenOptions options(const fs::path& file) {
  store::OpenOptions options;
  options.where = store::SqliteFile{file.string()};
  options.migrations = domain::domain_migrations();
  options.readers = 2;
  return options;
}

}  // namespace

Simulation* Simulation::current_ = nullptr;

Stage::Stage(fs::path root) : root_(std::move(root)), vault_(*domain::SecretVault::open("", root_ / "master.key", Random::system())) {
  const auto empty = store::Database::open(options(root_ / "empty.db"));
  if (!empty) throw std::runtime_error(empty.error().message);
}

Stage::~Stage() = default;

Simulation::Simulation(Stage& stage, std::uint64_t seed, bool trace)
    : stage_(stage), seed_(seed), trace_(trace), dice_(seed), random_(seed), place_(stage.root() / std::to_string(seed)), machine_(clock_, dice_), queue_(clock_) {
  fs::remove_all(place_);
  fs::create_directories(place_);
  fs::copy_file(stage.root() / "empty.db", place_ / "db");
  auto opening = options(place_ / "db");
  opening.clock = &clock_;
  opening.random = &random_;
  auto opened = store::Database::open(std::move(opening));
  if (!opened) throw std::runtime_error(opened.error().message);
  database_ = std::move(*opened);
  database_->subscribe([this](const store::Event& event) {
    const std::lock_guard lock(inbox_mutex_);
    inbox_.push_back(event);
  });
  live_ = std::make_unique<heartbeat::LiveEvents>(*database_);
  max_live_runs_ = dice_.between(1, 6);
  world_.emplace(*database_, clock_, dice_);
  auditor_.emplace(*database_, clock_, machine_, max_live_runs_);
  current_ = this;
  set_crash_hook(&Simulation::on_point);
  open_engine();
  (void)database_->wait_delivered(10s);
}

Simulation::~Simulation() {
  set_crash_hook(nullptr);
  current_ = nullptr;
  queue_.drop_all();
  machine_.detach_all();
  engine_.reset();
  database_.reset();
  live_.reset();
  std::error_code ignored;
  fs::remove_all(place_, ignored);
}

void Simulation::open_engine() {
  heartbeat::EngineOptions engine{*database_, clock_, stage_.vault(), stage_.tokens(), machine_, stage_.http(), *live_};
  engine.host = {{"PATH", "/usr/bin:/bin"}};
  engine.instance_root = engine.server_cwd = place_;
  engine.run_log_directory = place_ / "logs";
  engine.max_live_runs = max_live_runs_;
  engine.executor = &queue_;
  engine.subscribe = [this](std::function<void(const store::Event&)> hear) { hear_ = std::move(hear); };
  engine_ = std::make_unique<heartbeat::Engine>(std::move(engine));
  engine_->start("http://127.0.0.1:1");
  served_since_ = clock_.steady_ms();
  next_tick_ = served_since_ + tick_ms;
}

void Simulation::on_point(std::string_view name) {
  if (current_) current_->at_point(name);
}

// Called wherever something could go wrong, on the thread that does the work while ours waits for it.
void Simulation::at_point(std::string_view name) {
  if (name.starts_with("commit.")) return at_commit(name);
  if (crash_in_ >= 0 && crash_in_-- == 0) {
    note("crash", name);
    throw Crash{};
  }
  if (calm_ || !faults_) return;
  if (dice_.chance(0.01)) clock_.advance(dice_.between(1, 15'000));  // a slow disk
  if (name == "event.append.before" && dice_.chance(0.02)) {
    note("disk refuses", name);
    throw store::StoreError(ErrorKind::unavailable, "the disk is full");
  }
}

// A commit may be slow or be refused; the server dies before or after it, not in it. What it wrote is looked at at once.
void Simulation::at_commit(std::string_view name) {
  if (name == "commit.after") {
    if (auditor_) audit();
    return;
  }
  if (calm_ || !faults_) return;
  if (dice_.chance(0.05)) clock_.advance(dice_.between(1, 15'000));
  if (dice_.chance(0.01)) {
    note("commit refused");
    throw store::StoreError(ErrorKind::unavailable, "the disk is full");
  }
}

void Simulation::note(std::string_view what, std::string_view detail) {
  for (const auto text : {what, detail})
    for (const char c : text) fingerprint_ = (fingerprint_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  if (trace_)
    std::printf("%6llu %s %.*s %.*s\n", static_cast<unsigned long long>(steps_), to_iso(clock_.now()).c_str(), static_cast<int>(what.size()), what.data(),
                static_cast<int>(detail.size()), detail.data());
}

void Simulation::complain(std::string what) {
  if (!complaint_) complaint_ = std::move(what);
}

void Simulation::crash() {
  crash_in_ = -1;
  queue_.drop_all();
  machine_.detach_all();
  engine_.reset();
  hear_ = nullptr;
  (void)database_->wait_delivered(10s);
  {
    const std::lock_guard lock(inbox_mutex_);
    inbox_.clear();
  }
  clock_.advance(dice_.chance(0.2) ? dice_.between(60'000, 4 * 3'600'000) : dice_.between(50, 5000));
  if (dice_.chance(0.15)) {
    note("reboot");
    machine_.reboot();
  }
  // Agents go on meanwhile, but nobody answers them.
  machine_.proceed([](const Process&, const Step&) {});
  open_engine();
}

void Simulation::deliver_event() {
  store::Event event;
  {
    const std::lock_guard lock(inbox_mutex_);
    if (inbox_.empty()) return;
    event = std::move(inbox_.front());
    inbox_.pop_front();
  }
  note("event", event.type);
  if (hear_) hear_(event);
}

void Simulation::proceed() {
  machine_.proceed([&](const Process& process, const Step&) {
    auto complaint = world_->act(process, calm_);
    note("agent", world_->last_deed());
    if (complaint) complain(*complaint);
  });
}

void Simulation::maybe_tick() {
  if (clock_.steady_ms() < next_tick_) return;
  next_tick_ = clock_.steady_ms() + tick_ms;
  note("tick");
  engine_->tick();
}

void Simulation::pass_time() {
  std::int64_t to = next_tick_;
  if (const auto timer = queue_.next_timer()) to = std::min(to, *timer);
  if (const auto next = machine_.next_event()) to = std::min(to, *next);
  std::int64_t step = std::max<std::int64_t>(to - clock_.steady_ms(), 1);
  if (!calm_ && dice_.chance(0.5)) step = std::min<std::int64_t>(step, dice_.between(1, 2000));
  clock_.advance(step);
}

bool Simulation::has_work() const {
  return queue_.size() > 0 || !machine_.with_news().empty() || !inbox_.empty();
}

bool Simulation::at_rest() {
  if (has_work() || engine_->live_runs() > 0 || !machine_.processes().empty()) return false;
  return database_->read([&](store::Reader& reader) { return !reader.exists("select 1 from heartbeat_runs where status in ('queued', 'running', 'scheduled_retry')"); });
}

void Simulation::audit() {
  if (auto complaint = auditor_->after_commit()) complain(*complaint);
}

void Simulation::step() {
  ++steps_;
  // What can happen, weighed.
  const auto news = machine_.with_news();
  bool events;
  {
    const std::lock_guard lock(inbox_mutex_);
    events = !inbox_.empty();
  }
  struct Choice {
    int weight;
    int what;
  };
  std::vector<Choice> choices;
  if (queue_.size() > 0) choices.push_back({40, 0});
  if (events) choices.push_back({30, 1});
  if (!news.empty()) choices.push_back({25, 2});
  choices.push_back({choices.empty() ? 30 : 5, 3});
  if (!calm_) {
    choices.push_back({6, 4});
    choices.push_back({1, 5});
  }
  int sum = 0;
  for (const auto& choice : choices) sum += choice.weight;
  int at = static_cast<int>(dice_.below(static_cast<std::uint64_t>(sum)));
  int what = 3;
  for (const auto& choice : choices) {
    if (at < choice.weight) {
      what = choice.what;
      break;
    }
    at -= choice.weight;
  }
  try {
    switch (what) {
      case 0:
        note("job");
        queue_.run_one(dice_);
        break;
      case 1: deliver_event(); break;
      case 2: {
        const RunId run = news[dice_.below(news.size())];
        note("news", run.view());
        machine_.tell(run);
        break;
      }
      case 3:
        if (choices.size() <= 3 && !has_work())
          if (auto complaint = auditor_->while_idle(served_since_)) complain(*complaint);
        pass_time();
        break;
      case 4:
        world_->disturb();
        note("world", world_->last_deed());
        break;
      default:
        switch (dice_.below(6)) {
          case 0: throw Crash{};
          case 1: case 2: crash_in_ = dice_.between(0, 40); break;
          case 3: {
            const auto jump = static_cast<std::int64_t>(dice_.between(-86'400, 86'400)) * 1000;
            note("clock jumps");
            clock_.jump(jump);
            break;
          }
          case 4:
            note("runner lost");
            machine_.lose_one();
            break;
          default:
            note("sleeps");
            clock_.advance(dice_.between(60, 36'000) * 1000LL);
        }
    }
    queue_.run_due_timers();
    proceed();
    maybe_tick();
  } catch (const Crash&) {
    note("server dies");
    crash();
  }
  (void)database_->wait_delivered(10s);
}

std::optional<std::string> Simulation::run() {
  const auto stir = static_cast<std::uint64_t>(dice_.between(30, 120));
  faults_ = dice_.chance(0.3);
  try {
    while (!complaint_ && steps_ < stir) step();
    calm_ = true;
    crash_in_ = -1;
    if (!complaint_) {
      world_->calm_down();
      machine_.calm_down();
      for (auto* process : machine_.alive())
        if (!process->killed_at) machine_.cancel(process->run, 1s);
      (void)database_->wait_delivered(10s);
    }
    while (!complaint_ && !at_rest()) {
      if (steps_ > most_steps) {
        complain("it does not come to rest");
        break;
      }
      // Retries may be hours away.
      if (!has_work() && machine_.processes().empty())
        if (const auto due = database_->read([](store::Reader& reader) {
              return reader.value<Timestamp>("select min(scheduled_retry_at) from heartbeat_runs where status = 'scheduled_retry'");
            }))
          if (due->ms > clock_.now().ms) clock_.advance(due->ms - clock_.now().ms);
      step();
    }
    if (!complaint_) {
      if (auto complaint = auditor_->at_rest(place_ / "logs")) complain(*complaint);
    }
  } catch (const std::exception& problem) { complain(std::string("exception: ") + problem.what()); }
  if (complaint_ && trace_) std::fputs(auditor_->rows().c_str(), stdout);
  return complaint_;
}

}  // namespace paperclip::simulator
