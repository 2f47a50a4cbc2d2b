// The loopback server that an agent takes for the control plane, where no program of ours can run: it leaves each request as
// a file in a queue and waits for the answer's (spec/callback-bridge.md 2-5). Node 12 or newer, nothing else.
import crypto from "crypto";
import fs from "fs";
import net from "net";
import path from "path";

const number = (name, otherwise) => {
  const value = Math.trunc(Number(process.env[name]));
  return Number.isFinite(value) && value > 0 ? value : otherwise;
};
const queue = process.env.PAPERCLIP_BRIDGE_QUEUE_DIR;
const inQueue = (...parts) => path.join(queue, ...parts);
const token = fs.readFileSync(inQueue("token"));
const maxBody = number("PAPERCLIP_BRIDGE_MAX_BODY_BYTES", 262144);
const maxDepth = number("PAPERCLIP_BRIDGE_MAX_QUEUE_DEPTH", 64);
const patience = number("PAPERCLIP_BRIDGE_RESPONSE_TIMEOUT_MS", 30000);
const maxHead = 16384, idleTime = 60000, tickTime = 10000;
const started = Date.now().toString(36);
let count = 0;
const waiting = new Map(); // file name -> what to do with the answer

const reasons = { 200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 304: "Not Modified", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict", 415: "Unsupported Media Type", 417: "Expectation Failed", 422: "Unprocessable Entity", 431: "Request Header Fields Too Large", 502: "Bad Gateway", 503: "Service Unavailable" };
const ascii = (value) => JSON.stringify(value).replace(/[\u007f-\uffff]/g, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));

function ring(pipe, word) {
  try {
    const file = fs.openSync(pipe, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK);
    try { fs.writeSync(file, word + "\n"); } finally { fs.closeSync(file); }
  } catch { /* nobody waits: whoever comes next looks first */ }
}

const waitingFiles = () => {
  try { return fs.readdirSync(inQueue("requests")).filter((name) => name.endsWith(".json")).length; } catch { return 0; }
};

