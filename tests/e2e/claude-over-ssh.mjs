#!/usr/bin/env node
// The real Claude Code command line works a ticket to done on another machine: over a real sshd on loopback with a throw-away
// key, through the bridge. Its workspace is a git repository with uncommitted changes; what it commits and what it leaves
// uncommitted comes back, and what was uncommitted here stays so.
//
//   scripts/with-server node tests/e2e/claude-over-ssh.mjs   (BASE and SERVER_HOME are the server's; CLAUDE_BIN another command line)
//
// Prints "N passed, N failed".
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { AnotherMachine } from '../support/another-machine.mjs';
import { agentCurl, api, base, check, claudeEnvironment, claudeProgram, contentOf, finish, git, makeRepository, modelEndpoint, outcomeOf, subjectsIn, uncommittedIn, until } from './checks.mjs';

const claude = claudeProgram();
const endpoint = await modelEndpoint();
const machine = await AnotherMachine.start();

try {
  await endpoint.say('elsewhere', [
    { text: 'Looking around.', bash: 'cat notes.txt tracked.txt; git status --short; git log --format=%s; pwd' },
    { bash: 'echo "home $HOME api $PAPERCLIP_API_URL"; ls -a "$HOME"' },
    { bash: `echo work > work.txt && git add work.txt && ${git} commit -q -m 'Work on the other machine' && echo loose > loose.txt && echo more >> tracked.txt` },
    { bash: `${agentCurl} -X POST "$PAPERCLIP_API_URL/api/issues/$PAPERCLIP_TASK_ID/comments" -d '{"body":"The file is written."}'` },
    { bash: `${agentCurl} -X PATCH "$PAPERCLIP_API_URL/api/issues/$PAPERCLIP_TASK_ID" -d '{"status":"done","comment":"Done on the other machine."}'` },
    { text: 'The ticket is done.' },
  ]);
  const company = await api('POST', '/api/companies', { name: 'Claude elsewhere' });
  const environment = await api('POST', `/api/companies/${company.id}/environments`, { name: 'The other machine', driver: 'ssh', config: machine.config() });
  const agent = await api('POST', `/api/companies/${company.id}/agents`, {
    name: 'Clara', role: 'engineer', adapterType: 'claude_local', defaultEnvironmentId: environment.id,
    adapterConfig: { command: claude, env: claudeEnvironment(`${endpoint.url}/elsewhere`), timeoutSec: 180 },
  });
  const workspace = makeRepository(join(process.env.SERVER_HOME, 'instances/default/workspaces', agent.id));

  const issue = await api('POST', `/api/companies/${company.id}/issues`, { title: 'Work elsewhere', description: 'Over there.', status: 'todo', assigneeAgentId: agent.id });
  const { run, log } = await outcomeOf(company, agent, 240);
  check('the run succeeded', run.status === 'succeeded', [run.error, log.slice(-1500)]);
  check('the ticket is done', (await api('GET', `/api/issues/${issue.id}`)).status === 'done', log.slice(-1500));
  const comments = await api('GET', `/api/issues/${issue.id}/comments`);
  const own = comments.filter((one) => one.authorAgentId === agent.id && one.createdByRunId === run.id).map((one) => one.body);
  check('it commented in its own name, each once', own.length === 2 && own.includes('The file is written.') && own.includes('Done on the other machine.'), comments);
  check('tokens and session are recorded', run.usageJson?.outputTokens > 0 && run.sessionIdAfter?.length > 0, [run.usageJson, run.sessionIdAfter]);
  check('the uncommitted changes were there', log.includes('written here, never committed') && log.includes('changed here'), log.slice(0, 3000));
  check('and were uncommitted there too', log.includes(' M tracked.txt') && log.includes('?? notes.txt'), log.slice(0, 3000));
  check('it worked in its workspace over there', log.includes(machine.workspaces), log.slice(0, 3000));
  check('its HOME is the other machine’s', log.includes(`home ${machine.home} `), log.slice(0, 4000));
  check('its API is its runner’s', /api http:\/\/127\.0\.0\.1:\d+/.test(log) && !log.includes(`api ${base}`), log.slice(0, 4000));

  check('its commit came back', subjectsIn(workspace)[0] === 'Work on the other machine', subjectsIn(workspace));
  const read = (name) => contentOf(join(workspace, name));
  check('and the file in it', read('work.txt') === 'work\n', read('work.txt'));
  check('and what it did not commit', read('loose.txt') === 'loose\n' && read('tracked.txt') === 'first\nchanged here\nmore\n', [read('loose.txt'), read('tracked.txt')]);
  check('what was uncommitted here still is', read('notes.txt') === 'written here, never committed\n', read('notes.txt'));
  const dirty = uncommittedIn(workspace);
  check('the repository is as it was left there', JSON.stringify(dirty) === JSON.stringify([' M tracked.txt', '?? loose.txt', '?? notes.txt']), dirty);

  await until('the lease to be given back', 60, async () => (await api('GET', `/api/environments/${environment.id}/leases`)).every((lease) => lease.status !== 'active'));
  await until('the connection to end', 30, async () => machine.clients().length === 0);
  check('the run left no directory there', readdirSync(join(machine.home, '.paperclip/runs')).length === 0, readdirSync(join(machine.home, '.paperclip/runs')));
} catch (problem) {
  check(String(problem.stack ?? problem), false);
} finally {
  endpoint.stop();
  await machine.remove();
}
finish();
