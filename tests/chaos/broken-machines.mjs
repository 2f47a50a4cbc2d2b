#!/usr/bin/env node
// A machine that lets the server down: a full disk, a data directory that cannot be written, a clock that jumps a day, a
// laptop that slept, a second server. Each ends in a clear state, and no row is lost.
//
//   tests/chaos/broken-machines.mjs [--program PATH] [--only NAME]
//
// The first two need a mount namespace, the clock a build with tests (libclock_shift.so beside the program); what cannot be
// had here is skipped with a word.
import { spawn, spawnSync, execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const option = (name, otherwise) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : otherwise);
const program = option('--program', join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'build', 'debug', 'bin', 'paperclip'));
const only = option('--only', '');
const patience = 120_000;
const pause = (ms) => new Promise((resume) => setTimeout(resume, ms));
const place = mkdtempSync(join(tmpdir(), 'paperclip-broken-'));

let passed = 0, failed = 0;
const check = (what, good, more = '') => { good ? passed++ : failed++; console.log(`${good ? 'ok  ' : 'FAIL'} ${what}${good ? '' : ' ' + more}`); };
async function until(what, condition) {
  const deadline = Date.now() + patience;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await pause(20);
  }
}
const freePort = () => new Promise((resolve) => {
  const probe = createServer().listen(0, '127.0.0.1', () => { const { port } = probe.address(); probe.close(() => resolve(port)); });
});

class Server {
  constructor(home, wrapper = [], environment = {}) { Object.assign(this, { home, wrapper, environment, text: '' }); }
  async start() {
    this.port = await freePort();
    const [command, ...words] = [...this.wrapper, program, 'serve'];
    this.process = spawn(command, words, { env: { ...process.env, PAPERCLIP_HOME: this.home, PORT: String(this.port), HEARTBEAT_SCHEDULER_INTERVAL_MS: '10000', ...this.environment } });
    for (const stream of [this.process.stdout, this.process.stderr]) stream.on('data', (bytes) => { this.text += bytes; });
    this.ended = new Promise((resolve) => this.process.once('close', (code, signal) => resolve(signal ?? code)));
    this.gone = false;
    this.ended.then(() => { this.gone = true; });
    await until('the server to listen', async () => {
      if (this.gone) throw new Error(`the server does not start: ${this.text.slice(-400)}`);
      return fetch(`http://127.0.0.1:${this.port}/api/health`).then((answer) => answer.ok, () => false);
    });
    return this;
  }
  async raw(method, path, body) {
    const answer = await fetch(`http://127.0.0.1:${this.port}${path}`, { method, headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body) });
    const text = await answer.text();
    let json = null;
    try { json = JSON.parse(text); } catch { /* not JSON */ }
    return { status: answer.status, json, text };
  }
  async ask(method, path, body) {
    const answer = await this.raw(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.json;
  }
  async agent(script, more = {}) {
    this.company ??= (await this.ask('POST', '/api/companies', { name: 'Broken' })).id;
    return (await this.ask('POST', `/api/companies/${this.company}/agents`, { name: `Agent ${Math.random()}`, adapterType: 'process', adapterConfig: { command: '/bin/sh', args: ['-c', script] }, ...more })).id;
  }
  async wake(agent) { return (await this.ask('POST', `/api/agents/${agent}/wakeup`, {})).id; }
  run(id) { return this.ask('GET', `/api/heartbeat-runs/${id}`); }
  ends(id) { return until(`run ${id} to end`, async () => { const row = await this.run(id); return ['queued', 'running', 'scheduled_retry'].includes(row.status) ? null : row; }); }
  async said(id) {
    let text = '';
    for (let offset = 0; offset !== undefined;) {
      const piece = await this.ask('GET', `/api/heartbeat-runs/${id}/log?offset=${offset}&limitBytes=1000000`);
      text += piece.content;
      offset = piece.nextOffset;
    }
    return text.split('\n').filter(Boolean).map((line) => JSON.parse(line)).filter((line) => line.stream === 'stdout' && !line.chunk.startsWith('[paperclip] ')).map((line) => line.chunk).join('');
  }
  async stop() {
    if (this.gone || !this.process) return;
    this.process.kill('SIGTERM');
    await Promise.race([this.ended, pause(20_000).then(() => this.process.kill('SIGKILL'))]);
    await this.ended;
  }
}

