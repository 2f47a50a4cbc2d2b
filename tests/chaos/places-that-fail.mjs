#!/usr/bin/env node
// What an agent's place is made of fails while the agent works, one thing at a time: the SSH connection, the sshd, the transport,
// the disk over there, the provider's worker, the runner, the server. Each time the run goes on or ends with an honest error; no
// lease, sandbox or process is left; no call of the agent is performed twice, and no line of its log is there twice.
//
//   tests/chaos/places-that-fail.mjs [--program PATH] [--only WORD]
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AnotherMachine, commandLines } from '../support/another-machine.mjs';
import { OwnServer, until } from '../support/own-server.mjs';
import { SlowWay } from '../support/slow-way.mjs';

const option = (name, otherwise) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : otherwise);
const top = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const program = resolve(option('--program', join(top, 'build/release/bin/paperclip')));
const only = option('--only', '');
const pause = (ms) => new Promise((resume) => setTimeout(resume, ms));
let company, plugin, passed = 0, failed = 0;

const check = (what, good, seen) => { good ? passed++ : failed++; console.log(`${good ? 'ok  ' : 'FAIL'} ${what}${good ? '' : `: ${JSON.stringify(seen)?.slice(0, 1500)}`}`); };

// ---- the agent ---------------------------------------------------------------------------------------------------------------

// Speaks like Claude Code and calls the API once a step, until it is told to end, and five steps more. It says what each call led to.
const tools = mkdtempSync(join(tmpdir(), 'paperclip-tools-'));
chmodSync(tools, 0o755);  // a sandbox's user looks into it
const server = await OwnServer.start(program);
const { ask } = server;
const claude = join(tools, 'claude');
writeFileSync(claude, `#!/bin/bash
cat > /dev/null
say() { printf '{"type":"assistant","session_id":"s-1","message":{"content":[{"type":"text","text":"%s"}]}}\\n' "$1"; }
echo '{"type":"system","subtype":"init","session_id":"s-1","model":"m"}'
more=0
for ((step = 1; more < 5; step++)); do
  [ -e "${tools}/go-on-$PAPERCLIP_AGENT_ID" ] && more=$((more + 1))
  status=$(curl -s -o /dev/null -m 50 -w '%{http_code}' -X POST -H "Authorization: Bearer $PAPERCLIP_API_KEY" -H "Content-Type: application/json" \\
    "$PAPERCLIP_API_URL/api/issues/$PAPERCLIP_TASK_ID/comments" -d "{\\"body\\":\\"call $step of $PAPERCLIP_RUN_ID.\\"}")
  say "step $step answered $status."
  [ -n "$MAKES" ] && [ $more -eq 5 ] && head -c "$MAKES" /dev/urandom > made
  [ -n "$WRITES" ] && { head -c 20000 /dev/zero > "written-$step" || say "no room at $step."; } 2> /dev/null
  [ -n "$SPEAKS" ] && say "$(head -c 15000 /dev/zero | tr '\\0' x)"
  sleep 0.05
done
echo '{"type":"result","subtype":"success","session_id":"s-1","result":"all done","is_error":false,"usage":{"input_tokens":3,"output_tokens":5}}'
`, { mode: 0o755 });

const isEnded = (run) => !['queued', 'running', 'scheduled_retry'].includes(run.status);

class Story {
  /** An agent at work in that environment: it has made a few calls already. */
  static async begin(name, environment, env = {}) {
    const story = await Story.wake(name, environment, env);
    await until(`${name}: the first calls`, async () => (await story.isOver()) || (await story.calls()).length >= 3);
    check(`${name}: it was at work`, !(await story.isOver()), await story.isOver());
    return story;
  }
  /** One that is only about to begin; `files` stand in its workspace. */
  static async wake(name, environment, env = {}, files = {}) {
    const story = new Story();
    story.name = name;
    story.began = Date.now();
    story.environment = environment.id ? environment : await ask('POST', `/api/companies/${company.id}/environments`, { name, ...environment });
    story.agent = await ask('POST', `/api/companies/${company.id}/agents`, {
      name, role: 'engineer', adapterType: 'claude_local', defaultEnvironmentId: story.environment.id, adapterConfig: { command: claude, env, timeoutSec: 120 },
    });
    story.workspace = server.workspaceOf(story.agent);
    mkdirSync(story.workspace, { recursive: true });
    for (const [file, bytes] of Object.entries(files)) writeFileSync(join(story.workspace, file), bytes);
    story.issue = await ask('POST', `/api/companies/${company.id}/issues`, { title: name, status: 'todo', assigneeAgentId: story.agent.id });
    return story;
  }
  calls = async () => (await ask('GET', `/api/issues/${this.issue.id}/comments`)).filter((one) => one.authorAgentId === this.agent.id).map((one) => one.body);
  runs = () => ask('GET', `/api/companies/${company.id}/heartbeat-runs?agentId=${this.agent.id}`);
  /** Its first run, once that is over. */
  async isOver() {
    const run = (await this.runs()).at(-1);
    return run && isEnded(run) ? run : null;
  }
  /** Calls pass again. */
  async goesOn(seconds = 60) {
    const before = (await this.calls()).length;
    await until(`${this.name}: calls pass again`, async () => (await this.isOver()) || (await this.calls()).length >= before + 2, seconds);
  }
  letEnd() { writeFileSync(join(tools, `go-on-${this.agent.id}`), ''); }

