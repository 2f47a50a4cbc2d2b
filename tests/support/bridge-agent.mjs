// An agent for tests of the callback bridge: works its ticket through whatever PAPERCLIP_API_URL is, once with fetch and once
// with curl, tries what it may not, and prints one line of JSON with what it saw. Its SERVER_BASE names the real server.
import { execFileSync } from 'node:child_process';

const { PAPERCLIP_API_URL: url, PAPERCLIP_API_KEY: key, PAPERCLIP_TASK_ID: task, PAPERCLIP_AGENT_ID: agent, SERVER_BASE: server } = process.env;
const seen = { url, keyLength: key.length, mode: process.env.PAPERCLIP_API_BRIDGE_MODE, names: Object.keys(process.env).filter((name) => name.startsWith('PAPERCLIP_')) };

async function call(method, path, body, headers = {}) {
  const response = await fetch(url + path, {
    method, body: body === undefined ? undefined : JSON.stringify(body),
    headers: { authorization: `Bearer ${key}`, 'x-paperclip-run-id': 'forged', cookie: 'a=b', ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
  });
  const text = await response.text();
  return { status: response.status, type: response.headers.get('content-type'), body: text && method !== 'HEAD' ? JSON.parse(text) : null };
}

seen.me = await call('GET', '/api/agents/me');
seen.inbox = await call('GET', '/api/agents/me/inbox-lite');
if (task) {
  seen.context = (await call('GET', `/api/issues/${task}/heartbeat-context`)).status;
  seen.checkout = await call('POST', `/api/issues/${task}/checkout`, { agentId: agent, expectedStatuses: ['todo', 'in_progress'] });
  const said = execFileSync('curl', ['-sS', '-w', '\n%{http_code}', '-H', `Authorization: Bearer ${key}`, '-H', 'Content-Type: application/json',
    '-d', JSON.stringify({ body: 'Through the bridge with curl: \u00e4 \u{1f41d}' }), `${url}/api/issues/${task}/comments`]).toString().split('\n');
  seen.comment = { status: Number(said.at(-1)), body: JSON.parse(said[0]) };
  seen.patch = await call('PATCH', `/api/issues/${task}`, { status: 'done', comment: 'Done through the bridge.' });
  seen.missing = await call('GET', '/api/issues/00000000-0000-4000-8000-000000000000/comments');
}
seen.many = (await Promise.all(Array.from({ length: 40 }, () => call('GET', '/api/agents/me')))).map((answer) => answer.status);
seen.companies = await call('GET', '/api/companies');
seen.secrets = await call('DELETE', '/api/secrets', {});
seen.head = (await call('HEAD', '/api/agents/me')).status;
seen.wrong = await call('GET', '/api/agents/me', undefined, { authorization: 'Bearer wrong' });
seen.plain = await call('POST', `/api/issues/${task ?? 'x'}/comments`, 'x', { 'content-type': 'text/plain' });
seen.direct = (await fetch(`${server}/api/agents/me`, { headers: { authorization: `Bearer ${key}` } })).status;
console.log(`my key is ${key}`);
console.log(`SEEN ${JSON.stringify(seen)}`);
