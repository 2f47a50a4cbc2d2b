// A server of our own to measure: its own home, a free port, no variable of the caller's.
import { spawn } from 'node:child_process';
import { createServer, connect } from 'node:net';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const top = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const program = (name) => join(process.env.BENCH_PROGRAMS ?? join(top, 'build', 'release', 'bin'), name);
export const now = () => Number(process.hrtime.bigint()) / 1e6; // milliseconds of the monotonic clock

const freePort = () => new Promise((resolve, reject) => {
  const server = createServer().on('error', reject).listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

/** Resolves when GET /api/health was answered with 200 on a fresh connection; rejects if it was not. */
const healthy = (port) => new Promise((resolve, reject) => {
  const socket = connect(port, '127.0.0.1').on('error', reject).once('data', (data) => {
    socket.destroy();
    if (data.toString().startsWith('HTTP/1.1 200')) resolve();
    else reject(new Error(data.toString().split('\r\n')[0]));
  }).on('end', () => reject(new Error('closed')));
  socket.write('GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n');
});

export class Server {
  home = mkdtempSync(join(tmpdir(), 'paperclip-bench.'));

  /** Starts it and returns the milliseconds from spawn to the first 200 of /api/health. */
  async start() {
    this.gone = undefined;
    this.port = await freePort();
    this.base = `http://127.0.0.1:${this.port}`;
    mkdirSync(join(this.home, 'home'), { recursive: true });
    const out = openSync(join(this.home, 'server.out'), 'a');
    const started = now();
    this.child = spawn(program('paperclip'), ['serve'], {
      stdio: ['ignore', out, out],
      env: { PATH: process.env.PATH, LANG: 'C.UTF-8', HOME: join(this.home, 'home'), PAPERCLIP_HOME: this.home, PORT: String(this.port),
        ...(process.env.PAPERCLIP_MAX_LIVE_RUNS ? { PAPERCLIP_MAX_LIVE_RUNS: process.env.PAPERCLIP_MAX_LIVE_RUNS } : {}) },
    });
    this.ended = new Promise((resolve) => this.child.on('exit', (code, signal) => { this.gone = signal ?? code; resolve(this.gone); }));
    for (;;) {
      try {
        await healthy(this.port);
        return now() - started;
      } catch {
        if (this.gone !== undefined) throw new Error(`the server ended (${this.gone}):\n${this.said()}`);
        if (now() - started > 30_000) throw new Error(`no answer after 30 s:\n${this.said()}`);
        await new Promise((resume) => setTimeout(resume, 1));
      }
    }
  }

  said() { return readFileSync(join(this.home, 'server.out'), 'utf8').split('\n').slice(-30).join('\n'); }

  /** Proportional set size in MiB: private pages whole, shared ones by their share. */
  pss() { return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.child.pid}/smaps_rollup`, 'utf8'))[1]) / 1024; }

  async stop() {
    if (!this.child || this.gone !== undefined) return;
    this.child.kill('SIGTERM');
    const slow = setTimeout(() => this.child.kill('SIGKILL'), 15_000);
    const how = await this.ended;
    clearTimeout(slow);
    if (how !== 0) throw new Error(`the server ended with ${how}:\n${this.said()}`);
  }

  remove() { rmSync(this.home, { recursive: true, force: true }); }

  async ask(method, path, body) {
    const response = await fetch(this.base + path, {
      method, body: body === undefined ? undefined : JSON.stringify(body),
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 300)}`);
    return text ? JSON.parse(text) : null;
  }
}

/** The value at a share (0.5 is the median) of a list. */
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.round(share * (sorted.length - 1))];
}

/** Runs `work(i)` for i below count, at most `width` at a time. */
export async function inParallel(count, width, work) {
  let next = 0;
  await Promise.all(Array.from({ length: Math.min(width, count) }, async () => { while (next < count) await work(next++); }));
}
