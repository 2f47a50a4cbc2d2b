// From a wakeup to its process and to its success, and how many runs that do nothing go through in a second.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inParallel, now, percentile, program } from './server.mjs';

async function agentNamed(server, company, name, folder) {
  return server.ask('POST', `/api/companies/${company.id}/agents`, {
    name, role: 'engineer', adapterType: 'process', adapterConfig: { command: program('stamp'), args: [folder] },
    runtimeConfig: { heartbeat: { enabled: false, wakeOnDemand: true } },
  });
}

/** Wakes an agent and returns { spawned, succeeded } in milliseconds after the wakeup was sent. */
async function wake(server, agent, folder) {
  const sent = now();
  const run = await server.ask('POST', `/api/agents/${agent.id}/wakeup`, { source: 'on_demand', forceFreshSession: true });
  const deadline = sent + 30_000;
  for (;;) {
    const { status, error } = await server.ask('GET', `/api/heartbeat-runs/${run.id}`);
    if (status === 'succeeded') break;
    if (!['queued', 'running'].includes(status) || now() > deadline) throw new Error(`run ${run.id} is ${status}: ${error ?? ''}\n${server.said()}`);
    await new Promise((resume) => setTimeout(resume, 1));
  }
  const succeeded = now() - sent;
  return { spawned: Number(readFileSync(join(folder, run.id), 'utf8')) / 1e6 - sent, succeeded };
}

export async function measureRuns(server, company, { samples, seconds, agents }) {
  const folder = join(server.home, 'stamps');
  mkdirSync(folder, { recursive: true });
  const crew = [];
  await inParallel(agents, 4, async (i) => { crew.push(await agentNamed(server, company, `Stamp ${i}`, folder)); });

  await wake(server, crew[0], folder); // the first run of a server makes folders and the like
  const spawned = [], succeeded = [];
  for (let i = 0; i < samples; i++) {
    const took = await wake(server, crew[i % crew.length], folder);
    spawned.push(took.spawned);
    succeeded.push(took.succeeded);
  }

  const started = now();
  let runs = 0;
  await Promise.all(crew.map(async (agent) => { while (now() - started < seconds * 1000) { await wake(server, agent, folder); runs++; } }));
  const perSecond = runs / ((now() - started) / 1000);
  return {
    spawnedP50: percentile(spawned, 0.5), spawnedP99: percentile(spawned, 0.99),
    succeededP50: percentile(succeeded, 0.5), succeededP99: percentile(succeeded, 0.99), perSecond, agents,
  };
}
