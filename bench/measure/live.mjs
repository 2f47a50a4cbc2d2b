// Many runs live at once, each talking: what a reader of the issue list notices of them, and what the server needs for them.
import { execFileSync } from 'node:child_process';
import { inParallel, now, percentile, program } from './server.mjs';

async function until(what, seconds, check) {
  const deadline = now() + seconds * 1000;
  for (;;) {
    const rest = await check();
    if (rest === 0) return;
    if (now() > deadline) throw new Error(`${what}: ${rest} left after ${seconds} s`);
    await new Promise((resume) => setTimeout(resume, 50));
  }
}

/** Processes that run `path`. */
function running(path) {
  try {
    return execFileSync('pgrep', ['-x', '-f', `${path} .*`], { encoding: 'utf8' }).trim().split('\n').filter(Boolean).length;
  } catch (error) {
    if (error.status === 1) return 0;
    throw error;
  }
}

export async function measureLive(server, company, { live, linesPerSecond, seconds }) {
  const chatter = program('chatter');
  const runs = [];
  await inParallel(live, 8, async (i) => {
    const agent = await server.ask('POST', `/api/companies/${company.id}/agents`, {
      name: `Chatter ${i}`, role: 'engineer', adapterType: 'process', adapterConfig: { command: chatter, args: [String(linesPerSecond), '600'] },
      runtimeConfig: { heartbeat: { enabled: false, wakeOnDemand: true } },
    });
    runs.push(await server.ask('POST', `/api/agents/${agent.id}/wakeup`, {}));
  });
  await until('runs that do not run yet', 60, async () => live - (await server.ask('GET', `/api/companies/${company.id}/heartbeat-runs?limit=${live}`)).filter((run) => run.status === 'running').length);
  await until('agents that are not there yet', 30, async () => live - running(chatter));

  const took = [], end = now() + seconds * 1000;
  while (now() < end) {
    const start = now();
    await server.ask('GET', `/api/companies/${company.id}/issues?limit=50`);
    took.push(now() - start);
  }
  const memory = server.pss();

  const start = now();
  await inParallel(live, 8, async (i) => { await server.ask('POST', `/api/heartbeat-runs/${runs[i].id}/cancel`, {}); });
  await until('agents alive after their runs were cancelled', 30, async () => running(chatter));
  return { readP50: percentile(took, 0.5), readP99: percentile(took, 0.99), memory, cancelled: now() - start };
}
