#!/usr/bin/env node
// A stand-in for a model provider: answers the Messages API on loopback from a script, so that a test can run the real
// Claude Code command line without a network and decide what "the model" says and which tools it calls.
//
//   node model-endpoint.mjs [--port N] [--script file.json] [--record file.ndjson]
//
// Prints one line `{"port":N,"pid":N}` once it listens (port 0 by default) and runs until it is killed or its stdin ends
// (give `--stay` to ignore stdin). Point the tool at it with ANTHROPIC_BASE_URL=http://127.0.0.1:N or, to give each agent a
// script of its own, http://127.0.0.1:N/<name>.
//
// A script is `{ "<name>": { "runs": [ [turn, ...], ... ] } }`; the name for the bare address is "default". Each prompt of a
// user starts the next run (the last one repeats); each answer within it is the next turn (past the end: the text "Done.").
// A turn is any of
//   { "text": "…" }                                    the model says something
//   { "bash": "command" }                              it calls the Bash tool; the command sees the agent's environment
//   { "tool": { "name": "Read", "input": {…} } }       it calls any other tool
//   { "text": "…", "bash": "…" }                       both
//   { "status": 429, "error": {…}, "headers": {…} }    the provider refuses
//   { "hang": true }                                   it never answers
// with an optional `usage` {input_tokens, output_tokens, cache_read_input_tokens}. Requests that offer no tools (titles,
// probes) are answered "ok" and take no turn. `bash` and `text` may use {{last}}: the text of the last tool result.
//
//   PUT /__scripts/<name>   sets one script and forgets its runs      GET /__requests  what was asked so far

import http from 'node:http';
import fs from 'node:fs';
import { createHash, randomUUID } from 'node:crypto';

const argument = (name) => {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
};
const scripts = argument('--script') ? JSON.parse(fs.readFileSync(argument('--script'), 'utf8')) : {};
const record = argument('--record');
const conversations = new Map(); // name -> Map(fingerprint of the prompt -> number of the run)
const requests = [];

const body = (request) =>
  new Promise((resolve) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => resolve(Buffer.concat(parts).toString('utf8')));
  });

const blocks = (message) => (typeof message.content === 'string' ? [{ type: 'text', text: message.content }] : message.content);
const isPrompt = (message) => message.role === 'user' && !blocks(message).some((block) => block.type === 'tool_result');
const textOf = (content) => (typeof content === 'string' ? content : (content ?? []).map((part) => part.text ?? '').join(''));

/// Which turn of which run the request asks for; told from the conversation alone, so that a retry gets the same answer.
function nextTurn(name, call) {
  const prompt = call.messages.findLastIndex(isPrompt);
  const turn = call.messages.slice(prompt + 1).filter((message) => message.role === 'assistant').length;
  const known = conversations.get(name) ?? conversations.set(name, new Map()).get(name);
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([call.metadata?.user_id ?? '', call.messages.slice(0, prompt + 1).map((message) => blocks(message).map((block) => block.text ?? ''))]))
    .digest('hex');
  if (!known.has(fingerprint)) known.set(fingerprint, known.size);
  const runs = scripts[name]?.runs ?? [];
  const run = runs[Math.min(known.get(fingerprint), runs.length - 1)] ?? [];
  return run[turn] ?? { text: 'Done.' };
}

function lastToolResult(call) {
  const results = call.messages.flatMap(blocks).filter((block) => block.type === 'tool_result');
  return results.length ? textOf(results.at(-1).content) : '';
}

function contentOf(turn, call) {
  const fill = (text) => text.replaceAll('{{last}}', () => lastToolResult(call));
  const content = [];
  if (turn.text !== undefined) content.push({ type: 'text', text: fill(turn.text) });
  const tool = turn.bash !== undefined ? { name: 'Bash', input: { command: fill(turn.bash), description: 'scripted' } } : turn.tool;
  if (tool) content.push({ type: 'tool_use', id: `toolu_${randomUUID().replaceAll('-', '')}`, name: tool.name, input: tool.input });
  return content;
}

function answer(response, call, turn) {
  const content = contentOf(turn, call);
  const stop = content.some((block) => block.type === 'tool_use') ? 'tool_use' : 'end_turn';
  const usage = { input_tokens: 11, output_tokens: 7, cache_read_input_tokens: 3, cache_creation_input_tokens: 0, ...turn.usage };
  const message = { id: `msg_${randomUUID().replaceAll('-', '')}`, type: 'message', role: 'assistant', model: call.model, content: [], stop_reason: null, stop_sequence: null, usage };
  if (!call.stream) {
    response.writeHead(200, { 'content-type': 'application/json' });
    return response.end(JSON.stringify({ ...message, content, stop_reason: stop }));
  }
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  const send = (type, data) => response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
  send('message_start', { message: { ...message, usage: { ...usage, output_tokens: 1 } } });
  content.forEach((block, index) => {
    const empty = block.type === 'text' ? { type: 'text', text: '' } : { ...block, input: {} };
    send('content_block_start', { index, content_block: empty });
    const delta = block.type === 'text' ? { type: 'text_delta', text: block.text } : { type: 'input_json_delta', partial_json: JSON.stringify(block.input) };
    send('content_block_delta', { index, delta });
    send('content_block_stop', { index });
  });
  send('message_delta', { delta: { stop_reason: stop, stop_sequence: null }, usage: { output_tokens: usage.output_tokens } });
  send('message_stop', {});
  response.end();
}

async function serve(request, response) {
  const url = new URL(request.url, 'http://loopback');
  const text = await body(request);
  const json = (status, value, headers = {}) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(value));
  };
  if (url.pathname === '/__requests') return json(200, requests);
  if (url.pathname.startsWith('/__scripts/') && request.method === 'PUT') {
    const name = url.pathname.slice('/__scripts/'.length);
    scripts[name] = JSON.parse(text);
    conversations.delete(name);
    return json(200, {});
  }
  const path = /^(?:\/([^/]+))?(\/v1\/messages|\/v1\/messages\/count_tokens|\/?)$/.exec(url.pathname);
  if (!path) return json(404, { type: 'error', error: { type: 'not_found_error', message: url.pathname } });
  if (path[2].endsWith('count_tokens')) return json(200, { input_tokens: 11 });
  if (path[2] !== '/v1/messages' || request.method !== 'POST') return json(200, {});

  const name = path[1] ?? 'default';
  const call = JSON.parse(text);
  const scripted = (call.tools ?? []).length > 0;
  const entry = { name, scripted, model: call.model, authorization: request.headers.authorization ?? null, apiKey: request.headers['x-api-key'] ?? null, system: textOf(call.system), messages: call.messages };
  requests.push(entry);
  if (record) fs.appendFileSync(record, JSON.stringify(entry) + '\n');
  const turn = scripted ? nextTurn(name, call) : { text: 'ok' };
  if (turn.hang) return;
  if (turn.status) return json(turn.status, { type: 'error', error: { type: 'api_error', message: 'scripted', ...turn.error } }, turn.headers);
  answer(response, call, turn);
}

const server = http.createServer((request, response) => {
  serve(request, response).catch((error) => {
    response.writeHead(500);
    response.end(String(error));
  });
});
server.listen(Number(argument('--port') ?? 0), '127.0.0.1', () => {
  console.log(JSON.stringify({ port: server.address().port, pid: process.pid }));
});
if (!process.argv.includes('--stay')) process.stdin.on('end', () => process.exit(0)).resume();
