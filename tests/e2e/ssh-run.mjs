#!/usr/bin/env node
// An agent works on another machine: a real sshd on loopback with a throw-away key, an environment that names it, and a
// command line that speaks like Claude Code, calls the API from over there, loses its connection in the middle and ends.
//
//   scripts/with-server node tests/e2e/ssh-run.mjs      (BASE is the server)
//
// Prints "N passed, N failed".
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AnotherMachine, commandLines } from '../support/another-machine.mjs';
import { api, base, check, finish, until } from './checks.mjs';

const machine = await AnotherMachine.start();
const { directory: there, home } = machine;

// Speaks like Claude Code; waits in the middle until the test lets it go on.
const tool = join(there, 'claude');
writeFileSync(tool, `#!/bin/sh
cat > "${there}/prompt"
echo '{"type":"system","subtype":"init","session_id":"session-1","model":"m"}'
env > "${there}/environment"
pwd > "${there}/cwd"
echo "made over there" > made-remotely.txt
curl -sS -X POST -H "Authorization: Bearer $PAPERCLIP_API_KEY" -H "Content-Type: application/json" \\
  "$PAPERCLIP_API_URL/api/issues/$PAPERCLIP_TASK_ID/comments" -d '{"body":"Hello from the other machine."}' > "${there}/answer" 2>&1
echo '{"type":"assistant","session_id":"session-1","message":{"content":[{"type":"text","text":"half way"}]}}'
touch "${there}/half"
while [ ! -e "${there}/go-on" ]; do sleep 0.05; done
echo '{"type":"result","subtype":"success","session_id":"session-1","result":"all done","is_error":false,"usage":{"input_tokens":3,"output_tokens":5},"total_cost_usd":0.01}'
`, { mode: 0o755 });

try {
  const company = await api('POST', '/api/companies', { name: 'Elsewhere' });
  const environment = await api('POST', `/api/companies/${company.id}/environments`, {
    name: 'The other machine', driver: 'ssh', config: machine.config(),
  });
  check('the key became a secret', !JSON.stringify(environment).includes('PRIVATE KEY'), environment);
  const probe = await api('POST', `/api/environments/${environment.id}/probe`, {});
  check('the environment can be reached', probe.ok === true, probe);

  const agent = await api('POST', `/api/companies/${company.id}/agents`, {
    name: 'Remota', role: 'engineer', adapterType: 'claude_local', defaultEnvironmentId: environment.id,
    adapterConfig: { command: tool, env: { A_CANARY: 'canary-5e1f' }, timeoutSec: 120 },
  });
  const issue = await api('POST', `/api/companies/${company.id}/issues`, { title: 'Work elsewhere', description: 'Over there.', status: 'todo', assigneeAgentId: agent.id });
  const runs = () => api('GET', `/api/companies/${company.id}/heartbeat-runs?agentId=${agent.id}`);
  const over = (run) => ['succeeded', 'failed', 'cancelled', 'timed_out'].includes(run.status);
  const first = await until('half of the run', 120, async () => {
    const [run] = await runs();
    return run && (existsSync(join(there, 'half')) || over(run)) ? run : null;
  });
  check('the agent runs over there', existsSync(join(there, 'half')), await api('GET', `/api/heartbeat-runs/${first.id}`));
  const lines = commandLines();
  check('no secret is in an argv', !lines.some(({ line }) => line.includes('canary-5e1f') || line.includes('PRIVATE KEY')), lines.filter(({ line }) => line.includes('canary')));
  const leases = await api('GET', `/api/environments/${environment.id}/leases`);
  check('the lease is active and says where', leases[0]?.status === 'active' && leases[0]?.metadata?.remoteCwd?.startsWith(join(there, 'workspaces')), leases);
  check('and holds no key', !JSON.stringify(leases).includes('PRIVATE KEY'), leases);

  // The connection breaks; the agent does not notice.
  for (const pid of machine.clients()) process.kill(pid, 'SIGKILL');
  writeFileSync(join(there, 'go-on'), '');
  await until('the end of the run', 120, async () => (await runs()).find(over));
  const run = await api('GET', `/api/heartbeat-runs/${first.id}`);
  check('the run succeeded although its connection was cut', run.status === 'succeeded', run);
  check('tokens are recorded', run.usageJson?.inputTokens === 3 && run.usageJson?.outputTokens === 5, run.usageJson);
  const log = await api('GET', `/api/heartbeat-runs/${first.id}/log?limitBytes=1000000`);
  check('every line is in the log once', log.content.split('half way').length === 2 && log.content.split('all done').length === 2, log.content.slice(-800));

  const seen = readFileSync(join(there, 'environment'), 'utf8');
  check('the agent has its variables', seen.includes('A_CANARY=canary-5e1f'), seen);
  check('its HOME is over there', seen.includes(`HOME=${home}`), seen);
  check('and nothing of the server', !/^(DATABASE_URL|PAPERCLIP_HOME|PAPERCLIP_INSTANCE|BASE)=/m.test(seen), seen);
  check('it works in its workspace', readFileSync(join(there, 'cwd'), 'utf8').startsWith(join(there, 'workspaces')), readFileSync(join(there, 'cwd'), 'utf8'));
  check('its API is the runner', /PAPERCLIP_API_URL=http:\/\/127\.0\.0\.1:\d+/.test(seen) && !seen.includes(`PAPERCLIP_API_URL=${base}`), seen.match(/PAPERCLIP_API.*/g));
  const comments = await api('GET', `/api/issues/${issue.id}/comments`);
  check('its comment arrived in its own name', comments.some((one) => one.body.startsWith('Hello from') && one.authorAgentId === agent.id && one.createdByRunId === first.id),
    [comments, readFileSync(join(there, 'answer'), 'utf8')]);
  check('the prompt was brought', readFileSync(join(there, 'prompt'), 'utf8').includes('Work elsewhere'), 'prompt');

  const local = run.contextSnapshot?.paperclipWorkspace?.cwd;
  check('what it made came back', existsSync(join(local ?? '', 'made-remotely.txt')), [local, log.content.slice(-600)]);
  await until('the lease to be released', 60, async () => (await api('GET', `/api/environments/${environment.id}/leases`)).every((lease) => lease.status !== 'active'));
  await until('the connection to end', 30, async () => machine.clients().length === 0);
  check('the run left no directory', readdirSync(join(home, '.paperclip/runs')).length === 0, readdirSync(join(home, '.paperclip/runs')));
  const session = run.sessionParamsAfter ?? (await api('GET', `/api/agents/${agent.id}/task-sessions`).catch(() => []));
  check('the session says where it lives', JSON.stringify(session).includes('"transport":"ssh"'), session);
} catch (problem) {
  check(String(problem.message ?? problem), false);
} finally {
  writeFileSync(join(there, 'go-on'), '');
  await machine.remove();
}
finish();
