#!/usr/bin/env node
// Measures the engine where it hurts: a long past, many live runs, floods. Prints a table for SPECIFICATION.md, each figure
// beside what it is held to.
//
//   bench/engine [--smoke] [--only history,spawn,stream,flood,wakes]
//
//   --smoke    small counts, no figures: only checks that everything works; ends with "N passed, N failed"
//
// BENCH_PROGRAMS names the directory of paperclip, paperclip-runner, stamp and chatter (default build/release/bin).
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { measureLists, writeHistory } from './measure/history.mjs';
import { deafReader, endAll, floodOfWakes, goLive, hire, readLatency, runnerMemory, until } from './measure/pressure.mjs';
import { furnish } from './measure/requests.mjs';
import { Server, now, percentile, program } from './measure/server.mjs';

const smoke = process.argv.includes('--smoke');
const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1].split(',') : ['history', 'spawn', 'stream', 'flood', 'wakes'];
const size = smoke ? { runs: 300, issues: 20, starts: 2, samples: 5, live: 3, spawns: 3, streams: 3, seconds: 0.3, many: 4, wakes: 100, agents: 5 }
  : { runs: 50_000, issues: 500, starts: 10, samples: 300, live: 100, spawns: 200, streams: 50, seconds: 10, many: 200, wakes: 10_000, agents: 50 };

process.env.PAPERCLIP_MAX_LIVE_RUNS = String(size.many + 50);
const server = new Server();
const rows = [];
let passed = 0, failed = 0;
const ms = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
const note = (what, found, bound = '') => rows.push([what, found, bound]);
async function section(name, work) {
  if (!only.includes(name.split(' ')[0])) return;
  try { await work(); passed++; if (smoke) console.log(`ok   ${name}`); } catch (error) { failed++; console.log(`FAIL ${name}: ${error.message}`); }
}

try {
  await server.start();
  const { company, agent } = await furnish(server, size.issues);

  await section('history', async () => {
    await server.stop();
    writeHistory(server, company, size.runs);
    const starts = [];
    for (let i = 0; i < size.starts; i++) { starts.push(await server.start()); if (i + 1 < size.starts) await server.stop(); }
    note(`start with ${size.runs.toLocaleString('en')} runs, median of ${size.starts} (slowest)`, `${ms(percentile(starts, 0.5))} (${ms(Math.max(...starts))})`, '≤ 200 ms');
    for (const list of await measureLists(server, company, agent, size.samples)) note(`list of ${list.name}: p50, p99`, `${ms(list.p50)}, ${ms(list.p99)}`, 'p99 ≤ 25 ms');
  });

  await section('spawn', async () => {
    const before = server.pss();
    const live = await goLive(server, company, size.live, program('chatter'), ['1', '3600']);
    const runners = Object.values(runnerMemory(server)).reduce((sum, kib) => sum + kib, 0) / 1024;
    note(`memory per live run (PSS), ${size.live} live: server, runner and guardian`, `${((server.pss() - before + runners) / size.live).toFixed(2)} MiB`, '≤ 1 MiB');
    const folder = join(server.home, 'stamps');
    mkdirSync(folder, { recursive: true });
    const stamp = await hire(server, company, 'Stamp', program('stamp'), [folder]);
    const took = [];
    for (let i = 0; i < size.spawns; i++) {
      const sent = now();
      const run = await server.ask('POST', `/api/agents/${stamp.id}/wakeup`, { forceFreshSession: true });
      await until(`run ${run.id}`, 30, async () => (['queued', 'running'].includes((await server.ask('GET', `/api/heartbeat-runs/${run.id}`)).status) ? 1 : 0));
      took.push(Number(readFileSync(join(folder, run.id), 'utf8')) / 1e6 - sent);
    }
    note(`wakeup → process, ${size.live} live: p50, p99`, `${ms(percentile(took, 0.5))}, ${ms(percentile(took, 0.99))}`, '5 ms, 50 ms');
    await endAll(server, live);
  });

  await section('stream', async () => {
    const live = await goLive(server, company, size.streams, program('chatter'), ['20', '3600']);
    const readers = [];
    for (let i = 0; i < 5; i++) readers.push(await deafReader(server, company));
    const before = server.pss();
    const read = await readLatency(server, company, size.seconds);
    note(`UI reads while ${size.streams} agents stream and 5 readers do not read: p50, p99`, `${ms(read.p50)}, ${ms(read.p99)}`, 'p99 < 50 ms');
    note('growth of the server meanwhile', `${(server.pss() - before).toFixed(1)} MiB`, 'bounded');
    for (const reader of readers) reader.destroy();
    await endAll(server, live);
  });

  await section('flood of output', async () => {
    const before = server.pss();
    const live = await goLive(server, company, size.many, program('chatter'), [smoke ? '100' : '50', '3600']);
    const read = await readLatency(server, company, size.seconds);
    note(`UI reads with ${size.many} agents at work: p50, p99`, `${ms(read.p50)}, ${ms(read.p99)}`, 'responsive');
    note('growth of the server', `${(server.pss() - before).toFixed(1)} MiB`, 'bounded');
    await endAll(server, live);
  });

  await section('wakes', async () => {
    const flood = await floodOfWakes(server, company, size.wakes, size.agents);
    note(`${size.wakes.toLocaleString('en')} wakes to ${size.agents} agents, 128 at a time`, `accepted in ${ms(flood.sentMs)} (${Math.round(flood.perSecond).toLocaleString('en')}/s), all answered after ${ms(flood.settledMs)}`, '1 s');
    note('what became of them', flood.rows.map(([status, n]) => `${n} ${status}`).join(', '), 'all accounted for');
    note('growth of the server at its peak', `${flood.grew.toFixed(1)} MiB`, 'bounded');
  });
} catch (error) {
  failed++;
  console.log(`FAIL ${error.stack}`);
} finally {
  await server.stop().catch((error) => { failed++; console.log(`FAIL stop: ${error.message}`); });
  server.remove();
}
if (!smoke && rows.length) {
  console.log('\n| what | measured | held to |\n|---|---|---|');
  for (const row of rows) console.log(`| ${row.join(' | ')} |`);
}
if (smoke || failed) console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
