// A server with a past: many runs in its database, written there while it does not run.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { now, percentile } from './server.mjs';

const uuid = "lower(hex(randomblob(4))||'-'||hex(randomblob(2))||'-4'||substr(hex(randomblob(2)),2)||'-a'||substr(hex(randomblob(2)),2)||'-'||hex(randomblob(6)))";
const at = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-' || n || ' seconds')";

export const databaseOf = (server) => join(server.home, 'instances', 'default', 'db', 'paperclip.sqlite');
export const ask = (server, sql) => execFileSync('sqlite3', ['-readonly', databaseOf(server), sql], { encoding: 'utf8' }).trim();

/** `count` ended runs of the company's agents, each with its wake and three events, on its issues in turn. */
export function writeHistory(server, company, count) {
  execFileSync('sqlite3', [databaseOf(server)], { input: `
    pragma synchronous = off; begin;
    create temp table a as select row_number() over (order by id) - 1 as k, id from agents where company_id = '${company.id}';
    create temp table i as select row_number() over (order by id) - 1 as k, id from issues where company_id = '${company.id}';
    create temp table r as with recursive s(n) as (select 1 union all select n + 1 from s where n < ${count})
      select n, ${uuid} as run, ${uuid} as wake, a.id as agent, i.id as issue from s
      join a on a.k = s.n % (select count(*) from a) join i on i.k = s.n % (select count(*) from i);
    insert into agent_wakeup_requests (id, company_id, agent_id, source, status, run_id, requested_at, claimed_at, finished_at, created_at, updated_at)
      select wake, '${company.id}', agent, 'on_demand', 'completed', run, ${at}, ${at}, ${at}, ${at}, ${at} from r;
    insert into heartbeat_runs (id, company_id, agent_id, status, wakeup_request_id, context_issue_id, started_at, finished_at, exit_code, result_json, context_snapshot, log_store, log_ref, log_bytes, created_at, updated_at)
      select run, '${company.id}', agent, case n % 10 when 0 then 'failed' else 'succeeded' end, wake, issue, ${at}, ${at}, n % 10 = 0,
        json_object('summary', 'did ' || n, 'stdout', printf('%.400c', 'x')), json_object('issueId', issue, 'wakeReason', 'issue_assigned'), 'local_file', 'none/' || run, 1000, ${at}, ${at} from r;
    insert into heartbeat_run_events (company_id, run_id, agent_id, seq, event_type, level, message, created_at)
      select '${company.id}', run, agent, e.value, 'lifecycle', 'info', 'something happened', ${at} from r, json_each('[1,2,3]') e;
    commit; analyze;`, stdio: ['pipe', 'ignore', 'inherit'] });
}

/** p50 and p99 of each list a client asks for. */
export async function measureLists(server, company, agent, samples) {
  const lists = { 'runs': `/heartbeat-runs?limit=50`, 'runs, the default page': `/heartbeat-runs`, "an agent's runs": `/heartbeat-runs?agentId=${agent.id}&limit=50`,
    'live runs': '/live-runs', 'issues': '/issues?limit=50', 'agents': '/agents', 'activity': '/activity?limit=50', 'dashboard': '/dashboard' };
  const rows = [];
  for (const [name, path] of Object.entries(lists)) {
    const took = [];
    for (let i = 0; i < samples; i++) {
      const start = now();
      await server.ask('GET', `/api/companies/${company.id}${path}`);
      took.push(now() - start);
    }
    rows.push({ name, p50: percentile(took, 0.5), p99: percentile(took, 0.99) });
  }
  return rows;
}