/** Takes the head apart, or says what is wrong with it: [status, message]. */
function readHead(text) {
  if (/[^\t\r\n\x20-\x7e]/.test(text) || /\r(?!\n)|(?<!\r)\n/.test(text)) return [400, "Malformed request"];
  const lines = text.split("\r\n");
  const line = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) (\/[^ \t#]*) HTTP\/1\.([01])$/.exec(lines.shift());
  if (!line) return [400, "Malformed request line"];
  const head = { method: line[1], headers: Object.create(null), length: 0, chunked: false };
  const question = line[2].indexOf("?");
  head.path = question < 0 ? line[2] : line[2].slice(0, question);
  head.query = question < 0 ? "" : line[2].slice(question);
  if (lines.length > 100) return [431, "Too many header fields"];
  const once = new Set(["host", "content-length", "transfer-encoding", "authorization", "expect", "content-type"]);
  for (const each of lines) {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(each);
    if (!field) return [400, "Malformed header line"];
    const name = field[1].toLowerCase();
    if (name in head.headers) {
      if (once.has(name)) return [400, `More than one ${name}`];
      head.headers[name] += ", " + field[2];
    } else head.headers[name] = field[2];
  }
  const { host, "content-length": length, "transfer-encoding": coding, expect } = head.headers;
  if (line[3] === "1" && host === undefined) return [400, "Missing Host"];
  if (host !== undefined && /[^-._~:\[\]%0-9A-Za-z]/.test(host)) return [400, "Malformed Host"];
  if (length !== undefined && !/^[0-9]{1,15}$/.test(length)) return [400, "Malformed Content-Length"];
  if (coding !== undefined && (line[3] === "0" || length !== undefined || coding !== "chunked")) return [400, "Unusable Transfer-Encoding"];
  if (expect !== undefined && expect.toLowerCase() !== "100-continue") return [417, "Unknown expectation"];
  head.length = Number(length || 0);
  head.chunked = coding !== undefined;
  head.continues = expect !== undefined && line[3] === "1";
  return head;
}

/** The body in `bytes`: null while it is not whole, or [status, message]. */
function readBody(head, bytes) {
  if (!head.chunked) return bytes.length < head.length ? null : bytes.subarray(0, head.length);
  const parts = [];
  let at = 0, size = 0;
  for (;;) {
    const end = bytes.indexOf("\r\n", at);
    const line = bytes.subarray(at, end < 0 ? at + 20 : end).toString("latin1");
    if (!(end < 0 ? /^[0-9A-Fa-f]{0,8}\r?$/ : /^[0-9A-Fa-f]{1,8}$/).test(line)) return [400, "Malformed chunk"];
    if (end < 0) return null;
    const chunk = parseInt(line, 16);
    at = end + 2;
    if ((size += chunk) > maxBody) return [502, "Bridge request body exceeded the configured size limit."];
    const after = bytes.subarray(at + chunk, at + chunk + 2).toString("latin1");
    if (!"\r\n".startsWith(after)) return [400, "Malformed chunk"];
    if (after.length < 2) return null;
    if (chunk === 0) return Buffer.concat(parts);
    parts.push(bytes.subarray(at, at + chunk));
    at += chunk + 2;
  }
}

function serve(socket) {
  let bytes = Buffer.alloc(0), head = null, name = null, done = false, deadline = null;
  const answer = (status, headers, body) => {
    if (done) return;
    done = true;
    clearTimeout(deadline);
    waiting.delete(name);
    const content = Buffer.from(body, "utf8"), bodyless = status === 204 || status === 304;
    let text = `HTTP/1.1 ${status} ${reasons[status] || "Unknown"}\r\n`;
    for (const [field, value] of Object.entries(headers)) text += `${field}: ${value}\r\n`;
    text += `Date: ${new Date().toUTCString()}\r\nConnection: close\r\n${bodyless ? "" : `Content-Length: ${content.length}\r\n`}\r\n`;
    socket.write(text);
    if (!bodyless && !(head && head.method === "HEAD")) socket.write(content);
    socket.end();
  };
  const refuse = (status, message) => answer(status, { "content-type": "application/json", ...(status === 503 ? { "retry-after": "1" } : {}) }, JSON.stringify({ error: message }));
  const answered = () => {
    let text;
    try { text = fs.readFileSync(inQueue("responses", name), "utf8"); } catch { return; }
    try { fs.unlinkSync(inQueue("responses", name)); } catch { /* somebody else did */ }
    try {
      const { status, headers, body } = JSON.parse(text);
      const passed = {};
      for (const field of ["content-type", "etag", "last-modified", "retry-after"]) {
        const value = headers && headers[field];
        if (typeof value === "string" && /^[\t\x20-\x7e]*$/.test(value) && value.trim()) passed[field] = value.trim();
      }
      answer(Number.isInteger(status) && status >= 200 && status <= 599 ? status : 200, passed, typeof body === "string" ? body : "");
    } catch (error) { refuse(502, error.message); }
  };
  const enqueue = (body) => {
    const id = crypto.randomUUID ? crypto.randomUUID() : crypto.randomBytes(16).toString("hex");
    name = `${started}-${String(++count).padStart(9, "0")}-${id}.json`;
    const passed = {};
    for (const field of ["accept", "content-type", "if-match", "if-none-match"]) if (head.headers[field] !== undefined) passed[field] = head.headers[field];
    const now = new Date();
    const record = { id, method: head.method, path: head.path, query: head.query, headers: passed, body: body.toString("utf8"), createdAt: now.toISOString(), deadline: Math.floor((now.getTime() + patience) / 1000) };
    waiting.set(name, answered);
    deadline = setTimeout(() => {
      try { fs.unlinkSync(inQueue("requests", name)); } catch { /* it was taken */ }
      refuse(502, "Timed out waiting for host bridge response.");
    }, patience);
    try {
      fs.writeFileSync(inQueue("requests", name + ".tmp"), ascii(record) + "\n", { mode: 0o600 });
      fs.renameSync(inQueue("requests", name + ".tmp"), inQueue("requests", name));
    } catch (error) { return refuse(502, error.message); }
    ring(inQueue("wake"), "request");
  };
  const onBytes = () => {
    if (done || name) return;
    if (!head) {
      const end = bytes.indexOf("\r\n\r\n");
      if (bytes.length > 0 && !/[!#$%&'*+.^_`|~0-9A-Za-z-]/.test(String.fromCharCode(bytes[0]))) return refuse(400, "Malformed request line");
      if (end < 0 ? bytes.length >= maxHead : end >= maxHead) return refuse(431, "Request header fields too large");
      if (end < 0) return /(^|[^\r])\n/.test(bytes.toString("latin1")) ? refuse(400, "Bare line feed") : undefined;
      const read = readHead(bytes.subarray(0, end).toString("latin1"));
      if (Array.isArray(read)) return refuse(...read);
      head = read;
      bytes = bytes.subarray(end + 4);
      const given = head.headers.authorization || "", mine = Buffer.from(given.startsWith("Bearer ") ? given.slice(7) : "");
      if (mine.length !== token.length || !crypto.timingSafeEqual(mine, token)) return refuse(401, "Invalid bridge token.");
      if (Math.max(waitingFiles(), waiting.size) >= maxDepth) return refuse(503, "Bridge request queue is full.");
      if (head.method !== "GET" && head.method !== "HEAD" && !/json/i.test(head.headers["content-type"] || "")) return refuse(415, "Bridge only accepts JSON request bodies.");
      if (head.length > maxBody) return refuse(502, "Bridge request body exceeded the configured size limit.");
      if (head.continues) socket.write("HTTP/1.1 100 Continue\r\n\r\n");
    }
    const body = readBody(head, bytes);
    if (body === null) return;
    if (Array.isArray(body)) return refuse(...body);
    enqueue(body);
  };
  socket.setNoDelay(true);
  socket.setTimeout(idleTime, () => socket.destroy());
  socket.on("data", (data) => {
    if (done || name) return;
    bytes = Buffer.concat([bytes, data]);
    onBytes();
  });
  socket.on("error", () => socket.destroy());
  socket.on("close", () => {
    clearTimeout(deadline);
    if (!name || !waiting.delete(name)) return;
    try { fs.unlinkSync(inQueue("requests", name)); } catch { /* it was taken */ }
  });
}

const look = () => { for (const answered of [...waiting.values()]) answered(); };
const pipe = new net.Socket({ fd: fs.openSync(inQueue("answers"), fs.constants.O_RDWR | fs.constants.O_NONBLOCK), readable: true, writable: false });
pipe.on("data", look);
pipe.on("error", () => {});
setInterval(look, 500);
setInterval(() => ring(inQueue("wake"), "tick"), tickTime);

let before = null;
try { before = JSON.parse(fs.readFileSync(inQueue("ready.json"), "utf8")); } catch { /* the first time */ }
const server = net.createServer({ allowHalfOpen: true }, serve);
server.on("error", (error) => { console.error(error.message); process.exit(1); });
server.listen(before ? before.port : number("PAPERCLIP_BRIDGE_PORT", 0), "127.0.0.1", () => {
  const { port } = server.address();
  const ready = { pid: process.pid, host: "127.0.0.1", port, baseUrl: `http://127.0.0.1:${port}`, startedAt: new Date().toISOString() };
  fs.writeFileSync(inQueue("ready.json.tmp"), JSON.stringify(ready) + "\n");
  fs.renameSync(inQueue("ready.json.tmp"), inQueue("ready.json"));
});
const stop = () => process.exit(0);
process.on("SIGTERM", stop);
process.on("SIGINT", stop);
