#!/usr/bin/env node
// Lets bombs go off: agents that fork, double-fork and setsid, are cancelled or lose their runner, as root and as an
// ordinary user, with and without namespaces. All have to be gone, each time; after the first round in which one was not, no more are lit.
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

let passed = 0, failed = 0, skipped = 0, stopped = false;
for (const [size, share] of [[60, Math.ceil(bombs * 0.9)], [400, Math.floor(bombs * 0.1)]]) {
  if (stopped) break;
  let left = share;
  while (left > 0 && !stopped) {
    const round = spawnSync(tests, [`--gtest_filter=${filter}`], { encoding: 'utf8', env: { ...process.env, PAPERCLIP_BOMB_SIZE: String(size) }, timeout: 900_000 });
    const count = (mark) => round.stdout.split('\n').filter((line) => line.startsWith(mark) && line.includes(' ms)')).length;
    const good = count('[       OK ]'), bad = count('[  FAILED  ]');
    skipped += count('[  SKIPPED ]');
    passed += good;
    failed += bad;
    left -= good + bad;
    // What was not gone, or a round that took too long, may still be burning: no further bomb on top of it.
    if (bad === 0 && good > 0 && !round.error) continue;
    console.log(round.stdout.slice(-4000));
    if (bad === 0) failed++;
    console.log(round.error ? `a round of bombs did not come to its end: ${round.error.message}` : 'a round of bombs failed');
    stopped = true;
  }
  console.log(`${size} processes each: ${passed} gone so far, ${failed} not`);
}
if (skipped) console.log(`${skipped} skipped: not possible here`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
