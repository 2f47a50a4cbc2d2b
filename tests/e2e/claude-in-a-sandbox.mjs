#!/usr/bin/env node
// The real Claude Code command line works a ticket to done inside a bubblewrap sandbox, through the plugin host, whose only
// way out is an allow-list with the model endpoint on it. Its workspace is a git repository with uncommitted changes: what it
// commits and what it leaves uncommitted comes back. A call to any other address fails and stands in the run's log.
//
//   scripts/with-server node tests/e2e/claude-in-a-sandbox.mjs   (BASE and SERVER_HOME are the server's; CLAUDE_BIN another command line)
//
// Prints "N passed, N failed".
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { api, check, finish, until } from './checks.mjs';

const top = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const claude = process.env.CLAUDE_BIN ?? join(top, 'build/tools/node_modules/.bin/claude');
if (!existsSync(claude)) throw new Error(`${claude} is not there: run scripts/fetch-claude first`);

// ---- the model, on an address that no client takes for its own machine -----------------------------------------------------

const endpoint = spawn(process.execPath, [join(top, 'tests/support/model-endpoint.mjs')], { stdio: ['pipe', 'pipe', 'inherit'] });
const { port: endpointPort } = await new Promise((done) => endpoint.stdout.once('data', (line) => done(JSON.parse(String(line).split('\n')[0]))));
const listening = (address, serve) => new Promise((done) => {
  const server = createServer(serve).listen(0, address, () => done(server));
});
const front = await listening('127.0.0.2', (client) => {
  const behind = connect(endpointPort, '127.0.0.1');
  for (const [from, to] of [[client, behind], [behind, client]]) from.on('error', () => to.destroy()).pipe(to);
});
const model = `127.0.0.2:${front.address().port}`;
let strangers = 0;
const forbidden = await listening('127.0.0.3', (client) => { strangers++; client.destroy(); });
const stranger = `127.0.0.3:${forbidden.address().port}`;

const curl = 'curl -sS -m 20 -H "Authorization: Bearer $PAPERCLIP_API_KEY" -H "X-Paperclip-Run-Id: $PAPERCLIP_RUN_ID" -H "Content-Type: application/json"';
const git = 'git -c user.name=Clara -c user.email=clara@example.com';
const script = {
  runs: [[
    { text: 'Looking around.', bash: 'cat notes.txt; git status --short; ls /root /home 2>&1' },
    { bash: `curl -sS -m 20 -o /dev/null -w 'stranger %{http_code}' http://${stranger}/ 2>&1` },
    { bash: `curl -sS -m 20 --noproxy '*' http://${stranger}/ 2>&1; echo "directly $?"` },
    { bash: `echo work > work.txt && git add work.txt && ${git} commit -q -m 'Work in the sandbox' && echo loose > loose.txt` },
    { bash: `${curl} -X PATCH "$PAPERCLIP_API_URL/api/issues/$PAPERCLIP_TASK_ID" -d '{"status":"done","comment":"Done in the sandbox."}'` },
    { text: 'The ticket is done.' },
  ]],
};

try {
  await fetch(`http://127.0.0.1:${endpointPort}/__scripts/sandboxed`, { method: 'PUT', body: JSON.stringify(script) });
  const company = await api('POST', '/api/companies', { name: 'Claude in a box' });
  const plugin = await api('POST', '/api/plugins/install', { packageName: join(top, 'build/release/plugins/bubblewrap'), isLocalPath: true });
  check('the provider is ready', plugin.status === 'ready', plugin);
  const environment = await api('POST', `/api/companies/${company.id}/environments`, {
    name: 'The box', driver: 'sandbox',
    config: { provider: 'bubblewrap', egress: 'allow-list', allowedHosts: [model], readOnlyPaths: [join(top, 'build/tools')] },
  });
  const agent = await api('POST', `/api/companies/${company.id}/agents`, {
    name: 'Clara', role: 'engineer', adapterType: 'claude_local', defaultEnvironmentId: environment.id,
    adapterConfig: {
      command: claude,
      env: { ANTHROPIC_BASE_URL: `http://${model}/sandboxed`, ANTHROPIC_API_KEY: 'a-key-for-nobody', IS_SANDBOX: '1', DISABLE_AUTOUPDATER: '1',
             CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1' },
      timeoutSec: 180,
    },
  });
  const workspace = join(process.env.SERVER_HOME, 'instances/default/workspaces', agent.id);
  mkdirSync(workspace, { recursive: true });
  execFileSync('sh', ['-c', 'git init -q -b main && git -c user.name=a -c user.email=a@example.com commit -q --allow-empty -m start'], { cwd: workspace });
  writeFileSync(join(workspace, 'notes.txt'), 'written here, never committed\n');

  const issue = await api('POST', `/api/companies/${company.id}/issues`, { title: 'Work in the box', description: 'Inside.', status: 'todo', assigneeAgentId: agent.id });
  const over = (run) => ['succeeded', 'failed', 'cancelled', 'timed_out'].includes(run.status);
  const found = await until('the run', 240, async () => (await api('GET', `/api/companies/${company.id}/heartbeat-runs?agentId=${agent.id}`)).find(over));
  const run = await api('GET', `/api/heartbeat-runs/${found.id}`);
  const log = (await api('GET', `/api/heartbeat-runs/${found.id}/log?limitBytes=1000000`)).content;
  check('the run succeeded', run.status === 'succeeded', [run.error, log.slice(-1500)]);
  check('the ticket is done', (await api('GET', `/api/issues/${issue.id}`)).status === 'done', log.slice(-1500));
  const comments = await api('GET', `/api/issues/${issue.id}/comments`);
  check('it commented in its own name', comments.some((one) => one.body === 'Done in the sandbox.' && one.authorAgentId === agent.id), comments);
  check('tokens and session are recorded', run.usageJson?.outputTokens > 0 && run.sessionIdAfter?.length > 0, [run.usageJson, run.sessionIdAfter]);
  check('the uncommitted file was there', log.includes('written here, never committed'), log.slice(0, 3000));
  check('another address is refused', log.includes('stranger 403'), log);
  check('and there is no way around', /directly [1-9]/.test(log), log);
  check('nobody reached it', strangers === 0, strangers);
  check('the refusal stands in the log', log.includes(`${stranger} refused`), log);
  const history = execFileSync('git', ['log', '--format=%s'], { cwd: workspace, encoding: 'utf8' });
  check('its commit came back', history.startsWith('Work in the sandbox\n'), history);
  const read = (name) => (existsSync(join(workspace, name)) ? readFileSync(join(workspace, name), 'utf8') : undefined);
  check('and what it did not commit', read('loose.txt') === 'loose\n' && read('notes.txt') === 'written here, never committed\n', [read('loose.txt'), read('notes.txt')]);
  await until('the lease to be given back', 60, async () => (await api('GET', `/api/environments/${environment.id}/leases`)).every((lease) => lease.status !== 'active'));
  check('no lease is left', true);
} catch (problem) {
  check(String(problem.stack ?? problem), false);
} finally {
  endpoint.kill();
  front.close();
  forbidden.close();
}
finish();
