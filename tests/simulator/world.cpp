#include "world.h"

#include <stdexcept>

#include "base/read_json.h"
#include "domain/agents/agent.h"
#include "domain/agents/agents.h"
#include "domain/companies/company.h"
#include "domain/instance/instance.h"
#include "domain/issues/comments.h"
#include "domain/issues/create_issue.h"
#include "domain/issues/lock.h"
#include "domain/issues/patch_issue.h"
#include "domain/runs/cancel.h"
#include "domain/wakeups/wake.h"

namespace paperclip::simulator {

namespace {
constexpr std::string_view any_issue = "select id from issues where status not in ('done', 'cancelled') order by id";
}

World::World(store::Database& database, VirtualClock& clock, Dice& dice) : database_(database), clock_(clock), dice_(dice) {
  const auto made = database_.write([&](store::Transaction& tx) -> Result<> {
    domain::Company company;
    company.id = company_ = tx.new_id<CompanyId>();
    company.name = "Simulated";
    company.issue_prefix = "SIM";
    company.created_at = company.updated_at = tx.now();
    tx.insert(domain::table_of<domain::Company>, company);
    return {};
  });
  if (!made) throw std::runtime_error(made.error().message);
  const int count = dice_.between(1, 4);
  for (int i = 0; i < count; ++i) hire(i);
  limited_ = dice_.chance(0.5);
  if (limited_)
    for (int i = dice_.between(1, 3); i > 0; --i) limit_something();
  if (dice_.chance(0.3)) open_dead_ends();
}

void World::hire(int number) {
  domain::NewAgent agent;
  agent.name = "Agent " + std::to_string(number);
  if (!agents_.empty() && dice_.chance(0.5)) agent.reports_to = agents_.front();
  agent.adapter_config = json::object{{"command", "/bin/true"}, {"cwd", "/"}, {"graceSec", dice_.between(1, 20)}};
  if (dice_.chance(0.5)) agent.adapter_config["timeoutSec"] = dice_.between(5, 120);
  json::object heartbeat{{"maxConcurrentRuns", dice_.between(1, 3)}};
  if (dice_.chance(0.3)) {
    heartbeat["enabled"] = true;
    heartbeat["intervalSec"] = dice_.between(30, 600);
  }
  agent.runtime_config = json::object{{"heartbeat", heartbeat}};
  const auto hired = database_.write([&](store::Transaction& tx) { return domain::insert_agent(tx, domain::CompanyScope::internal(company_), agent); });
  if (!hired) throw std::runtime_error(hired.error().message);
  agents_.push_back(*hired);
}

// The instance wants dead ends in the graph of issues to be opened.
void World::open_dead_ends() {
  domain::InstanceSettings settings;
  settings.experimental = RawJson(R"({"enableIssueGraphLivenessAutoRecovery":true})");
  const auto wished = database_.write([&](store::Transaction& tx) -> Result<> {
    settings.id = tx.new_id<AnyId>();
    settings.created_at = settings.updated_at = tx.now();
    tx.insert(domain::table_of<domain::InstanceSettings>, settings);
    return {};
  });
  if (!wished) throw std::runtime_error(wished.error().message);
}

template <class Body>
std::optional<Body> World::body(const json::object& fields) {
  const json::value value(fields);
  auto decoded = decode<Body>(&value);
  if (!decoded) throw std::logic_error(decoded.error().message + " " + to_string(value));
  return *std::move(decoded);
}

// What a caller is refused is refused; only what breaks a rule is of interest, and that is an exception.
template <class Rule>
bool World::attempt(Rule&& rule) {
  const auto outcome = database_.write([&](store::Transaction& tx) -> Result<> {
    auto made = rule(tx);
    if (!made.ok()) return std::move(made).error();
    return {};
  });
  deed_ += outcome.ok() ? " ok" : " refused: " + outcome.error().message;
  return outcome.ok();
}

domain::CompanyScope World::board() { return *domain::authorise_company(domain::local_board(), company_, true); }

domain::CompanyScope World::scope_of(const Process& process) {
  domain::Actor actor;
  actor.kind = domain::ActorKind::agent;
  actor.source = domain::ActorSource::agent_jwt;
  actor.agent_id = process.agent;
  actor.company_id = company_;
  actor.run_id = process.run;
  return *domain::authorise_company(actor, company_, true);
}

template <class IdType>
std::optional<IdType> World::any(std::string_view sql) {
  auto ids = database_.read([&](store::Reader& reader) { return reader.column<IdType>(sql); });
  if (ids.empty()) return std::nullopt;
  return dice_.one_of(ids);
}

void World::disturb() {
  if (limited_ && dice_.chance(0.15)) return dice_.chance(0.5) ? limit_something() : decide_incident();
  switch (dice_.below(12)) {
    case 0: case 1: return wake();
    case 2: case 3: case 4: return new_issue();
    case 5: case 6: return comment();
    case 7: case 8: return patch();
    case 9: return cancel();
    default: return pause_or_resume();
  }
}

void World::wake() {
  deed_ = "wake";
  domain::WakeRequest request;
  request.trigger_detail = "manual";
  request.requested_by = domain::Author{"user", "ann", std::nullopt, std::nullopt};
  if (dice_.chance(0.5)) request.payload = json::object{{"taskKey", "task " + std::to_string(dice_.below(3))}};
  if (const auto issue = any<IssueId>(any_issue); issue && dice_.chance(0.5)) {
    request.payload = json::object{{"issueId", issue->view()}};
    request.context = json::object{{"issueId", issue->view()}};
  }
  if (dice_.chance(0.3)) request.idempotency_key = "key " + std::to_string(dice_.below(3));
  const auto agent = dice_.one_of(agents_);
  (void)database_.write([&](store::Transaction& tx) -> Result<> {
    (void)domain::attempt_wakeup(tx, agent, request);
    return {};
  });
}

void World::new_issue() {
  deed_ = "new issue";
  json::object fields{{"title", "Work"}, {"status", dice_.chance(0.9) ? "todo" : "backlog"}};
  if (dice_.chance(0.85)) fields["assigneeAgentId"] = dice_.one_of(agents_).view();
  if (const auto other = any<IssueId>(any_issue); other && dice_.chance(0.25)) fields["blockedByIssueIds"] = json::array{other->view()};
  const auto issue = body<domain::NewIssueBody>(fields);
  attempt([&](store::Transaction& tx) { return domain::create_issue(tx, board(), *issue); });
}

void World::comment() {
  const auto issue = any<IssueId>("select id from issues order by id");
  if (!issue) return;
  deed_ = "comment " + issue->str();
  json::object fields{{"body", "How is it going?"}};
  if (dice_.chance(0.2)) fields["interrupt"] = true;
  if (dice_.chance(0.2)) fields["reopen"] = true;
  const auto comment = body<domain::CommentBody>(fields);
  attempt([&](store::Transaction& tx) { return domain::post_comment(tx, board(), *issue, *comment); });
}

void World::patch() {
  const auto issue = any<IssueId>("select id from issues order by id");
  if (!issue) return;
  json::object fields;
  if (dice_.chance(0.5)) fields["assigneeAgentId"] = dice_.one_of(agents_).view();
  else fields["status"] = std::vector<const char*>{"todo", "in_progress", "blocked", "done", "cancelled", "backlog"}[dice_.below(6)];
  deed_ = "patch " + issue->str() + " " + to_string(json::value(fields));
  const auto patch = body<domain::IssuePatchBody>(fields);
  attempt([&](store::Transaction& tx) { return domain::patch_issue(tx, board(), *issue, *patch); });
}

void World::cancel() {
  const auto run = any<RunId>("select id from heartbeat_runs where status in ('queued', 'running', 'scheduled_retry') order by id");
  if (!run) return;
  deed_ = "cancel " + run->str();
  attempt([&](store::Transaction& tx) { return domain::cancel_run(tx, board(), *run); });
}

void World::pause_or_resume() {
  const auto agent = dice_.one_of(agents_);
  const bool pause = dice_.chance(0.5);
  deed_ = std::string(pause ? "pause " : "resume ") + agent.str();
  attempt([&](store::Transaction& tx) { return pause ? domain::pause_agent(tx, board(), agent) : domain::resume_agent(tx, board(), agent); });
}

std::optional<std::string> World::act(const Process& process, bool calm) {
  if (!process.agent) return std::nullopt;
  const auto scope = scope_of(process);
  std::optional<IssueId> issue = process.issue;
  if (!issue && dice_.chance(0.5)) issue = any<IssueId>(any_issue);
  if (!issue) return std::nullopt;
  deed_ = "run " + process.run.str() + " on issue " + issue->str();
  bool stale_write = false, done = false;
  const auto whose = [&](store::Transaction& tx) {
    // Somebody else's live run executes the issue: this one must not change it.
    stale_write = tx.exists("select 1 from issues i join heartbeat_runs r on r.id = i.checkout_run_id where i.id = :1 and i.checkout_run_id <> :2 "
                            "and r.status = 'running' and i.status = 'in_progress' and i.assignee_agent_id = :3",
                            *issue, process.run, *process.agent);
  };
  if (limited_ && !calm && dice_.chance(0.5)) {
    report_cost(process, issue);
    return std::nullopt;
  }
  switch (calm ? 3 : dice_.below(6)) {
    case 0: {
      domain::CheckoutBody checkout{*process.agent, {domain::IssueStatus::todo, domain::IssueStatus::backlog, domain::IssueStatus::in_progress}};
      deed_ += " checks out";
      attempt([&](store::Transaction& tx) { return domain::check_out_issue(tx, scope, *issue, checkout); });
      break;
    }
    case 1: {
      deed_ += " comments";
      const auto words = body<domain::CommentBody>({{"body", "Half of it is done."}});
      attempt([&](store::Transaction& tx) { return domain::post_comment(tx, scope, *issue, *words); });
      break;
    }
    case 2: {
      deed_ += " delegates";
      const auto fresh = body<domain::NewIssueBody>({{"title", "Part"}, {"status", "todo"}, {"parentId", issue->view()}, {"assigneeAgentId", dice_.one_of(agents_).view()}});
      attempt([&](store::Transaction& tx) { return domain::create_issue(tx, scope, *fresh); });
      break;
    }
    case 5: {
      deed_ += " releases";
      attempt([&](store::Transaction& tx) { return domain::release_issue(tx, scope, *issue); });
      break;
    }
    default: {
      const char* status = calm || dice_.chance(0.6) ? "done" : dice_.chance(0.5) ? "in_progress" : "blocked";
      deed_ += std::string(" says ") + status;
      const auto patch = body<domain::IssuePatchBody>({{"status", status}, {"comment", "Here it is."}});
      done = attempt([&](store::Transaction& tx) {
        whose(tx);
        return domain::patch_issue(tx, scope, *issue, *patch);
      });
      break;
    }
  }
  if (done && stale_write) return "run " + process.run.str() + " changed issue " + issue->str() + " that another live run holds";
  return std::nullopt;
}

void World::calm_down() {
  deed_ = "calm";
  const auto calmed = database_.write([&](store::Transaction& tx) -> Result<> {
    tx.execute("update agents set runtime_config = :1", RawJson(R"({"heartbeat":{"maxConcurrentRuns":3}})"));
    lift_limits(tx);
    for (const auto& agent : agents_) (void)tx.nested([&] { return domain::resume_agent(tx, domain::CompanyScope::internal(company_), agent); });
    return {};
  });
  if (!calmed) throw std::runtime_error(calmed.error().message);
}

}  // namespace paperclip::simulator
