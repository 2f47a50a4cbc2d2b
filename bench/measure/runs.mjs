// From a wakeup to its process and to its success, and how many runs that do nothing go through in a second.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { followLive } from './live_stream.mjs';
import { inParallel, now, percentile, program } from './server.mjs';

async function agentNamed(server, company, name, folder) {
  return server.ask('POST', `/api/companies/${company.id}/agents`, {
    name, role: 'engineer', adapterType: 'process', adapterConfig: { command: program('stamp'), args: [folder] },
    runtimeConfig: { heartbeat: { enabled: false, wakeOnDemand: true } },
  });
}

/** The ends of a company's runs, as its live stream tells them: `of(run)` resolves with the status and when it was heard. */
async function runEnds(server, company) {
  const heard = new Map(), awaited = new Map();
  const close = await followLive(server, company, ({ type, payload }) => {
    if (type !== 'heartbeat.run.status' || ['queued', 'running'].includes(payload.status)) return;
    const end = { status: payload.status, at: now() };
    const waiter = awaited.get(payload.runId);
    if (waiter) { awaited.delete(payload.runId); waiter(end); } else heard.set(payload.runId, end);
  });
  const of = (run) => new Promise((resolve, reject) => {
    const end = heard.get(run);
    if (end) { heard.delete(run); return resolve(end); }
    const late = setTimeout(() => reject(new Error(`run ${run} did not end in 30 s`)), 30_000);
    awaited.set(run, (found) => { clearTimeout(late); resolve(found); });
  });
  return { of, close };
}

/** Wakes an agent and returns { spawned, succeeded } in milliseconds after the wakeup was sent. */
async function wake(server, ends, agent, folder) {
  const sent = now();
  const run = await server.ask('POST', `/api/agents/${agent.id}/wakeup`, { source: 'on_demand', forceFreshSession: true });
  const end = await ends.of(run.id);
  if (end.status !== 'succeeded') throw new Error(`run ${run.id} is ${end.status}\n${server.said()}`);
  return { spawned: Number(readFileSync(join(folder, run.id), 'utf8')) / 1e6 - sent, succeeded: end.at - sent };
}

export async function measureRuns(server, company, { samples, seconds, agents }) {
  const folder = join(server.home, 'stamps');
  mkdirSync(folder, { recursive: true });
  const crew = [];
  await inParallel(agents, 4, async (i) => { crew.push(await agentNamed(server, company, `Stamp ${i}`, folder)); });

  const ends = await runEnds(server, company);
  await wake(server, ends, crew[0], folder); // the first run of a server makes folders and the like
  const spawned = [], succeeded = [];
  for (let i = 0; i < samples; i++) {
    const took = await wake(server, ends, crew[i % crew.length], folder);
    spawned.push(took.spawned);
    succeeded.push(took.succeeded);
  }

  const started = now();
  let runs = 0;
  await Promise.all(crew.map(async (agent) => { while (now() - started < seconds * 1000) { await wake(server, ends, agent, folder); runs++; } }));
  ends.close();
  const perSecond = runs / ((now() - started) / 1000);
  return {
    spawnedP50: percentile(spawned, 0.5), spawnedP99: percentile(spawned, 0.99),
    succeededP50: percentile(succeeded, 0.5), succeededP99: percentile(succeeded, 0.99), perSecond, agents,
  };
}
