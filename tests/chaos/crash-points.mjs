#!/usr/bin/env node
// Kills the server at each named point while twenty agents talk. After the next start every run has been taken over or
// accounted for, every accepted wake is answered, every byte is logged once and in order, and nothing is left.
//
//   tests/chaos/crash-points.mjs [--program PATH] [--runs N] [--only POINT] [--old-runner PATH]
//
// The program has to be built with PAPERCLIP_CRASH_POINTS (every build with tests is). With --old-runner the last story
// is an upgrade: runs of a runner that speaks the previous protocol version are taken over by this server.
import { spawn, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const option = (name, otherwise) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : otherwise);
const bin = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'build', 'debug', 'bin');
const program = option('--program', join(bin, 'paperclip'));
const oldRunner = option('--old-runner', existsSync(join(dirname(program), 'paperclip-runner-previous')) ? join(dirname(program), 'paperclip-runner-previous') : '');
const talkers = Number(option('--runs', 20));
const patience = 120_000;

// Who makes the server come to the point: a wake, the end of a short run, or the talkers by themselves.
const points = {
  'run.insert.before': 'wake', 'run.insert.after': 'wake', 'event.append.before': 'wake', 'event.append.after': 'wake',
  'claim.committed': 'wake', 'spawn.before': 'wake', 'spawn.after': 'wake',
  'output.before': 'talk', 'log.line.half': 'talk', 'log.line.open': 'talk', 'output.logged': 'talk',
  'first_output.before': 'wake', 'first_output.after': 'wake',
  'terminal.write.before': 'wake', 'terminal.write.after': 'wake', 'lease.release.before': 'wake', 'lease.release.after': 'wake',
  'terminal.committed': 'wake',
};

const home = mkdtempSync(join(tmpdir(), 'paperclip-crash-'));
const crashFile = join(home, 'crash-at');
const port = await new Promise((resolve) => {
  const probe = createServer().listen(0, '127.0.0.1', () => { const { port } = probe.address(); probe.close(() => resolve(port)); });
});
const base = `http://127.0.0.1:${port}`;
const pause = (ms) => new Promise((resume) => setTimeout(resume, ms));
let server, died;