  /** Waits for the run's end and checks what holds whatever happened. `expected` is `succeeded`, or a pattern of the error. */
  async end(expected = 'succeeded') {
    const { name } = this;
    if (expected === 'succeeded') this.letEnd();
    const { id } = await until(`${name}: the end`, () => this.isOver(), 90);
    const run = await ask('GET', `/api/heartbeat-runs/${id}`);
    if (expected === 'succeeded') check(`${name}: the run succeeded`, run.status === 'succeeded', [run.status, run.error, run.errorCode]);
    else check(`${name}: it ended with an honest error`, run.status === 'failed' && expected.test(run.error ?? ''), [run.status, run.error, run.errorCode]);
    // A run that was lost is tried once more, in a place of its own.
    this.letEnd();
    const later = (await until(`${name}: the end of all runs`, async () => { const runs = await this.runs(); return runs.every(isEnded) && runs; }, 90)).slice(0, -1);
    if (expected !== 'succeeded') check(`${name}: the run after it did the work`, later.some((one) => one.retryOfRunId === id && one.status === 'succeeded'), later.map((one) => [one.status, one.error]));

    const log = await this.log(id);
    const steps = [...log.matchAll(/step (\d+) answered (\d+)\./g)].map(([, step, status]) => ({ step: Number(step), status }));
    const calls = await this.calls();
    const performed = (step) => calls.includes(`call ${step} of ${id}.`);
    check(`${name}: no call was performed twice`, new Set(calls).size === calls.length, calls);
    check(`${name}: each call that was answered well was performed`, steps.every(({ step, status }) => status !== '201' || performed(step)), [steps, calls]);
    check(`${name}: each step is in the log once, in order`, steps.length > 0 && steps.every(({ step }, at) => step === at + 1), steps);
    if (expected === 'succeeded') check(`${name}: the last calls passed`, steps.slice(-3).every(({ status }) => status === '201') && run.usageJson?.outputTokens === 5, [steps.slice(-8), run.usageJson]);

    await until(`${name}: its leases to end`, async () => (await ask('GET', `/api/environments/${this.environment.id}/leases`)).every((lease) => lease.status !== 'active' && lease.cleanupStatus !== 'pending'), 60)
      .then(() => check(`${name}: no lease is left`, true), async (problem) => check(`${problem.message}`, false, await ask('GET', `/api/environments/${this.environment.id}/leases`)));
    await until(`${name}: its processes to end`, () => this.processes().length === 0, 30)
      .then(() => check(`${name}: no process is left`, true), (problem) => check(problem.message, false, this.processes()));
    console.log(`     ${name}: ${((Date.now() - this.began) / 1000).toFixed(1)} s, ${calls.length} calls${run.error ? `, "${run.error}"` : ''}`);
    return { run, log, steps };
  }
  async log(run) {
    let text = '';
    for (let offset = 0; ;) {
      const piece = await ask('GET', `/api/heartbeat-runs/${run}/log?offset=${offset}&limitBytes=1000000`);
      text += piece.content;
      if (piece.nextOffset === undefined) return text.split('\n').filter(Boolean).map((line) => JSON.parse(line).chunk).join('');
      offset = piece.nextOffset;
    }
  }
  /** The agent's processes and its runner's, wherever they are. */
  processes() {
    const of = `PAPERCLIP_AGENT_ID=${this.agent.id}`;
    return commandLines().filter(({ pid }) => { try { return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(of); } catch { return false; } });
  }
}

