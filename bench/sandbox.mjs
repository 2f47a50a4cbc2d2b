#!/usr/bin/env node
// How long an empty run takes in a bubblewrap sandbox, asked of the provider's worker directly, beside a bare bwrap in the
// same run:  node bench/sandbox.mjs [--package build/release/plugins/bubblewrap] [--rounds 100]

import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const folder = option('package', 'build/release/plugins/bubblewrap');
const rounds = Number(option('rounds', 100));

class Worker {
  constructor(directory) {
    this.child = spawn(join(folder, 'worker'), [], {
      env: { PATH: process.env.PATH, NODE_PATH: '', PAPERCLIP_PLUGIN_ID: 'bench', NODE_ENV: 'production', TZ: 'UTC' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.waiting = new Map();
    this.last = 0;
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      const message = JSON.parse(line);
      const settle = this.waiting.get(message.id);
      if (!settle) return;
      this.waiting.delete(message.id);
      if (message.error) settle.reject(new Error(message.error.message));
      else settle.resolve(message.result);
    });
    this.ready = this.call('initialize', {
      manifest: JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')),
      config: { directory },
      instanceInfo: { instanceId: 'bench', hostVersion: '2026.503.0' },
      apiVersion: 1,
      databaseNamespace: null,
    });
  }
  call(method, params) {
    const id = ++this.last;
    const answer = new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    this.child.stdin.write(JSON.stringify({ jsonrpc: '2.0', id, method, params }) + '\n');
    return answer;
  }
}

const times = async (work) => {
  const found = [];
  for (let i = 0; i < rounds; ++i) {
    const start = process.hrtime.bigint();
    await work();
    found.push(Number(process.hrtime.bigint() - start) / 1e6);
  }
  found.sort((a, b) => a - b);
  return { p50: found[Math.floor(found.length / 2)], p95: found[Math.floor(found.length * 0.95)] };
};
const say = (what, { p50, p95 }) => console.log(`${what.padEnd(58)} p50 ${p50.toFixed(1)} ms   p95 ${p95.toFixed(1)} ms`);

const directory = mkdtempSync(join(tmpdir(), 'bench-sandbox-'));
chmodSync(directory, 0o711); // as root, sandboxes belong to other users, who have to get through
const worker = new Worker(join(directory, 'sandboxes'));
try {
  await worker.ready;
  const base = { driverKey: 'bubblewrap', companyId: 'c', environmentId: 'e', config: {} };
  const execute = async (lease) => {
    const result = await worker.call('environmentExecute', { ...base, lease, command: 'true' });
    if (result.exitCode !== 0) throw new Error(JSON.stringify(result));
  };
  const bare = ['--unshare-all', '--ro-bind', '/usr', '/usr', '--symlink', 'usr/lib', '/lib', '--symlink', 'usr/lib64', '/lib64', '--proc', '/proc', '--dev', '/dev'];
  const bwrap = async () => {
    const ended = spawnSync('bwrap', [...bare, '/usr/bin/true']);
    if (ended.status !== 0) throw new Error(String(ended.stderr));
  };
  await bwrap();
  say('bare: bwrap /usr/bin/true', await times(bwrap));
  say('a whole run: acquire, execute true, release', await times(async () => {
    const lease = await worker.call('environmentAcquireLease', { ...base, runId: 'r' });
    await execute(lease);
    await worker.call('environmentReleaseLease', { ...base, providerLeaseId: lease.providerLeaseId, leaseMetadata: lease.metadata });
  }));
  const lease = await worker.call('environmentAcquireLease', { ...base, runId: 'r' });
  say('execute true in a sandbox that is there', await times(() => execute(lease)));
  await worker.call('environmentReleaseLease', { ...base, providerLeaseId: lease.providerLeaseId, leaseMetadata: lease.metadata });
} finally {
  worker.child.stdin.end();
  await new Promise((resolve) => worker.child.on('exit', resolve));
  rmSync(directory, { recursive: true, force: true });
}
