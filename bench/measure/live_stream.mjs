// A company's live events over the WebSocket, with just as much of the protocol as a well-behaved server needs.
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';

/** Connects and calls `receive(event)` with each event of the company; resolves with a function that closes. */
export const followLive = (server, company, receive) => new Promise((resolve, reject) => {
  const socket = connect(server.port, '127.0.0.1').setNoDelay(true).on('error', reject);
  socket.write(`GET /api/companies/${company.id}/events/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`);
  let held = Buffer.alloc(0), upgraded = false;
  socket.on('data', (data) => {
    held = held.length ? Buffer.concat([held, data]) : data;
    if (!upgraded) {
      const end = held.indexOf('\r\n\r\n');
      if (end < 0) return;
      if (!held.toString('latin1', 0, 12).endsWith('101')) return reject(new Error(held.toString('utf8', 0, 200)));
      held = held.subarray(end + 4);
      upgraded = true;
      resolve(() => socket.destroy());
    }
    while (held.length >= 2) {
      let length = held[1] & 127, start = 2;
      if (length === 126) { if (held.length < 4) return; length = held.readUInt16BE(2); start = 4; }
      else if (length === 127) { if (held.length < 10) return; length = Number(held.readBigUInt64BE(2)); start = 10; }
      if (held.length < start + length) return;
      if ((held[0] & 15) === 1) receive(JSON.parse(held.toString('utf8', start, start + length)));
      held = held.subarray(start + length); // pings need no answer within the minutes that a measurement takes
    }
  });
});
