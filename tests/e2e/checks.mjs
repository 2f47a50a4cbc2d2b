// What the scripts here share: a server in BASE, checks that are counted, waiting.
export const base = process.env.BASE;
if (!base) throw new Error('BASE is not set: run this with scripts/with-server');

let passed = 0, failed = 0;

/** Counts a check and says how it went; `seen` is shown when it failed. */
export function check(what, ok, seen) {
  if (ok) passed++;
  else failed++;
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${what}${ok ? '' : `: ${JSON.stringify(seen)?.slice(0, 900)}`}`);
}

/** Prints "N passed, N failed" and ends the program. */
export function finish() {
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

/** Asks the API as the board; throws unless it answers 2xx. */
export async function api(method, path, body) {
  const response = await fetch(base + path, { method, headers: body ? { 'content-type': 'application/json' } : {}, body: body && JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

/** What `probe` returns, once that is true. */
export async function until(what, seconds, probe) {
  const end = Date.now() + seconds * 1000;
  for (let last; ; await new Promise((done) => setTimeout(done, 50))) {
    last = await probe();
    if (last) return last;
    if (Date.now() > end) throw new Error(`timed out after ${seconds} s: ${what}`);
  }
}
