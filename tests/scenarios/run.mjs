#!/usr/bin/env node
// Holds the conversations in *.http files with a server and compares its answers with the written ones.
//
//   node run.mjs [--verbose] [FILE|FOLDER ...]        BASE is the server's address; default http://127.0.0.1:3100
//
// The format is described in README.md. Needs Node 18 and nothing else. Fails if any step fails.
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { randomBytes } from 'node:crypto';

const directives = new Set(['as', 'header', 'save', 'poll', 'expect-header']);

/** Splits a conversation into its steps: { name, line, method, path, directives, body, status, type, expected }. */
export function readConversation(text) {
  const steps = [];
  let step, part;
  text.split('\n').forEach((line, index) => {
    const fail = (message) => { throw new Error(`line ${index + 1}: ${message}`); };
    if (line.startsWith('### ')) {
      step = { name: line.slice(4).trim(), line: index + 1, directives: [], body: [], expected: [] };
      steps.push(step);
      part = 'request';
    } else if (!step || (part === 'request' && line.startsWith('#'))) {
      if (line.trim() && !line.startsWith('#')) fail('text before the first step');
    } else if (part === 'request') {
      [step.method, step.path] = line.trim().split(' ');
      if (!/^[A-Z]+$/.test(step.method) || !step.path?.startsWith('/')) fail(`not a request line: ${line}`);
      part = 'directives';
    } else if (part === 'directives') {
      const colon = line.indexOf(':');
      if (line.trim() === '') part = 'body';
      else if (colon < 0 || !directives.has(line.slice(0, colon))) fail(`not a directive: ${line}`);
      else step.directives.push([line.slice(0, colon), line.slice(colon + 1).trim()]);
    } else if (line.startsWith('=> ')) {
      [step.status, step.type] = line.slice(3).trim().split(' ');
      if (!/^\d{3}(\|\d{3})*$/.test(step.status)) fail(`not a status: ${line}`);
      part = 'expected';
    } else {
      step[part].push(line);
    }
  });
  for (const one of steps) {
    if (!one.status) throw new Error(`line ${one.line}: step "${one.name}" expects nothing`);
    one.body = one.body.join('\n').trim();
    one.expected = one.expected.join('\n').trim();
    if (one.expected) one.expected = JSON.parse(one.expected);
  }
  return steps;
}

/** Puts saved values in place of {{name}}. */
function filled(text, values) {
  return text.replace(/\{\{([^}]+)\}\}/g, (_, name) => {
    const value = name.startsWith('env.') ? process.env[name.slice(4)] : values.get(name);
    if (value === undefined) throw new Error(`nothing was saved as ${name}`);
    return value;
  });
}

/** The value at a dotted path: `a.0.b`, `list[name=x].id`. */
function valueAt(value, path) {
  for (const [, pick, wanted, key] of path.matchAll(/\[([^=\]]+)=([^\]]*)\]|([^.[\]]+)/g)) {
    if (value === null || value === undefined) return undefined;
    value = pick ? (Array.isArray(value) ? value.find((item) => String(item?.[pick]) === wanted) : undefined) : value[key];
  }
  return value;
}

const uuid = '[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}';
const time = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)?(?:Z|[+-]\\d\\d:?\\d\\d)';
const isText = (value) => typeof value === 'string';
const kinds = {
  '<any>': () => true,
  '<bool>': (value) => typeof value === 'boolean',
  '<int>': Number.isInteger,
  '<number>': (value) => typeof value === 'number',
  '<string>': isText,
  '<text>': (value) => isText(value) && value !== '',
  '<time>': (value) => isText(value) && new RegExp(`^${time}$`).test(value),
  '<uuid>': (value) => isText(value) && new RegExp(`^${uuid}$`).test(value),
};

/** A text pattern may hold kinds within other text. */
function textPattern(text) {
  const within = { uuid, time, text: '[^]+', string: '[^]*', any: '[^]*' };
  return new RegExp(`^${text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&').replace(/<(uuid|time|text|string|any)>/g, (_, kind) => within[kind])}$`);
}

/** One line for each place where the answer is not as expected. Keys beyond the expected ones are allowed. */
function* differences(expected, actual, values, place = 'body') {
  const shown = JSON.stringify(actual)?.slice(0, 200) ?? 'nothing';
  if (isText(expected) && kinds[expected]) {
    if (!kinds[expected](actual)) yield `${place}: expected ${expected}, got ${shown}`;
  } else if (isText(expected)) {
    const wanted = filled(expected, values);
    if (!isText(actual) || !textPattern(wanted).test(actual)) yield `${place}: expected ${JSON.stringify(wanted)}, got ${shown}`;
  } else if (Array.isArray(expected)) {
    const open = expected.at(-1) === '<more>';
    const wanted = open ? expected.slice(0, -1) : expected;
    if (!Array.isArray(actual)) return yield `${place}: expected a list, got ${shown}`;
    if (open ? actual.length < wanted.length : actual.length !== wanted.length) yield `${place}: expected ${wanted.length} elements, got ${actual.length}`;
    for (let i = 0; i < Math.min(wanted.length, actual.length); i++) yield* differences(wanted[i], actual[i], values, `${place}[${i}]`);
  } else if (expected !== null && typeof expected === 'object') {
    if (actual === null || typeof actual !== 'object' || Array.isArray(actual)) return yield `${place}: expected an object, got ${shown}`;
    for (const [key, wanted] of Object.entries(expected)) {
      if (Object.hasOwn(actual, key)) {
        if (wanted === '<missing>') yield `${place}.${key}: expected no such key, got ${JSON.stringify(actual[key])}`;
        else yield* differences(wanted === '<absent>' ? '<any>' : wanted, actual[key], values, `${place}.${key}`);
      } else if (wanted !== '<absent>' && wanted !== '<missing>') {
        yield `${place}.${key}: missing`;
      }
    }
  } else if (expected !== actual) {
    yield `${place}: expected ${JSON.stringify(expected)}, got ${shown}`;
  }
}