/** Runs whose supervisor keeps its files below that directory. */
function supervisors(below) {
  return commandLines().map(({ pid }) => pid).filter((pid) => {
    try {
      if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() !== 'run-supervisor') return false;
      return readdirSync(`/proc/${pid}/fd`).some((fd) => { try { return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(below); } catch { return false; } });
    } catch { return false; }
  });
}
/** A run's directory goes after its row has ended. */
async function nothingLeftOn(machine, name) {
  const runs = join(machine.home, '.paperclip/runs');
  const gone = await until('', () => readdirSync(runs).length === 0, 30).catch(() => false);
  check(`${name}: no directory of a run is left there`, gone, readdirSync(runs));
}
const ssh = (machine, port) => ({ driver: 'ssh', config: machine.config(port) });
const sandbox = { driver: 'sandbox', config: { provider: 'bubblewrap', readOnlyPaths: [tools] } };
const machines = [];
const newMachine = async () => { const machine = await AnotherMachine.start(); machines.push(machine); return machine; };

// ---- what fails ----------------------------------------------------------------------------------------------------------------

const stories = {
  async 'the connection is cut'(name) {
    const machine = await newMachine();
    const story = await Story.begin(name, ssh(machine));
    for (const pid of machine.clients()) process.kill(pid, 'SIGKILL');
    await story.goesOn();
    await story.end();
    await nothingLeftOn(machine, name);
  },

  async 'sshd is killed and comes back'(name) {
    const machine = await newMachine();
    const story = await Story.begin(name, ssh(machine));
    await machine.killSshd();
    await pause(1000);
    check(`${name}: the run waits`, !(await story.isOver()), await story.isOver());
    await machine.go();
    await story.goesOn();
    await story.end();
    await nothingLeftOn(machine, name);
  },

  async 'the way is slow and stalls'(name) {
    const machine = await newMachine();
    const way = await SlowWay.to(machine.port);
    try {
      const story = await Story.begin(name, ssh(machine, way.port));
      way.delay(200);
      await story.goesOn();
      way.stall();
      await pause(5000);
      check(`${name}: the run waits`, !(await story.isOver()), await story.isOver());
      way.goOn();
      await story.goesOn();
      way.delay(0);
      await story.end();
      await nothingLeftOn(machine, name);
    } finally {
      way.close();
    }
  },

  async 'the connection is cut while the workspace goes and comes'(name) {
    const machine = await newMachine();
    const way = await SlowWay.to(machine.port);
    try {
      const size = 4_000_000;
      way.delay(20);  // with a window of what is under way, that takes a while
      const story = await Story.wake(name, ssh(machine, way.port), { MAKES: String(size) }, { given: randomBytes(size) });
      // The runner program goes first, then the workspace.
      await until(`${name}: the workspace to be on its way`, () => readdirSync(machine.directory).includes('workspaces') && existsSync(join(machine.workspaces, `agent-${story.agent.id}`, '.paperclip-runtime')));
      const before = way.there;
      await until(`${name}: some of it to have gone`, () => way.there > before + size / 4);
      way.cut();
      await until(`${name}: the first calls`, async () => (await story.isOver()) || (await story.calls()).length >= 3);
      const back = way.back;
      story.letEnd();
      await until(`${name}: some of it to have come back`, async () => (await story.isOver()) || way.back > back + size / 4);
      check(`${name}: it was still coming`, !(await story.isOver()), await story.isOver());
      way.cut();
      const { log } = await story.end();
      check(`${name}: what it made came back all the same`, existsSync(join(story.workspace, 'made')) && statSync(join(story.workspace, 'made')).size === size, log.slice(-1500));
      check(`${name}: nothing half done stands about`, !existsSync(join(story.workspace, '.paperclip-runtime')) || readdirSync(join(story.workspace, '.paperclip-runtime')).every((one) => !one.startsWith('sync-')), readdirSync(story.workspace));
      await nothingLeftOn(machine, name);
    } finally {
      way.close();
    }
  },

  // As when a firewall forgets a connection: nobody is told, nothing arrives. New ones pass.
  async 'the connection is dead'(name) {
    const machine = await newMachine();
    const way = await SlowWay.to(machine.port);
    try {
      const story = await Story.begin(name, ssh(machine, way.port));
      way.forget();
      await story.goesOn();
      await story.end();
      await nothingLeftOn(machine, name);
    } finally {
      way.close();
    }
  },

  async 'the runner is killed'(name) {
    const machine = await newMachine();
    const story = await Story.begin(name, ssh(machine));
    const [supervisor] = await until('the supervisor', () => { const found = supervisors(machine.home); return found.length && found; });
    process.kill(supervisor, 'SIGKILL');
    await story.end(/Process lost \(runner_lost\): the runner was killed by SIGKILL/);
    await nothingLeftOn(machine, name);
  },

  async 'the disk over there is full'(name) {
    if (process.getuid() !== 0) return console.log(`skipped: ${name} needs root, to mount a small disk`);
    const machine = await newMachine();
    const disk = join(machine.directory, 'disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', disk]);
    try {
      machine.home = join(disk, 'home');
      machine.workspaces = join(disk, 'workspaces');
      mkdirSync(machine.home);
      await machine.killSshd();
      await machine.configure();
      const story = await Story.begin(name, ssh(machine), { WRITES: '1', SPEAKS: '1' });
      const room = () => { try { writeFileSync(join(disk, 'ballast'), Buffer.alloc(16384), { flag: 'a' }); return true; } catch { return false; } };
      while (room()) { /* until there is none */ }
      await pause(1500);
      while (room()) { /* what was freed meanwhile */ }
      check(`${name}: the run waits, or goes on`, !(await story.isOver()), await story.isOver());
      unlinkSync(join(disk, 'ballast'));
      await story.goesOn();
      const { log } = await story.end();
      check(`${name}: the agent met it itself`, log.includes('no room at'), log.length);
      await nothingLeftOn(machine, name);

      // And a run that does not even get there.
      while (room()) { /* until there is none */ }
      const late = await ask('POST', `/api/companies/${company.id}/agents`, {
        name: 'Late', role: 'engineer', adapterType: 'claude_local', defaultEnvironmentId: story.environment.id, adapterConfig: { command: claude, timeoutSec: 120 },
      });
      mkdirSync(server.workspaceOf(late), { recursive: true });
      writeFileSync(join(server.workspaceOf(late), 'large'), Buffer.alloc(3_000_000, 7));
      await ask('POST', `/api/agents/${late.id}/wakeup`, {});
      const failed = await until('the late run', async () => (await ask('GET', `/api/companies/${company.id}/heartbeat-runs?agentId=${late.id}`)).find((run) => isEnded(run)));
      const run = await ask('GET', `/api/heartbeat-runs/${failed.id}`);
      check(`${name}: a run without room says so`, run.status === 'failed' && /No space left on device/.test(run.error), [run.status, run.error]);
      check(`${name}: and keeps no lease`, (await ask('GET', `/api/environments/${story.environment.id}/leases`)).every((lease) => lease.status !== 'active'));
    } finally {
      await machine.killSshd();
      execFileSync('umount', ['-l', disk]);
    }
  },

  async 'the plugin worker is killed'(name) {
    const story = await Story.begin(name, sandbox);
    const worker = commandLines().find(({ pid, line }) => line.startsWith(join(server.plugins, 'bubblewrap')) && ofServer(pid));
    check(`${name}: there is a worker`, worker !== undefined);
    process.kill(worker.pid, 'SIGKILL');
    await story.end(/./);
    check(`${name}: no sandbox is left`, sandboxesLeft().length === 0, sandboxesLeft());
  },

  async 'the server is killed'(name) {
    const machine = await newMachine();
    const there = await Story.begin(`${name}, SSH`, ssh(machine));
    const here = await Story.begin(`${name}, on this machine`, (await ask('GET', `/api/companies/${company.id}/environments`)).find(({ driver }) => driver === 'local'));
    const inside = await Story.begin(`${name}, in a sandbox`, sandbox);
    await server.kill();
    await pause(300);
    await server.go();
    await Promise.all([there, here].map((story) => story.goesOn()));
    await Promise.all([there.end(), here.end(), inside.end(/Process lost/)]);
    await nothingLeftOn(machine, name);
    check(`${name}: no sandbox is left`, sandboxesLeft().length === 0, sandboxesLeft());
  },
};

