#!/usr/bin/env node
// Whoever works somewhere sees what is meant for him and nothing else: an agent in every kind of place (this machine, an SSH host, the
// same in place, a bubblewrap sandbox, a provider with one-shot commands) looks at its environment, at everybody's arguments and at its
// files. The server's variables, its keys, the key of the host, the company's other secrets and other runs' tokens are canaries.
//
//   node tests/e2e/canaries.mjs [--program PATH]      (DATABASE_URL, if it is set, is the server's)
//
// Prints "N passed, N failed".
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AnotherMachine } from '../support/another-machine.mjs';
import { OwnServer, until } from '../support/own-server.mjs';

const option = (name, otherwise) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : otherwise);
const top = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
let passed = 0, failed = 0;
const check = (what, good, seen) => { good ? passed++ : failed++; console.log(`${good ? 'ok  ' : 'FAIL'} ${what}${good ? '' : `: ${JSON.stringify(seen)?.slice(0, 1500)}`}`); };

// ---- what nobody may see -----------------------------------------------------------------------------------------------------

const fresh = () => randomBytes(16).toString('hex');  // 32 characters: a key as the server takes one, too
const hostVariables = Object.fromEntries([
  'PAPERCLIP_SECRETS_MASTER_KEY', 'PAPERCLIP_AGENT_JWT_SECRET', 'BETTER_AUTH_SECRET', 'PAPERCLIP_SOMETHING_NEW', 'ANTHROPIC_API_KEY', 'OPENAI_API_KEY',
  'GEMINI_API_KEY', 'E2B_API_KEY', 'AWS_SECRET_ACCESS_KEY', 'GITHUB_TOKEN', 'NPM_TOKEN', 'PGPASSWORD', 'SMTP_PASSWORD', 'UNKNOWN_TO_ALL',
].map((name) => [name, fresh()]));
if (process.env.DATABASE_URL) hostVariables.DATABASE_URL = process.env.DATABASE_URL;

const tools = mkdtempSync(join(tmpdir(), 'paperclip-tools-'));
chmodSync(tools, 0o755);
// Says that it is there, waits until it may look around, and leaves what it saw in its workspace.
const claude = join(tools, 'claude');
writeFileSync(claude, `#!/bin/bash
prompt=$(cat)
echo '{"type":"system","subtype":"init","session_id":"s-1","model":"m"}'
curl -s -o /dev/null -m 60 -X POST -H "Authorization: Bearer $PAPERCLIP_API_KEY" -H "Content-Type: application/json" "$PAPERCLIP_API_URL/api/issues/$PAPERCLIP_TASK_ID/comments" -d '{"body":"here"}'
for ((i = 0; i < 1200; i++)); do [ -e "${tools}/look-$PAPERCLIP_AGENT_ID" ] && break; sleep 0.05; done
seen=$(
  echo "=== environment"; env
  echo "=== prompt"; echo "$prompt"
  echo "=== arguments"; for process in /proc/[0-9]*; do tr '\\0' ' ' < "$process/cmdline"; echo; done 2> /dev/null
  echo "=== environments"; [ -n "$ALONE" ] && cat /proc/[0-9]*/environ 2> /dev/null | tr '\\0' '\\n'
  echo "=== files"; find "$PWD" "$HOME" \${ALONE:+/tmp /run /etc /var} -xdev -type f -size -1000k 2> /dev/null | sort -u | while read -r file; do echo "--- $file"; tr -d '\\0' < "$file"; echo; done 2> /dev/null
)
echo "$seen" > seen.txt
echo '{"type":"result","subtype":"success","session_id":"s-1","result":"all done","is_error":false,"usage":{"input_tokens":3,"output_tokens":5}}'
`, { mode: 0o755 });

const server = await OwnServer.start(option('--program', join(top, 'build/release/bin/paperclip')), hostVariables);
const machine = await AnotherMachine.start();
const { ask } = server;

