#!/usr/bin/env node
// Kills the server again and again while agents talk. No run is lost; each byte of each log is there once.
//
//   tests/chaos/kill-the-server.mjs [--program PATH] [--kills N]
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const option = (name, otherwise) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : otherwise);
const program = option('--program', join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'build', 'release', 'bin', 'paperclip'));
const kills = Number(option('--kills', 5));
const lines = 1200, agents = 3, deadline = Date.now() + 120_000;

const home = mkdtempSync(join(tmpdir(), 'paperclip-chaos-'));
const port = await new Promise((resolve) => {
  const probe = createServer().listen(0, '127.0.0.1', () => { const { port } = probe.address(); probe.close(() => resolve(port)); });
});
const base = `http://127.0.0.1:${port}`;
const pause = (ms) => new Promise((resume) => setTimeout(resume, ms));
let server;

async function ask(method, path, body) {
  const answer = await fetch(base + path, { method, headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
async function start() {
  server = spawn(program, ['serve'], { env: { ...process.env, PAPERCLIP_HOME: home, PORT: String(port) }, stdio: 'ignore' });
  while (!(await fetch(`${base}/api/health`).then((answer) => answer.ok, () => false))) {
    if (server.exitCode !== null || Date.now() > deadline) throw new Error('the server does not start');
    await pause(10);
  }
}
async function kill() {
  const gone = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGKILL');
  await gone;
}
async function wholeLog(run) {
  let text = '';
  for (let offset = 0; ;) {
    const piece = await ask('GET', `/api/heartbeat-runs/${run}/log?offset=${offset}&limitBytes=1000000`);
    text += piece.content;
    if (piece.nextOffset === undefined) return text;
    offset = piece.nextOffset;
  }
}
const expected = (word) => Array.from({ length: lines }, (_, i) => `${word} ${i}\n`).join('');

let passed = 0, failed = 0;
const check = (what, good) => { good ? passed++ : failed++; console.log(`${good ? 'ok  ' : 'FAIL'} ${what}`); };

try {
  await start();
  const company = await ask('POST', '/api/companies', { name: 'Chaos' });
  const script = `i=0; while [ $i -lt ${lines} ]; do echo "out $i"; echo "err $i" >&2; i=$((i+1)); sleep 0.005; done`;
  const runs = [];
  for (let i = 0; i < agents; i++) {
    const agent = await ask('POST', `/api/companies/${company.id}/agents`, { name: `Talker ${i}`, adapterType: 'process', adapterConfig: { command: '/bin/sh', args: ['-c', script] } });
    runs.push((await ask('POST', `/api/agents/${agent.id}/wakeup`, {})).id);
  }
  for (let i = 0; i < kills; i++) {
    await pause(300 + Math.random() * 700); // any moment is as good as another
    await kill();
    await start();
  }
  for (const run of runs) {
    let row;
    do { row = await ask('GET', `/api/heartbeat-runs/${run}`); await pause(50); } while (['queued', 'running'].includes(row.status) && Date.now() < deadline);
    check(`run ${run} lived through ${kills} kills`, row.status === 'succeeded');
    const said = { stdout: '', stderr: '' };
    for (const line of (await wholeLog(run)).split('\n').filter(Boolean)) { const { stream, chunk } = JSON.parse(line); said[stream] += chunk; }
    check('every byte of its stdout is logged once', said.stdout.replace(/^(\[paperclip\][^\n]*\n)+/, '') === expected('out'));
    check('every byte of its stderr is logged once', said.stderr === expected('err'));
    check('its result holds what it said', row.resultJson?.stderr === expected('err'));
  }
} catch (problem) {
  check(problem.message, false);
} finally {
  if (server?.exitCode === null) await kill();
  rmSync(home, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