const mounts = spawnSync('unshare', ['--mount', 'sh', '-c', 'mount -t tmpfs none /mnt']).status === 0;
const shiftLibrary = join(dirname(program), 'libclock_shift.so');
const numbers = (text) => text.split('\n').filter(Boolean).every((line, i) => line === `line ${i}` || line === `end ${i}`) && /end \d+\n$/.test(text);
const countingScript = (gate) => `i=0; while [ ! -e ${gate} ]; do echo "line $i"; i=$((i+1)); sleep 0.02; done; echo "end $i"`;

const stories = {
  async 'full disk'() {
    if (!mounts) return console.log('skip full disk: no mount namespaces here');
    const home = join(place, 'small'), gate = join(place, 'gate-full');
    mkdirSync(home);
    const server = await new Server(home, ['unshare', '--mount', 'sh', '-c', `mount -t tmpfs -o size=48m none ${home} && exec "$@"`, 'sh']).start();
    const inside = (path) => `/proc/${server.process.pid}/root${path}`;
    try {
      const talker = await server.agent(countingScript(gate)), short = await server.agent('echo short');
      const run = await server.wake(talker);
      await until('it talks', async () => (await server.run(run)).logRef && (await server.said(run)).includes('line 20'));
      const ballast = openSync(inside(join(home, 'ballast')), 'w');
      const fill = () => { for (const size of [1 << 20, 4096, 1]) try { for (;;) writeSync(ballast, Buffer.alloc(size)); } catch (problem) { if (problem.code !== 'ENOSPC') throw problem; } };
      fill();
      await until('a write is refused', async () => { fill(); return (await server.raw('POST', `/api/companies/${server.company}/issues`, { title: 'x'.repeat(20000), description: 'y'.repeat(100000) })).status >= 500; });
      check('a full disk: writes are refused with an error', true);
      check('reads are answered', (await server.raw('GET', `/api/companies/${server.company}/agents`)).status === 200);
      check('health is answered', (await server.raw('GET', '/api/health')).status === 200);
      const refused = await server.raw('POST', `/api/agents/${short}/wakeup`, {});
      await pause(1500); // the agent says more than there is room for
      writeFileSync(gate, '');
      await pause(500);
      check('the server lives', !server.gone);
      closeSync(ballast);
      rmSync(inside(join(home, 'ballast')));
      const row = await server.ends(run);
      check('with room again the run is accounted for', row.status === 'succeeded', `${row.status} ${row.error}`);
      const tale = await server.said(run);
      check('and nothing it said is lost', numbers(tale), tale.slice(-200));
      if (refused.status < 300) check('a wake that was accepted is answered', (await server.ends(refused.json.id)).status !== 'running');
      check('the next run works', (await server.ends(await server.wake(short))).status === 'succeeded');
      const integrity = execFileSync('nsenter', ['-t', String(server.process.pid), '-m', 'sqlite3', join(home, 'instances/default/db/paperclip.sqlite'), 'pragma integrity_check'], { encoding: 'utf8' }).trim();
      check('the database is whole', integrity === 'ok', integrity);
    } finally { writeFileSync(gate, ''); await server.stop(); }
  },

  async 'read-only directory'() {
    if (!mounts) return console.log('skip read-only directory: no mount namespaces here');
    const home = join(place, 'readonly');
    const first = await new Server(home).start();
    await first.agent('true');
    await first.stop();
    const refused = new Server(home, ['unshare', '--mount', 'sh', '-c', `mount --bind ${home} ${home} && mount -o remount,ro,bind ${home} && exec "$@"`, 'sh']);
    const outcome = await refused.start().then(() => 'started', (problem) => problem.message);
    check('a read-only directory: the server does not start', outcome !== 'started' && refused.gone);
    check('and says which directory it is', refused.text.includes(home), refused.text.slice(-300));
    await refused.stop();
    const server = await new Server(home, ['unshare', '--mount', 'sh', '-c', `mount --bind ${home} ${home} && exec "$@"`, 'sh']).start();
    const remount = (how) => execFileSync('nsenter', ['-t', String(server.process.pid), '-m', 'mount', '-o', `remount,${how},bind`, home], { stdio: 'ignore' });
    try {
      server.company = first.company;
      const short = await server.agent('echo short');
      let answer;
      // Files that are open for writing keep the mount writable; so this is only tried.
      try { remount('ro'); answer = await server.raw('POST', `/api/agents/${short}/wakeup`, {}); } catch { answer = null; }
      if (answer) {
        check('one that becomes read-only: reads are answered', (await server.raw('GET', `/api/companies/${server.company}/agents`)).status === 200);
        remount('rw');
        if (answer.status < 300) check('an accepted wake is answered', ['succeeded', 'failed'].includes((await server.ends(answer.json.id)).status));
      }
      check('the next run works', (await server.ends(await server.wake(short))).status === 'succeeded');
    } finally { await server.stop(); }
  },

  async 'second server'() {
    const home = join(place, 'twice');
    const server = await new Server(home).start();
    try {
      const second = new Server(home);
      const outcome = await second.start().then(() => 'started', (problem) => problem.message);
      check('a second server is refused', outcome !== 'started');
      check('and told who has the directory', second.text.includes(`pid ${server.process.pid}`), second.text.slice(-300));
      await second.stop();
      check('the first one goes on', (await server.ends(await server.wake(await server.agent('true')))).status === 'succeeded');
      server.process.kill('SIGKILL');
      await server.ended;
      const next = await new Server(home).start();
      check('the kernel drops the lock of a killed one', true);
      await next.stop();
    } finally { await server.stop(); }
  },

  async 'clock'() {
    if (!existsSync(shiftLibrary)) return console.log(`skip clock: ${shiftLibrary} is not built`);
    if (readFileSync(program).includes('AddressSanitizer')) return console.log('skip clock: a program with sanitizers does not start under a preloaded clock; use build/debug');
    for (const [name, days, stopped] of [['a clock that jumps ahead a day', 1, false], ['a clock that is set back a day', -1, false], ['a laptop that slept', 1, true]]) {
      const home = join(place, `clock-${name.replaceAll(' ', '-')}`), gate = `${home}-gate`, shift = `${home}-shift`;
      const set = (seconds) => { const bytes = Buffer.alloc(8); bytes.writeBigInt64LE(BigInt(seconds)); const file = openSync(shift, existsSync(shift) ? 'r+' : 'w'); writeSync(file, bytes, 0, 8, 0); closeSync(file); };
      set(0);
      const server = await new Server(home, [], { LD_PRELOAD: shiftLibrary, CLOCK_SHIFT_FILE: shift }).start();
      try {
        const talker = await server.agent(countingScript(gate), { adapterConfig: { command: '/bin/sh', args: ['-c', countingScript(gate)], timeoutSec: 600 } });
        const timed = await server.agent('true', { runtimeConfig: { heartbeat: { enabled: true, intervalSec: 60 } } });
        const run = await server.wake(talker);
        await until('it talks', async () => (await server.run(run)).logRef && (await server.said(run)).includes('line 10'));
        if (stopped) server.process.kill('SIGSTOP');
        set(days * 86400);
        if (stopped) { await pause(1000); server.process.kill('SIGCONT'); }
        check(`${name}: the server knows the new time`, Math.abs(Date.parse((await server.ask('POST', `/api/companies/${server.company}/issues`, { title: 'Now' })).createdAt) - Date.now() - days * 86400_000) < 60_000);
        check('a wake is answered at once', (await server.ends(await server.wake(await server.agent('echo quick')))).status === 'succeeded');
        const beats = await until('the timer goes on', async () => {
          const runs = await server.ask('GET', `/api/companies/${server.company}/heartbeat-runs?agentId=${timed}`);
          return runs.length > 0 && runs;
        });
        check('a timer fires once for all it missed', beats.length <= 2, String(beats.length));
        check('the run that was under way still is', (await server.run(run)).status === 'running');
        writeFileSync(gate, '');
        const row = await server.ends(run);
        check('and ends by itself, well', row.status === 'succeeded', `${row.status} ${row.error}`);
        check('with all it said', numbers(await server.said(run)));
      } finally { writeFileSync(gate, ''); await server.stop(); }
    }
  },
};

try {
  for (const [name, story] of Object.entries(stories))
    if (!only || only === name)
      try { await story(); } catch (problem) { check(`${name}: ${problem.stack}`, false); }
} finally {
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid))
    try { if (readFileSync(`/proc/${name}/cmdline`, 'latin1').includes(place)) process.kill(Number(name), 'SIGKILL'); } catch { /* gone */ }
  rmSync(place, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
