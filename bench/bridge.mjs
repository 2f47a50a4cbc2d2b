#!/usr/bin/env node
// How long a callback through the bridge takes, beside the same question asked straight at the server by the same process,
// by turns (aim: at most 2 ms more at p50).
//
//   scripts/with-server node bench/bridge.mjs [COUNT]      (BASE is the server)
//
// Prints JSON: p50 and p95 of both ways in ms, and how much the bridge adds at p50.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const base = process.env.BASE;
if (!base) throw new Error('BASE is not set: run this with scripts/with-server');
const count = Number(process.argv[2] ?? 1000);

async function api(method, path, body) {
  const response = await fetch(base + path, { method, headers: body ? { 'content-type': 'application/json' } : {}, body: body && JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

const company = await api('POST', '/api/companies', { name: 'Bench' });
const local = (await api('GET', `/api/companies/${company.id}/environments`)).find((environment) => environment.driver === 'local');
await api('PATCH', `/api/environments/${local.id}`, { metadata: { ...local.metadata, callbackBridge: { local: true } } });
const script = join(dirname(fileURLToPath(import.meta.url)), 'bridge-agent.mjs');
const config = (env) => ({ command: process.execPath, args: [script], env: { SERVER_BASE: base, COUNT: String(count), ...env } });
const agent = await api('POST', `/api/companies/${company.id}/agents`, { name: 'Asker', role: 'engineer', adapterType: 'process', adapterConfig: config({}) });
const key = await api('POST', `/api/agents/${agent.id}/keys`, { name: 'bench' });
await api('PATCH', `/api/agents/${agent.id}`, { adapterConfig: config({ SERVER_KEY: key.token }) });
await api('POST', `/api/agents/${agent.id}/wakeup`, { source: 'on_demand', triggerDetail: 'manual' });

const end = Date.now() + 300_000;
let run;
do {
  if (Date.now() > end) throw new Error('the run did not end');
  await new Promise((done) => setTimeout(done, 200));
  [run] = await api('GET', `/api/companies/${company.id}/heartbeat-runs?agentId=${agent.id}`);
} while (!run || ['queued', 'running'].includes(run.status));
const log = await api('GET', `/api/heartbeat-runs/${run.id}/log?limitBytes=10000000`);
const text = log.content.split('\n').filter(Boolean).map((line) => JSON.parse(line).chunk).join('');
const line = text.split('\n').find((each) => each.startsWith('TIMES '));
if (!line) throw new Error(`the run ended ${run.status}: ${text.slice(-2000)}`);
const times = JSON.parse(line.slice(6));
const at = (values, part) => Number([...values].sort((a, b) => a - b)[Math.floor(values.length * part)].toFixed(3));
const figures = {};
for (const [way, values] of Object.entries(times)) figures[way] = { count: values.length, p50: at(values, 0.5), p95: at(values, 0.95) };
figures.added_p50_ms = Number((figures.bridge.p50 - figures.bare.p50).toFixed(3));
console.log(JSON.stringify(figures));