async function until(what, condition) {
  const deadline = Date.now() + patience;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await pause(20);
  }
}
async function ask(method, path, body) {
  const answer = await fetch(base + path, { method, headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
async function start(environment = {}) {
  server = spawn(program, ['serve'], { env: { ...process.env, PAPERCLIP_HOME: home, PORT: String(port), PAPERCLIP_CRASH_FILE: crashFile, ...environment }, stdio: 'ignore' });
  died = new Promise((resolve) => server.once('exit', (code, signal) => resolve(signal ?? `exit ${code}`)));
  await until('the server to listen', async () => {
    if (server.exitCode !== null || server.signalCode !== null) throw new Error('the server does not start');
    return fetch(`${base}/api/health`).then((answer) => answer.ok, () => false);
  });
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
const rows = (sql) => execFileSync('sqlite3', ['-readonly', join(home, 'instances', 'default', 'db', 'paperclip.sqlite'), sql], { encoding: 'utf8' }).trim();
function processesWith(text) {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid).filter((name) => {
    try { return readFileSync(`/proc/${name}/cmdline`, 'latin1').includes(text); } catch { return false; }
  });
}

let passed = 0, failed = 0;
const check = (what, good, more = '') => {
  good ? passed++ : failed++;
  if (!good) console.log(`FAIL ${what} ${more}`);
};
const said = (log) => {
  const out = { stdout: '', stderr: '' };
  for (const line of log.split('\n').filter(Boolean)) { const { stream, chunk } = JSON.parse(line); out[stream] += chunk; }
  out.stdout = out.stdout.replace(/^(\[paperclip\][^\n]*\n)+/, '');
  return out;
};
// The numbers from 0 to wherever the agent came, then its last word.
function wholeTale(text, word) {
  const lines = text.split('\n');
  const end = lines.length - 2;
  return lines[end + 1] === '' && lines[end] === `${word} end ${end}` && lines.slice(0, end).every((line, i) => line === `${word} ${i}`);
}

async function story(name, trigger, talkerIds, shortId) {
  const gate = join(home, `gate-${name}`);
  const script = `i=0; while [ ! -e ${gate} ]; do echo "out $i"; echo "err $i" >&2; i=$((i+1)); sleep 0.1; done; echo "out end $i"; echo "err end $i" >&2`;
  for (const id of talkerIds) await ask('PATCH', `/api/agents/${id}`, { adapterConfig: { command: '/bin/sh', args: ['-c', script] } });
  const runs = [];
  for (const id of talkerIds) runs.push((await ask('POST', `/api/agents/${id}/wakeup`, {})).id);
  await until(`${name}: all talk`, () => rows(`select count(*) from heartbeat_runs where status = 'running' and log_ref is not null and id in (${runs.map((id) => `'${id}'`)})`) === String(runs.length));
  let accepted = null, refused = false;
  if (trigger === 'upgrade') {
    server.kill('SIGKILL');
  } else {
    writeFileSync(crashFile + '.new', name);
    execFileSync('mv', [crashFile + '.new', crashFile]);
    if (trigger === 'wake') await ask('POST', `/api/agents/${shortId}/wakeup`, {}).then((answer) => { accepted = answer.id; }, () => { refused = true; });
  }
  const how = await Promise.race([died, pause(patience).then(() => 'nothing')]);
  check(`${name}: the server dies there`, how === 'SIGKILL', how);
  if (how !== 'SIGKILL') { rmSync(crashFile, { force: true }); server.kill('SIGKILL'); await died; }
  await pause(200); // agents go on talking to nobody
  await start();
  writeFileSync(gate, '');
  await until(`${name}: nothing is under way`, () => rows("select count(*) from heartbeat_runs where status in ('queued', 'running', 'scheduled_retry')") === '0');
  for (const run of runs) {
    const row = await ask('GET', `/api/heartbeat-runs/${run}`);
    check(`${name}: run ${run} lives through it`, row.status === 'succeeded', `${row.status} ${row.error}`);
    const tale = said(await wholeLog(run));
    check(`${name}: each byte of ${run} once and in order`, wholeTale(tale.stdout, 'out') && wholeTale(tale.stderr, 'err'), JSON.stringify(tale).slice(-300));
    check(`${name}: the result of ${run} holds what it said`, row.resultJson?.stderr === tale.stderr);
  }
  if (accepted) {
    const row = await ask('GET', `/api/heartbeat-runs/${accepted}`);
    check(`${name}: the accepted wake is answered`, row.status === 'succeeded', `${row.status} ${row.error}`);
    check(`${name}: and logged once`, said(await wholeLog(accepted)).stdout === 'short\n');
  }
  check(`${name}: a wake was accepted or refused`, trigger !== 'wake' || accepted || refused);
  check(`${name}: no wake is open`, rows("select count(*) from agent_wakeup_requests where status in ('queued', 'claimed', 'deferred_issue_execution')") === '0');
  check(`${name}: no lease is left`, rows("select count(*) from environment_leases where status = 'active'") === '0');
  check(`${name}: no lock is left`, rows('select count(*) from issues where execution_run_id is not null') === '0');
  const directories = () => readdirSync(join(home, 'instances', 'default', 'runs')).filter((entry) => !entry.startsWith('spare.'));
  await until(`${name}: no directory is left`, () => directories().length === 0).catch((problem) => check(problem.message, false, directories().join()));
  await until(`${name}: no process is left`, () => processesWith(gate).length === 0).catch((problem) => check(problem.message, false));
  console.log(`${failed ? '    ' : 'ok  '} ${name}`);
}

try {
  await start();
  const company = await ask('POST', '/api/companies', { name: 'Crash' });
  const hire = (agent, script) => ask('POST', `/api/companies/${company.id}/agents`, { name: agent, adapterType: 'process', adapterConfig: { command: '/bin/sh', args: ['-c', script] } });
  const ids = [];
  for (let i = 0; i < talkers; i++) ids.push((await hire(`Talker ${i}`, 'true')).id);
  const short = (await hire('Short', 'echo short')).id;
  const only = option('--only', '');
  for (const [name, trigger] of Object.entries(points)) if (!only || only === name) await story(name, trigger, ids, short);
  if (oldRunner && (!only || only === 'upgrade')) {
    server.kill('SIGKILL');
    await died;
    await start({ PAPERCLIP_RUNNER: oldRunner });
    await story('upgrade', 'upgrade', ids, short);
  }
} catch (problem) {
  check(problem.stack, false);
} finally {
  if (server && server.exitCode === null && server.signalCode === null) { server.kill('SIGKILL'); await died; }
  // A failed story may leave agents: they end when their gate opens, and it is gone with the directory otherwise.
  for (const pid of processesWith(home)) try { process.kill(Number(pid), 'SIGKILL'); } catch { /* gone */ }
  rmSync(home, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
