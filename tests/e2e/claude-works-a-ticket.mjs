#!/usr/bin/env node
// The real Claude Code command line works a ticket to done: woken by its assignment, it reads its inbox, comments and closes
// the issue through the API with its run's token; usage and session are recorded; a second heartbeat resumes the session.
//
//   scripts/with-server node tests/e2e/claude-works-a-ticket.mjs      (BASE is the server; CLAUDE_BIN another command line)
//
// Prints "N passed, N failed".
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { api, check, finish, until } from './checks.mjs';

const top = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const claude = process.env.CLAUDE_BIN ?? join(top, 'build/tools/node_modules/.bin/claude');
if (!existsSync(claude)) throw new Error(`${claude} is not there: run scripts/fetch-claude first`);

// ---- the model ---------------------------------------------------------------------------------------------------------

const endpoint = spawn(process.execPath, [join(top, 'tests/support/model-endpoint.mjs')], { stdio: ['pipe', 'pipe', 'inherit'] });
const { port } = await new Promise((done) => endpoint.stdout.once('data', (line) => done(JSON.parse(String(line).split('\n')[0]))));

const curl = 'curl -sS -H "Authorization: Bearer $PAPERCLIP_API_KEY" -H "X-Paperclip-Run-Id: $PAPERCLIP_RUN_ID" -H "Content-Type: application/json"';
const script = {
  runs: [
    [
      { text: 'Looking at my assignments.', bash: `${curl} "$PAPERCLIP_API_URL/api/agents/me/inbox-lite"` },
      { bash: `${curl} "$PAPERCLIP_API_URL/api/issues/$PAPERCLIP_TASK_ID/heartbeat-context"` },
      { bash: `${curl} -X POST "$PAPERCLIP_API_URL/api/issues/$PAPERCLIP_TASK_ID/comments" -d '{"body":"I read the ticket and wrote the file."}'` },
      { bash: `${curl} -X PATCH "$PAPERCLIP_API_URL/api/issues/$PAPERCLIP_TASK_ID" -d '{"status":"done"}'` },
      { text: 'The ticket is done.' },
    ],
    [
      { bash: `${curl} -X PATCH "$PAPERCLIP_API_URL/api/issues/$PAPERCLIP_TASK_ID" -d '{"status":"done","comment":"Looked again: still done."}'` },
      { text: 'Still done.' },
    ],
  ],
};

try {
  await fetch(`http://127.0.0.1:${port}/__scripts/worker`, { method: 'PUT', body: JSON.stringify(script) });

  // ---- the company -------------------------------------------------------------------------------------------------------
  const company = await api('POST', '/api/companies', { name: 'Claude at work' });
  const agent = await api('POST', `/api/companies/${company.id}/agents`, {
    name: 'Clara', role: 'engineer', adapterType: 'claude_local',
    adapterConfig: {
      command: claude,
      env: { ANTHROPIC_BASE_URL: `http://127.0.0.1:${port}/worker`, ANTHROPIC_API_KEY: 'a-key-for-nobody', IS_SANDBOX: '1', DISABLE_AUTOUPDATER: '1',
             CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1' },
      timeoutSec: 120,
    },
  });
  const issue = await api('POST', `/api/companies/${company.id}/issues`, { title: 'Write the file', description: 'Any file will do.', status: 'todo', assigneeAgentId: agent.id });

  const runs = () => api('GET', `/api/companies/${company.id}/heartbeat-runs?agentId=${agent.id}`);
  const over = (run) => ['succeeded', 'failed', 'cancelled', 'timed_out'].includes(run.status);

  // ---- the first heartbeat ------------------------------------------------------------------------------------------------
  const first = await until('the first run', 150, async () => (await runs()).find(over));
  const firstRun = await api('GET', `/api/heartbeat-runs/${first.id}`);
  check('the run succeeded', firstRun.status === 'succeeded', firstRun);
  const after = await api('GET', `/api/issues/${issue.id}`);
  check('the ticket is done', after.status === 'done', after);
  const comments = await api('GET', `/api/issues/${issue.id}/comments`);
  const comment = comments.find((one) => one.body.includes('wrote the file'));
  check('the agent commented in its own name', comment?.authorAgentId === agent.id, comments);
  check('and the comment names its run', comment?.createdByRunId === first.id, comments);
  check('tokens are recorded', firstRun.usageJson?.inputTokens > 0 && firstRun.usageJson?.outputTokens > 0, firstRun.usageJson);
  check('the session is recorded', typeof firstRun.sessionIdAfter === 'string' && firstRun.sessionIdAfter.length > 0, firstRun.sessionIdAfter);
  const log = await api('GET', `/api/heartbeat-runs/${first.id}/log?limitBytes=1000000`);
  check('the log holds the stream', log.content.includes('"type\\":\\"result\\"') || log.content.includes('"result"'), log.content.slice(-300));
  check('and not the run token', !/eyJhbGciOiJIUzI1NiIs/.test(log.content), 'a token stands in the log');
  const costs = await api('GET', `/api/companies/${company.id}/costs/by-agent`);
  check('its cost is counted', costs.some((row) => row.agentId === agent.id && row.outputTokens > 0), costs);

  // ---- the second heartbeat -------------------------------------------------------------------------------------------------
  await until('the agent to be idle', 30, async () => (await api('GET', `/api/agents/${agent.id}`)).status === 'idle');
  await api('POST', `/api/issues/${issue.id}/comments`, { body: 'Please look once more.' });
  const second = await until('the second run', 150, async () => (await runs()).find((run) => run.id !== first.id && over(run) && run.contextSnapshot?.wakeCommentId));
  const secondRun = await api('GET', `/api/heartbeat-runs/${second.id}`);
  check('the second run succeeded', secondRun.status === 'succeeded', secondRun);
  check('it resumed the session', secondRun.sessionIdBefore === firstRun.sessionIdAfter, [secondRun.sessionIdBefore, firstRun.sessionIdAfter]);
  const asked = await (await fetch(`http://127.0.0.1:${port}/__requests`)).json();
  const texts = JSON.stringify(asked);
  check('the model saw the earlier conversation', texts.includes('wrote the file') && texts.includes('look once more'), texts.length);
  check('the ticket is done again', (await api('GET', `/api/issues/${issue.id}`)).status === 'done', 'not done');
} catch (problem) {
  check(String(problem.message ?? problem), false);
} finally {
  endpoint.kill();
}
finish();
