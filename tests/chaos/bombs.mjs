#!/usr/bin/env node
// Lets bombs go off: agents that fork, double-fork and setsid, are cancelled or lose their runner, as root and as an
// ordinary user, with and without namespaces. All have to be gone, each time.
//
//   tests/chaos/bombs.mjs [--bombs N] [--tests PATH]
//
// A tenth of them keep 400 processes alive, the others 60. Ends with "N passed, N failed".
import { spawnSync } from 'node:child_process';
import { join, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const option = (name, otherwise) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : otherwise);
const tests = option('--tests', join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'build', 'debug', 'bin', 'environments_tests'));
const bombs = Number(option('--bombs', 1000));
const filter = '*RunTreeTest.A_cancelled_run_leaves_no_process_behind*:*RunTreeTest.A_killed_runner_leaves_no_process_behind*:' +
  'OtherCallerTest.An_ordinary_users_*:OtherCallerTest.A_user_namespace_*:OtherCallerTest.Root_without_the_right_*';

let passed = 0, failed = 0, skipped = 0;
for (const [size, share] of [[60, Math.ceil(bombs * 0.9)], [400, Math.floor(bombs * 0.1)]]) {
  let left = share;
  while (left > 0) {
    const round = spawnSync(tests, [`--gtest_filter=${filter}`], { encoding: 'utf8', env: { ...process.env, PAPERCLIP_BOMB_SIZE: String(size) }, timeout: 900_000 });
    const count = (mark) => round.stdout.split('\n').filter((line) => line.startsWith(mark) && line.includes(' ms)')).length;
    const good = count('[       OK ]'), bad = count('[  FAILED  ]');
    skipped += count('[  SKIPPED ]');
    passed += good;
    failed += bad;
    if (bad > 0 || good === 0) console.log(round.stdout.slice(-4000));
    if (good + bad === 0) { failed++; break; }
    left -= good + bad;
  }
  console.log(`${size} processes each: ${passed} gone so far, ${failed} not`);
}
if (skipped) console.log(`${skipped} skipped: not possible here`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