/** Whether the process belongs to our server: it has its home in its environment, or a parent that has. */
function ofServer(pid) {
  for (let at = pid; at > 1;) {
    if (at === server.pid) return true;
    try { at = Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${at}/stat`, 'utf8'))[1]); } catch { return false; }
  }
  return false;
}
/** What the provider keeps on the disk for our server. */
function sandboxesLeft() {
  const root = join(process.getuid() === 0 ? '/var/lib/paperclip' : join(userInfo().homedir, '.paperclip'), 'sandboxes', plugin.id);
  return existsSync(root) ? readdirSync(root) : [];
}

const began = Date.now();
try {
  company = await ask('POST', '/api/companies', { name: 'Where things fail' });
  plugin = await ask('POST', '/api/plugins/install', { packageName: join(server.plugins, 'bubblewrap'), isLocalPath: true });
  for (const [name, tell] of Object.entries(stories)) {
    if (!name.includes(only)) continue;
    await tell(name).catch((problem) => check(`${name}: ${problem.stack ?? problem}`, false));
  }
} catch (problem) {
  check(String(problem.stack ?? problem), false);
} finally {
  await server.remove();
  for (const machine of machines) await machine.remove();
  rmSync(tools, { recursive: true, force: true, maxRetries: 5 });
}
console.log(`${((Date.now() - began) / 1000).toFixed(1)} s`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