try {
  const company = await ask('POST', '/api/companies', { name: 'Canaries' });
  const stranger = fresh(), providerKey = fresh(), another = fresh();
  await ask('POST', `/api/companies/${company.id}/secrets`, { name: 'not-for-agents', value: stranger });
  await ask('POST', `/api/companies/${company.id}/agents`, { name: 'Another', role: 'engineer', adapterType: 'claude_local', adapterConfig: { command: claude, env: { ANOTHERS: another } } });
  const keyLines = machine.privateKey.split('\n').filter((line) => line.length > 30 && !line.includes('-----'));
  const nobodys = { ...hostVariables, 'a secret of the company': stranger, 'a secret of another agent': another, 'the key of the provider': providerKey,
                    ...Object.fromEntries(keyLines.slice(1).map((line, at) => [`line ${at + 2} of the host’s key`, line])) };

  const install = (folder) => ask('POST', '/api/plugins/install', { packageName: folder, isLocalPath: true });
  await install(join(server.plugins, 'bubblewrap'));
  let sdkProvider;
  try { sdkProvider = execFileSync(join(top, 'scripts/fetch-plugin-sdk'), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim(); } catch { /* no npm: the native one */ }
  await install(sdkProvider ?? join(server.plugins, 'fake'));

  const local = (await ask('GET', `/api/companies/${company.id}/environments`)).find(({ driver }) => driver === 'local');
  const inPlace = join(machine.directory, 'in-place');
  mkdirSync(inPlace);
  writeFileSync(join(inPlace, 'notes.txt'), 'a file to be seen');
  const places = [
    // Claude Code is logged in on this machine, or has its key in the server's environment: of all variables that one is meant for it.
    { name: 'this machine', existing: local, meantToo: ['ANTHROPIC_API_KEY'] },
    { name: 'an SSH host', driver: 'ssh', config: machine.config() },
    { name: 'an SSH host, in place', driver: 'ssh', config: { ...machine.config(machine.port, inPlace), inPlace: true }, workspace: () => inPlace, single: true },
    { name: 'a bubblewrap sandbox', driver: 'sandbox', config: { provider: 'bubblewrap', readOnlyPaths: [tools] }, alone: true },
    { name: `one-shot commands (${sdkProvider ? 'published SDK' : 'native'})`, driver: 'sandbox', config: { provider: 'fake-plugin', ...(sdkProvider && { apiKey: providerKey }) } },
  ];
  for (const { name, existing, single, alone, workspace, meantToo = [], ...given } of places) {
    const environment = existing ?? (await ask('POST', `/api/companies/${company.id}/environments`, { name, ...given }));
    const agents = [];
    for (const who of single ? ['one'] : ['one', 'two']) {
      const meant = fresh();
      const agent = await ask('POST', `/api/companies/${company.id}/agents`, {
        name: `${who} in ${name}`, role: 'engineer', adapterType: 'claude_local', defaultEnvironmentId: environment.id,
        adapterConfig: { command: claude, env: { MEANT_FOR_IT_TOKEN: meant, ...(alone && { ALONE: '1' }) }, timeoutSec: 120 },
      });
      const issue = await ask('POST', `/api/companies/${company.id}/issues`, { title: `Look around in ${name}`, status: 'todo', assigneeAgentId: agent.id });
      if (!workspace) {
        mkdirSync(server.workspaceOf(agent), { recursive: true });
        writeFileSync(join(server.workspaceOf(agent), 'notes.txt'), 'a file to be seen');
      }
      agents.push({ who, agent, issue, meant });
    }
    const runOf = async ({ agent }) => (await ask('GET', `/api/companies/${company.id}/heartbeat-runs?agentId=${agent.id}`)).at(-1);
    const isOver = (run) => run && !['queued', 'running'].includes(run.status);
    for (const one of agents)
      await until(`${name}: agent ${one.who}`, async () => isOver(await runOf(one)) || (await ask('GET', `/api/issues/${one.issue.id}/comments`)).some(({ body }) => body === 'here'), 90);
    for (const { agent } of agents) writeFileSync(join(tools, `look-${agent.id}`), '');
    for (const one of agents) {
      const run = await until(`${name}: the end of ${one.who}`, async () => { const found = await runOf(one); return isOver(found) && found; }, 120);
      check(`${name}, ${one.who}: the run succeeded`, run.status === 'succeeded', run.error);
      const file = join(workspace?.() ?? server.workspaceOf(one.agent), 'seen.txt');
      one.seen = existsSync(file) ? readFileSync(file, 'utf8') : '';
      one.token = /^PAPERCLIP_API_KEY=(.*)$/m.exec(one.seen)?.[1];
    }
    for (const { who, seen, meant, token } of agents) {
      const part = (title) => new RegExp(`^=== ${title}\n([^]*?)(?=^=== |$(?![^]))`, 'm').exec(seen)?.[1] ?? '';
      // That it looked at all.
      check(`${name}, ${who}: it sees its own`, part('environment').includes(meant) && token?.length > 20 && part('arguments').includes(claude) && part('files').includes('a file to be seen'), seen.slice(0, 600));
      const found = Object.entries(nobodys).filter(([what, value]) => !meantToo.includes(what) && seen.includes(value)).map(([what, value]) => [what, seen.slice(Math.max(0, seen.indexOf(value) - 120), seen.indexOf(value))]);
      check(`${name}, ${who}: nothing of the server and of others is there`, found.length === 0, found);
      const names = Object.keys(hostVariables).filter((variable) => !meantToo.includes(variable) && new RegExp(`^${variable}=`, 'm').test(part('environment')));
      check(`${name}, ${who}: not even the names`, names.length === 0, names);
      const neighbours = agents.filter((one) => one.who !== who).flatMap((one) => [one.token, one.meant]);
      check(`${name}, ${who}: nothing of the neighbour’s run is there`, neighbours.every((value) => value && !seen.includes(value)), neighbours);
      const shown = [meant, token].filter((value) => part('arguments').includes(value));
      check(`${name}, ${who}: its own is in nobody’s arguments`, shown.length === 0, shown.length);
      const kept = [meant, token].filter((value) => part('files').includes(value));
      check(`${name}, ${who}: and in no file`, kept.length === 0, kept.map((value) => part('files').slice(0, part('files').indexOf(value)).split('\n').filter((line) => line.startsWith('--- ')).at(-1)));
    }
    const said = readFileSync(server.log, 'utf8');
    check(`${name}: the server’s log holds none of it`, ![...Object.values(nobodys), ...agents.flatMap(({ meant, token }) => [meant, token])].some((value) => said.includes(value)), 'a secret is in the log');
    await until(`${name}: the leases`, async () => (await ask('GET', `/api/environments/${environment.id}/leases`)).every(({ status }) => status !== 'active'));
    const leases = JSON.stringify(await ask('GET', `/api/environments/${environment.id}/leases`)) + JSON.stringify(await ask('GET', `/api/environments/${environment.id}`));
    check(`${name}: neither do environment and leases`, ![...Object.values(nobodys), ...agents.flatMap(({ meant, token }) => [meant, token])].some((value) => leases.includes(value)), leases.slice(0, 300));
  }
} catch (problem) {
  check(String(problem.stack ?? problem), false);
} finally {
  await server.remove();
  await machine.remove();
  rmSync(tools, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
