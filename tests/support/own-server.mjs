// A server of its own for a test that kills it or decides what it sees: a fresh home, a free port, nothing of the caller's environment.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { freePort } from './another-machine.mjs';

const pause = (ms) => new Promise((resume) => setTimeout(resume, ms));

/** What `probe` returns, once that is true. */
export async function until(what, probe, seconds = 60) {
  for (const end = Date.now() + seconds * 1000; ; await pause(40)) {
    const last = await probe();
    if (last) return last;
    if (Date.now() > end) throw new Error(`timed out after ${seconds} s: ${what}`);
  }
}

export class OwnServer {
  /** `environment` is laid over the little that it sees anyway. */
  static async start(program, environment = {}) {
    const server = new OwnServer();
    server.program = resolve(program);
    server.plugins = join(dirname(server.program), '../plugins');
    server.environment = environment;
    server.home = mkdtempSync(join(tmpdir(), 'paperclip-own-'));
    server.log = join(server.home, 'server.out');
    mkdirSync(join(server.home, 'home'));
    server.port = await freePort();
    server.base = `http://127.0.0.1:${server.port}`;
    await server.go();
    return server;
  }

  /** Starts it, again if it was killed; it answers once this returns. */
  async go() {
    const { PATH, TMPDIR, ASAN_OPTIONS } = process.env;
    const out = openSync(this.log, 'a');
    this.child = spawn(this.program, ['serve'], {
      env: { PATH, ...(TMPDIR && { TMPDIR }), ...(ASAN_OPTIONS && { ASAN_OPTIONS }), HOME: join(this.home, 'home'), ...this.environment, PAPERCLIP_HOME: this.home, PORT: String(this.port) },
      stdio: ['ignore', out, out],
    });
    await until('the server', () => {
      if (this.child.exitCode !== null) throw new Error(`the server does not start: ${readFileSync(this.log, 'utf8').slice(-2000)}`);
      return fetch(`${this.base}/api/health`).then((answer) => answer.ok, () => false);
    });
  }
  get pid() { return this.child.pid; }
  async kill(signal = 'SIGKILL') {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill(signal);
    await gone;
  }
  async remove() {
    await this.kill('SIGTERM');
    rmSync(this.home, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Asks the API as the board; throws unless it answers 2xx. */
  ask = async (method, path, body) => {
    const answer = await fetch(this.base + path, { method, headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  };
  /** Where an agent without a project works. */
  workspaceOf = (agent) => join(this.home, 'instances/default/workspaces', agent.id);
}
