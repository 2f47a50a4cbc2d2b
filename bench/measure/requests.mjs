// Requests a second, by wrk: one thread, 1, 16 and 64 connections.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inParallel, top } from './server.mjs';

const run = promisify(execFile);

async function wrk(server, script, path, connections, seconds, env = {}) {
  const folder = join(top, 'bench', 'wrk');
  const { stdout } = await run('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', join(folder, script), server.base + path],
    { cwd: folder, env: { ...process.env, ...env } });
  const report = JSON.parse(stdout.trim().split('\n').at(-1));
  if (report.errors || !report.requests) throw new Error(`${script} ${path}: ${report.errors} of ${report.requests} requests failed\n${server.said()}`);
  return report;
}

/** Makes the company that everything here works on: one agent that nothing wakes, `count` issues. */
export async function furnish(server, count) {
  const company = await server.ask('POST', '/api/companies', { name: 'Bench' });
  const agent = await server.ask('POST', `/api/companies/${company.id}/agents`, {
    name: 'Idle', role: 'engineer', adapterType: 'process', adapterConfig: { command: '/bin/true' },
    runtimeConfig: { heartbeat: { enabled: false, wakeOnDemand: false } },
  });
  const issues = [];
  await inParallel(count, 16, async (i) => {
    issues.push(await server.ask('POST', `/api/companies/${company.id}/issues`, {
      title: `Issue ${i}`, description: 'What there is to do, in a sentence or two of ordinary length. '.repeat(4), status: 'todo', priority: 'medium',
    }));
  });
  return { company, agent, issues };
}

/** Rows of { name, connections, perSecond, p50Ms, p99Ms }. */
export async function measureRequests(server, { company, agent, issues }, { seconds, connections }) {
  const list = `/api/companies/${company.id}/issues`;
  const one = `/api/issues/${issues[0].id}`;
  const paths = (name, lines) => {
    const file = join(server.home, name);
    writeFileSync(file, lines.join('\n'));
    return file;
  };
  const comments = paths('comments', issues.map((issue) => `/api/issues/${issue.id}/comments`));
  const checkouts = paths('checkouts', issues.map((issue) => `/api/issues/${issue.id}/checkout`));
  const creates = paths('creates', [list]);

  // Reads first: what the writes add must not change what is read. The list holds as many issues as it says.
  const kinds = [
    ['health', 'get.lua', '/api/health'],
    [`list of ${issues.length} issues`, 'get.lua', `${list}?limit=${issues.length}`],
    ['one issue', 'get.lua', one],
    ['add comment', 'post.lua', '/', { PATHS: comments, BODY: '{"body":"Progress, step %d: it goes on."}' }],
    ['checkout', 'post.lua', '/', { PATHS: checkouts, BODY: JSON.stringify({ agentId: agent.id, expectedStatuses: ['todo', 'in_progress'] }) }],
    ['create issue', 'post.lua', '/', { PATHS: creates, BODY: '{"title":"Issue number %d","status":"todo"}' }],
  ];
  const listed = await server.ask('GET', kinds[1][2]);
  if (listed.length !== issues.length) throw new Error(`the list holds ${listed.length} issues, not ${issues.length}`);

  const rows = [];
  for (const [name, script, path, env] of kinds)
    for (const width of connections) {
      const report = await wrk(server, script, path, width, seconds, env);
      rows.push({ name, connections: width, perSecond: report.requests / report.seconds, p50Ms: report.p50Ms, p99Ms: report.p99Ms });
    }
  return rows;
}
