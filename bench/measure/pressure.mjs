// Pressure: readers that do not read, floods of output, ten thousand wakes at once.
import { connect } from 'node:net';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { ask } from './history.mjs';
import { inParallel, now, percentile } from './server.mjs';

const pause = (ms) => new Promise((resume) => setTimeout(resume, ms));

export async function until(what, seconds, left) {
  const deadline = now() + seconds * 1000;
  for (let rest; (rest = await left()) !== 0; await pause(50)) if (now() > deadline) throw new Error(`${what}: ${rest} left after ${seconds} s`);
}

export const hire = (server, company, name, command, args, concurrent = 20) => server.ask('POST', `/api/companies/${company.id}/agents`, {
  name, role: 'engineer', adapterType: 'process', adapterConfig: { command, args, graceSec: 1 },
  runtimeConfig: { heartbeat: { enabled: false, wakeOnDemand: true, maxConcurrentRuns: concurrent } },
});

/** Starts `count` agents that run the command; resolves with their runs once all run. */
export async function goLive(server, company, count, command, args) {
  const runs = [];
  await inParallel(count, 8, async (i) => {
    const agent = await hire(server, company, `Live ${i} ${randomBytes(3).toString('hex')}`, command, args);
    runs.push((await server.ask('POST', `/api/agents/${agent.id}/wakeup`, {})).id);
  });
  const list = runs.map((id) => `'${id}'`).join();
  await until('runs that do not run yet', 120, () => count - Number(ask(server, `select count(*) from heartbeat_runs where status = 'running' and log_ref is not null and id in (${list})`)));
  return runs;
}
export async function endAll(server, runs) {
  await inParallel(runs.length, 8, async (i) => { await server.ask('POST', `/api/heartbeat-runs/${runs[i]}/cancel`, {}); });
  await until('runners after the cancel', 60, () => Object.keys(runnerMemory(server)).length);
}

/** PSS in KiB of each runner and guardian of this server's runs, by pid. */
export function runnerMemory(server) {
  const found = {};
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
      if (line.startsWith('paperclip-runner\0') && line.includes(server.home)) found[pid] = Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]);
    } catch { /* gone */ }
  return found;
}

/** A client of the live stream that connects and never reads. */
export const deafReader = (server, company) => new Promise((resolve, reject) => {
  const socket = connect(server.port, '127.0.0.1').on('error', reject);
  socket.write(`GET /api/companies/${company.id}/events/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`);
  socket.once('readable', () => { socket.removeAllListeners('error'); socket.on('error', () => {}); resolve(socket); });
});

export async function readLatency(server, company, seconds) {
  const took = [], end = now() + seconds * 1000;
  while (now() < end) {
    const start = now();
    await server.ask('GET', `/api/companies/${company.id}/issues?limit=50`);
    took.push(now() - start);
  }
  return { p50: percentile(took, 0.5), p99: percentile(took, 0.99), count: took.length };
}

/** Sends the wakes as fast as they are taken. Every one has to be accepted, and to be answered for in the rows. */
export async function floodOfWakes(server, company, count, agents) {
  const crew = [];
  await inParallel(agents, 8, async (i) => { crew.push((await hire(server, company, `Flooded ${i}`, '/bin/true', [])).id); });
  const ids = crew.map((id) => `'${id}'`).join();
  const before = server.pss(), start = now();
  let peak = before;
  const watch = setInterval(() => { peak = Math.max(peak, server.pss()); }, 100);
  await inParallel(count, 128, async (i) => { await server.ask('POST', `/api/agents/${crew[i % agents]}/wakeup`, { payload: { taskKey: `task ${Math.floor(i / agents) % 4}` } }); });
  const sent = now() - start;
  await until('runs of the flood', 300, () => Number(ask(server, `select count(*) from heartbeat_runs where agent_id in (${ids}) and status in ('queued', 'running', 'scheduled_retry')`)));
  clearInterval(watch);
  const rows = ask(server, `select status, count(*) from agent_wakeup_requests where agent_id in (${ids}) group by status`).split('\n').map((line) => line.split('|'));
  const total = rows.reduce((sum, [, n]) => sum + Number(n), 0);
  if (total !== count) throw new Error(`${count} wakes were accepted, ${total} are accounted for: ${rows.join(' ')}`);
  const open = rows.filter(([status]) => ['queued', 'claimed', 'deferred_issue_execution'].includes(status));
  if (open.length) throw new Error(`wakes without an answer: ${open.join(' ')}`);
  return { sentMs: sent, perSecond: count / (sent / 1000), settledMs: now() - start, rows, grew: peak - before };
}

export const processesOf = (path) => {
  try { return execFileSync('pgrep', ['-c', '-f', path], { encoding: 'utf8' }).trim(); } catch { return '0'; }
};
