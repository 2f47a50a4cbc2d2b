// Runs as an agent: asks the same question through its bridge and straight at the server, by turns, and prints the times in
// ms as one line of JSON. COUNT questions each way; SERVER_BASE and SERVER_KEY are the server's address and an agent's key.
import { Agent, request } from 'node:http';

const { PAPERCLIP_API_URL, PAPERCLIP_API_KEY, SERVER_BASE, SERVER_KEY, COUNT } = process.env;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

function ask(base, key) {
  return new Promise((done, failed) => {
    const begun = performance.now();
    request(`${base}/api/agents/me`, { agent, headers: { authorization: `Bearer ${key}` } }, (response) => {
      response.resume();
      response.on('end', () => (response.statusCode === 200 ? done(performance.now() - begun) : failed(new Error(`${base}: ${response.statusCode}`))));
    }).on('error', failed).end();
  });
}

const ways = { bridge: [PAPERCLIP_API_URL, PAPERCLIP_API_KEY], bare: [SERVER_BASE, SERVER_KEY] };
const times = { bridge: [], bare: [] };
for (let i = -20; i < Number(COUNT); ++i)  // the first twenty are for warmth
  for (const [way, to] of Object.entries(ways)) {
    const took = await ask(...to);
    if (i >= 0) times[way].push(took);
  }
console.log(`TIMES ${JSON.stringify(times)}`);
