#!/usr/bin/env node
// The real Claude Code command line works a ticket to done inside a bubblewrap sandbox, through the plugin host, whose only
// way out is an allow-list with the model endpoint on it. Its workspace is a git repository with uncommitted changes: what it
// commits and what it leaves uncommitted comes back. A call to any other address fails and stands in the run's log.
//
//   scripts/with-server node tests/e2e/claude-in-a-sandbox.mjs   (BASE and SERVER_HOME are the server's; CLAUDE_BIN another command line)
//
// Prints "N passed, N failed".
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { agentCurl, api, build, check, claudeEnvironment, claudeProgram, contentOf, finish, git, makeRepository, modelEndpoint, outcomeOf, subjectsIn, top, uncommittedIn, until } from './checks.mjs';

const claude = claudeProgram();

// ---- the model, on an address that no client takes for its own machine -----------------------------------------------------

const endpoint = await modelEndpoint();
const listening = (address, serve) => new Promise((done) => {
  const server = createServer(serve).listen(0, address, () => done(server));
});
const front = await listening('127.0.0.2', (client) => {
  const behind = connect(endpoint.port, '127.0.0.1');
  for (const [from, to] of [[client, behind], [behind, client]]) from.on('error', () => to.destroy()).pipe(to);
});
const model = `127.0.0.2:${front.address().port}`;
let strangers = 0;
const forbidden = await listening('127.0.0.3', (client) => { strangers++; client.destroy(); });
const stranger = `127.0.0.3:${forbidden.address().port}`;

try {
  await endpoint.say('sandboxed', [
    { text: 'Looking around.', bash: 'cat notes.txt tracked.txt; git status --short; ls /root /home 2>&1' },
    { bash: `curl -sS -m 20 -o /dev/null -w 'stranger %{http_code}' http://${stranger}/ 2>&1` },
    { bash: `curl -sS -m 20 --noproxy '*' http://${stranger}/ 2>&1; echo "directly $?"` },
    { bash: `echo work > work.txt && git add work.txt && ${git} commit -q -m 'Work in the sandbox' && echo loose > loose.txt && echo more >> tracked.txt` },
    { bash: `${agentCurl} -X PATCH "$PAPERCLIP_API_URL/api/issues/$PAPERCLIP_TASK_ID" -d '{"status":"done","comment":"Done in the sandbox."}'` },
    { text: 'The ticket is done.' },
  ]);
  const company = await api('POST', '/api/companies', { name: 'Claude in a box' });
  const plugin = await api('POST', '/api/plugins/install', { packageName: join(build, 'plugins/bubblewrap'), isLocalPath: true });
  check('the provider is ready', plugin.status === 'ready', plugin);
  const environment = await api('POST', `/api/companies/${company.id}/environments`, {
    name: 'The box', driver: 'sandbox',
    config: { provider: 'bubblewrap', egress: 'allow-list', allowedHosts: [model], readOnlyPaths: [join(top, 'build/tools')] },
  });
  const agent = await api('POST', `/api/companies/${company.id}/agents`, {
    name: 'Clara', role: 'engineer', adapterType: 'claude_local', defaultEnvironmentId: environment.id,
    adapterConfig: {
      command: claude,
      env: claudeEnvironment(`http://${model}/sandboxed`),
      timeoutSec: 180,
    },
  });
  const workspace = makeRepository(join(process.env.SERVER_HOME, 'instances/default/workspaces', agent.id));

  const issue = await api('POST', `/api/companies/${company.id}/issues`, { title: 'Work in the box', description: 'Inside.', status: 'todo', assigneeAgentId: agent.id });
  const { run, log } = await outcomeOf(company, agent, 240);
  check('the run succeeded', run.status === 'succeeded', [run.error, log.slice(-1500)]);
  check('the ticket is done', (await api('GET', `/api/issues/${issue.id}`)).status === 'done', log.slice(-1500));
  const comments = await api('GET', `/api/issues/${issue.id}/comments`);
  check('it commented in its own name', comments.some((one) => one.body === 'Done in the sandbox.' && one.authorAgentId === agent.id), comments);
  check('tokens and session are recorded', run.usageJson?.outputTokens > 0 && run.sessionIdAfter?.length > 0, [run.usageJson, run.sessionIdAfter]);
  check('the uncommitted changes were there', log.includes('written here, never committed') && log.includes('changed here'), log.slice(0, 3000));
  check('and were uncommitted there too', log.includes(' M tracked.txt') && log.includes('?? notes.txt'), log.slice(0, 3000));
  check('another address is refused', log.includes('stranger 403'), log);
  check('and there is no way around', /directly [1-9]/.test(log), log);
  check('nobody reached it', strangers === 0, strangers);
  check('the refusal stands in the log', log.includes(`${stranger} refused`), log);
  check('its commit came back', subjectsIn(workspace)[0] === 'Work in the sandbox', subjectsIn(workspace));
  const read = (name) => contentOf(join(workspace, name));
  check('and what it did not commit', read('loose.txt') === 'loose\n' && read('tracked.txt') === 'first\nchanged here\nmore\n', [read('loose.txt'), read('tracked.txt')]);
  check('what was uncommitted here still is', read('notes.txt') === 'written here, never committed\n', read('notes.txt'));
  const loose = uncommittedIn(workspace);
  check('the repository is as it was left there', JSON.stringify(loose) === JSON.stringify([' M tracked.txt', '?? loose.txt', '?? notes.txt']), loose);
  await until('the lease to be given back', 60, async () => (await api('GET', `/api/environments/${environment.id}/leases`)).every((lease) => lease.status !== 'active'));
  check('no lease is left', true);
} catch (problem) {
  check(String(problem.stack ?? problem), false);
} finally {
  endpoint.stop();
  front.close();
  forbidden.close();
}
finish();
