#!/usr/bin/env node
// An agent that may call nothing but its callback bridge works a ticket to done: in an environment of this machine that asks
// for one (`metadata.callbackBridge.local`), with a real server, a real runner, fetch and curl.
//
//   scripts/with-server node tests/e2e/bridge.mjs      (BASE is the server)
//
// Prints "N passed, N failed".
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { api, base, check, finish, until } from './checks.mjs';

const top = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** Starts a run of the agent and returns it with what it printed, once it is over. */
async function outcome(company, agent, before) {
  const over = (run) => ['succeeded', 'failed', 'cancelled', 'timed_out'].includes(run.status);
  const runs = await until('the run', 120, async () => {
    const all = await api('GET', `/api/companies/${company.id}/heartbeat-runs?agentId=${agent.id}`);
    return all.length > before && all.every(over) ? all : null;
  });
  const run = await api('GET', `/api/heartbeat-runs/${runs[0].id}`);
  const log = await api('GET', `/api/heartbeat-runs/${run.id}/log?limitBytes=1000000`);
  const text = log.content.split('\n').filter(Boolean).map((line) => JSON.parse(line).chunk).join('');
  const line = text.split('\n').find((each) => each.startsWith('SEEN '));
  return { run, text, seen: line ? JSON.parse(line.slice(5)) : null };
}

try {
  const company = await api('POST', '/api/companies', { name: 'Behind a bridge' });
  const environments = await api('GET', `/api/companies/${company.id}/environments`);
  const local = environments.find((environment) => environment.driver === 'local');
  const choose = (callbackBridge) => api('PATCH', `/api/environments/${local.id}`, { metadata: { ...local.metadata, callbackBridge } });
  await choose({ local: true });
  const agent = await api('POST', `/api/companies/${company.id}/agents`, {
    name: 'Bridget', role: 'engineer', adapterType: 'process',
    adapterConfig: { command: process.execPath, args: [join(top, 'tests/support/bridge-agent.mjs')], env: { SERVER_BASE: base, PAPERCLIP_API_KEY: 'configured-and-replaced' } },
  });

  // ---- a ticket, the extended list ------------------------------------------------------------------------------------------
  const issue = await api('POST', `/api/companies/${company.id}/issues`, { title: 'Cross the bridge', status: 'todo', assigneeAgentId: agent.id });
  const first = await outcome(company, agent, 0);
  check('the run succeeded', first.run.status === 'succeeded', [first.run, first.text]);
  const { seen } = first;
  const reads = (answer, status, error) => answer.status === status && answer.body.error === error;
  check('the API is at a loopback port that is not the server’s', /^http:\/\/127\.0\.0\.1:\d+$/.test(seen.url) && seen.url !== base && !seen.url.endsWith(':0'), seen.url);
  check('the key is the bridge’s', seen.keyLength === 32 && seen.mode === 'queue_v1', seen);
  check('nothing of the bridge’s own settings is told', !seen.names.some((name) => /^PAPERCLIP_BRIDGE_/.test(name)), seen.names);
  check('it is itself', seen.me.status === 200 && seen.me.body.id === agent.id && seen.me.type === 'application/json; charset=utf-8', seen.me);
  check('it finds its inbox', seen.inbox.status === 200, seen.inbox);
  check('it reads its ticket', seen.context === 200, seen.context);
  check('the checkout is its run’s', seen.checkout.status === 200 && seen.checkout.body.checkoutRunId === first.run.id, seen.checkout);
  check('the comment is its own, and its run’s', seen.comment.status === 201 && seen.comment.body.authorAgentId === agent.id && seen.comment.body.createdByRunId === first.run.id, seen.comment);
  check('the text arrived whole', seen.comment.body.body === 'Through the bridge with curl: \u00e4 \u{1f41d}', seen.comment.body.body);
  check('the patch passed', seen.patch.status === 200 && (await api('GET', `/api/issues/${issue.id}`)).status === 'done', seen.patch);
  check('each comment stands there once', (await api('GET', `/api/issues/${issue.id}/comments`)).length === 2, 'not two comments');
  check('the API’s own failures pass unchanged', reads(seen.missing, 404, 'Issue not found'), seen.missing);
  check('forty at once are answered', seen.many.length === 40 && seen.many.every((status) => status === 200), seen.many);
  check('other routes are refused', reads(seen.companies, 403, 'Route not allowed: GET /api/companies') && reads(seen.secrets, 403, 'Route not allowed: DELETE /api/secrets') && seen.head === 403, seen);
  check('a wrong token is refused', reads(seen.wrong, 401, 'Invalid bridge token.') && seen.wrong.type === 'application/json', seen.wrong);
  check('a body that is not JSON is refused', reads(seen.plain, 415, 'Bridge only accepts JSON request bodies.'), seen.plain);
  check('the key opens nothing but the bridge', seen.direct === 401, seen.direct);
  check('the key is masked in the log', /my key is (?!.*[A-Za-z0-9_-]{32})/.test(first.text), first.text.slice(0, 200));
  check('nobody listens once the run is over', await fetch(`${seen.url}/api/agents/me`).then(() => false, () => true), seen.url);

  // ---- the strict list --------------------------------------------------------------------------------------------------------
  await choose({ local: true, allowList: 'strict' });
  const count = (await api('GET', `/api/companies/${company.id}/heartbeat-runs?agentId=${agent.id}`)).length;
  await api('POST', `/api/agents/${agent.id}/wakeup`, { source: 'on_demand', triggerDetail: 'manual' });
  const second = await outcome(company, agent, count);
  check('the second run succeeded', second.run.status === 'succeeded', [second.run, second.text]);
  check('the strict list has no inbox', reads(second.seen.inbox, 403, 'Route not allowed: GET /api/agents/me/inbox-lite') && second.seen.me.status === 200, second.seen.inbox);

  // ---- without a bridge -------------------------------------------------------------------------------------------------------
  await choose(undefined);
  const third = await (async () => {
    const known = (await api('GET', `/api/companies/${company.id}/heartbeat-runs?agentId=${agent.id}`)).length;
    await api('POST', `/api/agents/${agent.id}/wakeup`, { source: 'on_demand', triggerDetail: 'manual' });
    return outcome(company, agent, known);
  })();
  check('without the setting the agent calls the server itself', third.seen?.url === base && third.seen.mode === undefined, third.seen ?? third.text);
} catch (problem) {
  check(String(problem.stack ?? problem), false);
}
finish();
