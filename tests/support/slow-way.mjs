// A way to a port of loopback that can be slow, stall and break: a TCP proxy for tests.
import { connect, createServer } from 'node:net';

export class SlowWay {
  #delay = 0;
  #stalled = false;
  #waiting = [];
  #ends = new Set();
  #age = 0;
  /** Bytes that went there and came back. */
  there = 0;
  back = 0;

  /** Listens on a port of its own, `port`, and leads to that one. */
  static async to(port) {
    const way = new SlowWay();
    way.server = createServer((client) => {
      const behind = connect(port, '127.0.0.1');
      for (const [from, to] of [[client, behind], [behind, client]]) {
        way.#ends.add(from);
        // Whatever was said first arrives first: each piece leaves no earlier than the one before it.
        let last = Promise.resolve();
        const age = way.#age;
        const pass = (act) => {
          if (age < way.#age) return;
          const due = Date.now() + way.#delay;
          last = last.then(() => way.#due(due)).then(act);
        };
        from.on('data', (piece) => {
          way[from === client ? 'there' : 'back'] += piece.length;
          pass(() => to.write(piece));
        });
        from.on('end', () => pass(() => to.end()));
        from.on('error', () => to.destroy());
        from.on('close', () => way.#ends.delete(from));
      }
    });
    await new Promise((done) => way.server.listen(0, '127.0.0.1', done));
    way.port = way.server.address().port;
    return way;
  }

  async #due(at) {
    const left = at - Date.now();
    if (left > 0) await new Promise((done) => setTimeout(done, left));
    while (this.#stalled) await new Promise((done) => this.#waiting.push(done));
  }

  /** Every piece takes that much longer, each way. */
  delay(milliseconds) { this.#delay = milliseconds; }
  /** Nothing arrives any more, until `goOn`. */
  stall() { this.#stalled = true; }
  goOn() {
    this.#stalled = false;
    for (const done of this.#waiting.splice(0)) done();
  }
  /** Nothing arrives any more over the connections there are, and nobody is told; new ones pass. */
  forget() { this.#age++; }
  /** Breaks every connection; new ones pass. */
  cut() { for (const end of this.#ends) end.destroy(); }
  close() {
    this.goOn();
    this.server.close();
    this.cut();
  }
}