async function ask(base, step, values) {
  const headers = new Headers();
  for (const [name, raw] of step.directives) {
    const value = filled(raw, values);
    if (name === 'as' && value !== 'board') headers.set('authorization', `Bearer ${value}`);
    if (name === 'header') headers.set(value.slice(0, value.indexOf(':')), value.slice(value.indexOf(':') + 1).trim());
  }
  const body = step.body ? filled(step.body, values) : undefined;
  if (body !== undefined && !headers.has('content-type')) headers.set('content-type', 'application/json');
  const response = await fetch(base + filled(step.path, values), {
    method: step.method, headers, body, redirect: 'manual', signal: AbortSignal.timeout(60_000),
  });
  const text = await response.text();
  let content;
  try { content = JSON.parse(text); } catch { content = undefined; }
  return { status: response.status, headers: response.headers, text, content };
}

/** Asks once, or, with `poll: path = a|b within 10s`, until the path has one of the values or time is up. */
async function askUntil(base, step, values) {
  const poll = step.directives.find(([name]) => name === 'poll');
  if (!poll) return ask(base, step, values);
  const parts = /^(\S+) = (\S+) within (\d+)s$/.exec(filled(poll[1], values));
  if (!parts) throw new Error(`not a poll: ${poll[1]}`);
  const wanted = parts[2].split('|'), deadline = performance.now() + Number(parts[3]) * 1000;
  for (let pause = 10; ; pause = Math.min(pause * 2, 100)) {
    const answer = await ask(base, step, values);
    if (wanted.includes(String(valueAt(answer.content, parts[1]))) || performance.now() > deadline) return answer;
    await new Promise((resume) => setTimeout(resume, pause));
  }
}

function problems(step, answer, values) {
  const found = [];
  for (const [name, raw] of step.directives) {
    const value = filled(raw, values);
    if (name === 'save') {
      for (const one of value.split(',')) {
        const equals = one.indexOf('='), key = one.slice(0, equals).trim(), path = one.slice(equals + 1).trim();
        const got = path.startsWith('header:') ? answer.headers.get(path.slice(7)) : valueAt(answer.content, path);
        if (got === undefined || got === null) found.push(`nothing to save as ${key} at ${path}`);
        else values.set(key, String(got));
      }
    } else if (name === 'expect-header') {
      const header = value.slice(0, value.indexOf(':')), wanted = value.slice(value.indexOf(':') + 1).trim();
      if (answer.headers.get(header) !== wanted) found.push(`header ${header}: expected ${wanted}, got ${answer.headers.get(header)}`);
    }
  }
  const type = (answer.headers.get('content-type') ?? '').split(';')[0];
  if (!step.status.split('|').includes(String(answer.status))) found.push(`status: expected ${step.status}, got ${answer.status}: ${answer.text.slice(0, 300)}`);
  else if (step.type && type !== step.type) found.push(`content type: expected ${step.type}, got ${type}`);
  else if (step.expected !== '') found.push(...differences(step.expected, answer.content, values));
  return found;
}

/** Goes through one conversation; a step that gets no answer ends it. Returns [{ name, problems }], one for each step. */
export async function hold(base, steps, note = () => {}) {
  const values = new Map([['base', base], ['unique', randomBytes(4).toString('hex')]]);
  const results = [];
  let lost = false;
  for (const step of steps) {
    let found = ['not asked: an earlier step got no answer'];
    if (!lost) {
      try {
        found = problems(step, await askUntil(base, step, values), values);
      } catch (error) {
        found = [`${error.message}${error.cause ? ` (${error.cause.message})` : ''}`];
        lost = true;
      }
    }
    results.push({ name: step.name, problems: found });
    note(results.at(-1));
  }
  return results;
}

async function main() {
  const here = dirname(fileURLToPath(import.meta.url));
  const verbose = process.argv.includes('--verbose');
  const places = process.argv.slice(2).filter((argument) => argument !== '--verbose');
  const under = (path) => (statSync(path).isDirectory() ? readdirSync(path).sort().flatMap((name) => under(join(path, name))) : path.endsWith('.http') ? [path] : []);
  const base = (process.env.BASE ?? 'http://127.0.0.1:3100').replace(/\/$/, '');
  let passed = 0, failed = 0;
  for (const file of (places.length ? places : [here]).flatMap(under)) {
    const results = await hold(base, readConversation(readFileSync(file, 'utf8')), ({ name, problems: found }) => {
      if (verbose) console.log(`    ${found.length ? 'x' : '.'} ${name}`);
    });
    const bad = results.filter((result) => result.problems.length);
    passed += results.length - bad.length;
    failed += bad.length;
    console.log(`${bad.length ? 'FAIL' : 'ok  '} ${relative(here, file)} (${results.length} steps)`);
    for (const { name, problems: found } of bad) console.log([`    ${name}`, ...found.slice(0, 20).map((line) => `      ${line}`)].join('\n'));
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed || !passed ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
