#!/usr/bin/env node
// Measures the whole server: start, memory, requests, runs. Prints tables for SPECIFICATION.md.
//
//   bench/server [--smoke] [--only start,requests,runs,live]
//
//   --smoke    small counts, no figures: only checks that everything works; ends with "N passed, N failed"
import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { Server, percentile, program } from './measure/server.mjs';
import { furnish, measureRequests } from './measure/requests.mjs';
import { measureRuns } from './measure/runs.mjs';
import { measureLive } from './measure/live.mjs';

const smoke = process.argv.includes('--smoke');
const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1].split(',') : ['start', 'requests', 'runs', 'live'];
const size = smoke
  ? { starts: 2, fsyncs: 20, issues: 50, seconds: 1, connections: [4], samples: 3, runSeconds: 0.5, agents: 4, live: [3], liveSeconds: 0.3 }
  : { starts: 10, fsyncs: 2000, issues: 500, seconds: 4, connections: [1, 16, 64], samples: 200, runSeconds: 10, agents: 16, live: [50, 100], liveSeconds: 10 };

const server = new Server();
const wanted = (name) => only.includes(name);
let passed = 0, failed = 0;

async function section(name, work) {
  try {
    await work();
    passed++;
    if (smoke) console.log(`ok   ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}: ${error.message}`);
  }
}

const table = (title, head, rows) => {
  if (smoke) return;
  console.log(`\n### ${title}\n\n| ${head.join(' | ')} |\n|${head.map(() => '---').join('|')}|`);
  for (const row of rows) console.log(`| ${row.join(' | ')} |`);
};
const ms = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
const count = (value) => (value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en'));

try {
  await section('disk', async () => {
    const { p50Us, p99Us } = JSON.parse(execFileSync(program('fsync_probe'), [server.home, String(size.fsyncs)], { encoding: 'utf8' }));
    if (!smoke) console.log(`${cpus().length} cores (${cpus()[0].model}); append of 4 KiB with fdatasync: p50 ${p50Us} µs, p99 ${p99Us} µs`);
  });

  const first = [], idle = [];
  await section('first start', async () => {
    first.push(await server.start());
    await new Promise((resume) => setTimeout(resume, smoke ? 0 : 5000)); // idle means: nothing left to do from the start
    idle.push(server.pss());
  });
  if (failed) throw new Error('the server does not start');

  let place;
  await section('company, agent, issues', async () => { place = await furnish(server, size.issues); });
  if (place && wanted('requests'))
    await section('requests', async () => {
      const rows = await measureRequests(server, place, size);
      table('Requests', ['what', 'connections', 'per second', 'p50', 'p99'],
        rows.map((row) => [row.name, row.connections, count(row.perSecond), ms(row.p50Ms), ms(row.p99Ms)]));
    });
  if (place && wanted('runs'))
    await section('runs', async () => {
      const runs = await measureRuns(server, place.company, { samples: size.samples, seconds: size.runSeconds, agents: size.agents });
      table('Runs', ['what', 'p50', 'p99'], [
        ['wakeup → agent process spawned', ms(runs.spawnedP50), ms(runs.spawnedP99)],
        ['wakeup → succeeded', ms(runs.succeededP50), ms(runs.succeededP99)],
      ]);
      if (!smoke) console.log(`\nno-op runs per second, ${runs.agents} agents at once: ${count(runs.perSecond)}`);
    });
  if (place && wanted('live'))
    await section('live runs', async () => {
      const rows = [];
      for (const live of size.live) {
        const found = await measureLive(server, place.company, { live, linesPerSecond: 20, seconds: size.liveSeconds });
        rows.push([live, ms(found.readP50), ms(found.readP99), `${found.memory.toFixed(1)} MiB`, ms(found.cancelled)]);
      }
      table('Live runs, each writing 20 lines a second', ['runs', 'list of 50 issues, p50', 'p99', 'server memory (PSS)', 'all cancelled, no process left'], rows);
    });
  const after = server.pss();
  await section('stop', () => server.stop());
  if (wanted('start'))
    await section('start again', async () => {
      const again = [];
      for (let i = 0; i < size.starts; i++) {
        again.push(await server.start());
        await server.stop();
      }
      table('Start and memory', ['what', 'value'], [
        ['start → first 200 of /api/health, empty home', ms(first[0])],
        [`start → first 200, the database of this measurement, median of ${again.length}`, ms(percentile(again, 0.5))],
        ['the slowest of those', ms(Math.max(...again))],
        ['idle memory (PSS)', `${idle[0].toFixed(1)} MiB`],
        ['memory after all of the above (PSS)', `${after.toFixed(1)} MiB`],
      ]);
    });
} catch (error) {
  failed++;
  console.log(`FAIL ${error.message}`);
} finally {
  await server.stop().catch((error) => { failed++; console.log(`FAIL stop: ${error.message}`); });
  server.remove();
}
if (smoke || failed) console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
