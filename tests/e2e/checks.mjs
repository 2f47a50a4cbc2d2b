// What the scripts here share: a server in BASE, checks that are counted, waiting, Claude Code with a scripted model, workspaces.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The top of the source tree. */
export const top = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export const base = process.env.BASE;
if (!base) throw new Error('BASE is not set: run this with scripts/with-server');

let passed = 0, failed = 0;

/** Counts a check and says how it went; `seen` is shown when it failed. */
export function check(what, ok, seen) {
  if (ok) passed++;
  else failed++;
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${what}${ok ? '' : `: ${JSON.stringify(seen)?.slice(0, 900)}`}`);
}

/** Prints "N passed, N failed" and ends the program. */
export function finish() {
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

/** Asks the API as the board; throws unless it answers 2xx. */
export async function api(method, path, body) {
  const response = await fetch(base + path, { method, headers: body ? { 'content-type': 'application/json' } : {}, body: body && JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

/** What `probe` returns, once that is true. */
export async function until(what, seconds, probe) {
  const end = Date.now() + seconds * 1000;
  for (let last; ; await new Promise((done) => setTimeout(done, 50))) {
    last = await probe();
    if (last) return last;
    if (Date.now() > end) throw new Error(`timed out after ${seconds} s: ${what}`);
  }
}

/** The build whose server this is. */
export const build = process.env.PAPERCLIP_BINARY ? resolve(dirname(process.env.PAPERCLIP_BINARY), '..') : join(top, 'build/release');

/** The first run of the agent that is over, with its log. */
export async function outcomeOf(company, agent, seconds) {
  const over = (run) => ['succeeded', 'failed', 'cancelled', 'timed_out'].includes(run.status);
  const found = await until('the run', seconds, async () => (await api('GET', `/api/companies/${company.id}/heartbeat-runs?agentId=${agent.id}`)).find(over));
  return { run: await api('GET', `/api/heartbeat-runs/${found.id}`), log: (await api('GET', `/api/heartbeat-runs/${found.id}/log?limitBytes=1000000`)).content };
}

// ---- Claude Code and its model ----------------------------------------------------------------------------------------------

/** The Claude Code command line; throws where it was not fetched. */
export function claudeProgram() {
  const program = process.env.CLAUDE_BIN ?? join(top, 'build/tools/node_modules/.bin/claude');
  if (!existsSync(program)) throw new Error(`${program} is not there: run scripts/fetch-claude first`);
  return program;
}

/** What it needs in its environment to talk to that model, as root, and to nobody else. */
export const claudeEnvironment = (url) => ({
  ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: 'a-key-for-nobody', IS_SANDBOX: '1', DISABLE_AUTOUPDATER: '1', CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
});

/** A scripted model on loopback; `say(name, turns…)` is what it says in the runs of the agent that asks it under `/name`. */
export async function modelEndpoint() {
  const child = spawn(process.execPath, [join(top, 'tests/support/model-endpoint.mjs')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const { port } = await new Promise((done) => child.stdout.once('data', (line) => done(JSON.parse(String(line).split('\n')[0]))));
  const url = `http://127.0.0.1:${port}`;
  return {
    port, url,
    say: (name, ...runs) => fetch(`${url}/__scripts/${name}`, { method: 'PUT', body: JSON.stringify({ runs }) }),
    requests: async () => (await fetch(`${url}/__requests`)).json(),
    stop: () => child.kill(),
  };
}

/** Shell words with which an agent calls the API. */
export const agentCurl = 'curl -sS -m 20 -H "Authorization: Bearer $PAPERCLIP_API_KEY" -H "X-Paperclip-Run-Id: $PAPERCLIP_RUN_ID" -H "Content-Type: application/json"';

// ---- workspaces ---------------------------------------------------------------------------------------------------------------

/** Shell words of a git that commits in somebody's name. */
export const git = 'git -c user.name=Clara -c user.email=clara@example.com';

/** Makes the directory a repository with one commit, of `tracked.txt`, and changes that nobody committed: to that file and in `notes.txt`. */
export function makeRepository(directory) {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'tracked.txt'), 'first\n');
  execFileSync('sh', ['-c', `git init -q -b main && git add tracked.txt && ${git} commit -q -m start`], { cwd: directory });
  writeFileSync(join(directory, 'tracked.txt'), 'first\nchanged here\n');
  writeFileSync(join(directory, 'notes.txt'), 'written here, never committed\n');
  return directory;
}

/** The subjects of its commits, newest first. */
export const subjectsIn = (directory) => execFileSync('git', ['log', '--format=%s'], { cwd: directory, encoding: 'utf8' }).split('\n').filter(Boolean);

/** What is not committed, as `git status --short` says it. */
export const uncommittedIn = (directory) => execFileSync('git', ['status', '--short'], { cwd: directory, encoding: 'utf8' }).split('\n').filter(Boolean).sort();

/** What the file holds; nothing if it is not there. */
export const contentOf = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : undefined);
