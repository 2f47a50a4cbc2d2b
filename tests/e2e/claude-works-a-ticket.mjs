#!/usr/bin/env node
// The real Claude Code command line works a ticket to done: woken by its assignment, it reads its inbox, comments and closes
// the issue through the API with its run's token; usage and session are recorded; a second heartbeat resumes the session.
//
//   scripts/with-server node tests/e2e/claude-works-a-ticket.mjs      (BASE is the server; CLAUDE_BIN another command line)
//
// Prints "N passed, N failed".
import { agentCurl as curl, api, check, claudeEnvironment, claudeProgram, finish, modelEndpoint, until } from './checks.mjs';

const claude = claudeProgram();
const endpoint = await modelEndpoint();
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
  await endpoint.say('worker', ...script.runs);

  // ---- the company -------------------------------------------------------------------------------------------------------
  const company = await api('POST', '/api/companies', { name: 'Claude at work' });
  const agent = await api('POST', `/api/companies/${company.id}/agents`, {
    name: 'Clara', role: 'engineer', adapterType: 'claude_local',
    adapterConfig: {
      command: claude,
      env: claudeEnvironment(`${endpoint.url}/worker`),
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
  const asked = await endpoint.requests();
  const texts = JSON.stringify(asked);
  check('the model saw the earlier conversation', texts.includes('wrote the file') && texts.includes('look once more'), texts.length);
  check('the ticket is done again', (await api('GET', `/api/issues/${issue.id}`)).status === 'done', 'not done');
} catch (problem) {
  check(String(problem.message ?? problem), false);
} finally {
  endpoint.stop();
}
finish();
