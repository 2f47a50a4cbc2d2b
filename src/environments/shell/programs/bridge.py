# The loopback server that an agent takes for the control plane, where no program of ours can run and there is no node: as
# bridge.mjs beside it. Python 3.6 or newer, nothing else.
import hmac, json, os, re, select, socket, sys, threading, time, uuid
from email.utils import formatdate


def number(name, otherwise):
    try:
        value = int(float(os.environ.get(name, "")))
    except (ValueError, OverflowError):
        return otherwise
    return value if value > 0 else otherwise


queue = os.environ["PAPERCLIP_BRIDGE_QUEUE_DIR"]
token = open(os.path.join(queue, "token"), "rb").read()
max_body = number("PAPERCLIP_BRIDGE_MAX_BODY_BYTES", 262144)
max_depth = number("PAPERCLIP_BRIDGE_MAX_QUEUE_DEPTH", 64)
patience = number("PAPERCLIP_BRIDGE_RESPONSE_TIMEOUT_MS", 30000) / 1000
max_head, idle_time, tick_time = 16384, 60, 10
started = "%x" % int(time.time() * 1000)
lock = threading.Lock()
waiting = {}  # file name -> an event, set when its answer may be there
count = 0
reasons = {200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 304: "Not Modified", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict", 415: "Unsupported Media Type", 417: "Expectation Failed", 422: "Unprocessable Entity", 431: "Request Header Fields Too Large", 502: "Bad Gateway", 503: "Service Unavailable"}
token_char = "!#$%&'*+.^_`|~0-9A-Za-z-"


class Refused(Exception):
    def __init__(self, status, message):
        self.status, self.message = status, message


def in_queue(*parts):
    return os.path.join(queue, *parts)


def remove(path):
    try:
        os.unlink(path)
    except OSError:
        pass


def ring(word):
    try:
        pipe = os.open(in_queue("wake"), os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(pipe, word)
        finally:
            os.close(pipe)
    except OSError:
        pass  # nobody waits: whoever comes next looks first


def waiting_files():
    try:
        return sum(name.endswith(".json") for name in os.listdir(in_queue("requests")))
    except OSError:
        return 0


def read_head(data):
    text = data.decode("latin-1")
    if re.search(r"[^\t\r\n\x20-\x7e]|\r(?!\n)|(?<!\r)\n", text):
        raise Refused(400, "Malformed request")
    lines = text.split("\r\n")
    line = re.fullmatch(r"([%s]{1,32}) (/[^ \t#]*) HTTP/1\.([01])" % token_char, lines[0])
    if not line:
        raise Refused(400, "Malformed request line")
    if len(lines) > 101:
        raise Refused(431, "Too many header fields")
    headers = {}
    for each in lines[1:]:
        field = re.fullmatch(r"([%s]+):[ \t]*(.*?)[ \t]*" % token_char, each)
        if not field:
            raise Refused(400, "Malformed header line")
        name = field.group(1).lower()
        if name in headers:
            if name in ("host", "content-length", "transfer-encoding", "authorization", "expect", "content-type"):
                raise Refused(400, "More than one " + name)
            headers[name] += ", " + field.group(2)
        else:
            headers[name] = field.group(2)
    old = line.group(3) == "0"
    host, length, coding, expect = (headers.get(n) for n in ("host", "content-length", "transfer-encoding", "expect"))
    if host is None and not old:
        raise Refused(400, "Missing Host")
    if host is not None and re.search(r"[^-._~:\[\]%0-9A-Za-z]", host):
        raise Refused(400, "Malformed Host")
    if length is not None and not re.fullmatch("[0-9]{1,15}", length):
        raise Refused(400, "Malformed Content-Length")
    if coding is not None and (old or length is not None or coding != "chunked"):
        raise Refused(400, "Unusable Transfer-Encoding")
    if expect is not None and expect.lower() != "100-continue":
        raise Refused(417, "Unknown expectation")
    path, question, query = line.group(2).partition("?")
    return {"method": line.group(1), "path": path, "query": question + query, "headers": headers, "length": int(length or 0),
            "chunked": coding is not None, "continues": expect is not None and not old}


def read_body(head, data):
    if not head["chunked"]:
        return data[:head["length"]] if len(data) >= head["length"] else None
    parts, at, size = [], 0, 0
    while True:
        end = data.find(b"\r\n", at)
        line = data[at:at + 20 if end < 0 else end]
        if not re.fullmatch(rb"[0-9A-Fa-f]{0,8}\r?" if end < 0 else rb"[0-9A-Fa-f]{1,8}", line):
            raise Refused(400, "Malformed chunk")
        if end < 0:
            return None
        chunk = int(line, 16)
        at, size = end + 2, size + chunk
        if size > max_body:
            raise Refused(502, "Bridge request body exceeded the configured size limit.")
        after = data[at + chunk:at + chunk + 2]
        if not b"\r\n".startswith(after):
            raise Refused(400, "Malformed chunk")
        if len(after) < 2:
            return None
        if chunk == 0:
            return b"".join(parts)
        parts.append(data[at:at + chunk])
        at += chunk + 2


def receive(client, known):
    data = client.recv(65536)
    if not data:
        raise OSError("closed")
    return known + data


def read_request(client, seen):
    data = b""
    while True:
        if data and not re.match(b"[%s]" % token_char.encode(), data[:1]):
            raise Refused(400, "Malformed request line")
        end = data.find(b"\r\n\r\n")
        if (len(data) if end < 0 else end) >= max_head:
            raise Refused(431, "Request header fields too large")
        if end >= 0:
            break
        if re.search(rb"(?<!\r)\n", data):
            raise Refused(400, "Bare line feed")
        data = receive(client, data)
    head, data = read_head(data[:end]), data[end + 4:]
    seen["head"] = head
    given = head["headers"].get("authorization", "")
    if not given.startswith("Bearer ") or not hmac.compare_digest(given[7:].encode("latin-1"), token):
        raise Refused(401, "Invalid bridge token.")
    if max(waiting_files(), len(waiting)) >= max_depth:
        raise Refused(503, "Bridge request queue is full.")
    if head["method"] not in ("GET", "HEAD") and "json" not in head["headers"].get("content-type", "").lower():
        raise Refused(415, "Bridge only accepts JSON request bodies.")
    if head["length"] > max_body:
        raise Refused(502, "Bridge request body exceeded the configured size limit.")
    if head["continues"]:
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = read_body(head, data)
    while body is None:
        data = receive(client, data)
        body = read_body(head, data)
    return head, body


def ask(head, body):
    """Leaves the request in the queue and waits for (status, headers, body)."""
    global count
    with lock:
        count += 1
        ident = str(uuid.uuid4())
        name = "%s-%09d-%s.json" % (started, count, ident)
        event = waiting[name] = threading.Event()
    until = time.time() + patience
    try:
        passed = {n: head["headers"][n] for n in ("accept", "content-type", "if-match", "if-none-match") if n in head["headers"]}
        record = {"id": ident, "method": head["method"], "path": head["path"], "query": head["query"], "headers": passed,
                  "body": body.decode("utf-8", "replace"), "createdAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "deadline": int(until)}
        with open(in_queue("requests", name + ".tmp"), "w") as file:
            file.write(json.dumps(record) + "\n")
        os.rename(in_queue("requests", name + ".tmp"), in_queue("requests", name))
        ring(b"request\n")
        while time.time() < until:
            event.wait(min(0.5, max(0, until - time.time())))
            event.clear()
            try:
                with open(in_queue("responses", name), encoding="utf-8") as file:
                    text = file.read()
            except OSError:
                continue
            remove(in_queue("responses", name))
            return json.loads(text)
    except ValueError as error:
        raise Refused(502, "JSON: %s" % error)
    except OSError as error:
        raise Refused(502, str(error))
    finally:
        with lock:
            waiting.pop(name, None)
        remove(in_queue("requests", name))
    raise Refused(502, "Timed out waiting for host bridge response.")


def write(client, head, status, headers, body):
    bodyless = status in (204, 304)
    text = "HTTP/1.1 %d %s\r\n" % (status, reasons.get(status, "Unknown"))
    for field in headers.items():
        text += "%s: %s\r\n" % field
    text += "Date: %s\r\nConnection: close\r\n" % formatdate(usegmt=True)
    content = body.encode("utf-8", "replace")
    text += "\r\n" if bodyless else "Content-Length: %d\r\n\r\n" % len(content)
    client.sendall(text.encode("latin-1") + (b"" if bodyless or (head and head["method"] == "HEAD") else content))
    client.shutdown(socket.SHUT_WR)
    client.settimeout(1)
    while client.recv(65536):  # what it still says, so that it hears us out
        pass


def serve(client):
    seen = {}
    try:
        client.settimeout(idle_time)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            head, body = read_request(client, seen)
            answer = ask(head, body)
            given = answer.get("headers") if isinstance(answer.get("headers"), dict) else {}
            passed = {}
            for name in ("content-type", "etag", "last-modified", "retry-after"):
                value = given.get(name)
                if isinstance(value, str) and re.fullmatch(r"[\t\x20-\x7e]*", value) and value.strip():
                    passed[name] = value.strip()
            status = answer.get("status")
            write(client, head, status if isinstance(status, int) and 200 <= status <= 599 else 200, passed,
                  answer.get("body") if isinstance(answer.get("body"), str) else "")
        except Refused as refusal:
            headers = {"content-type": "application/json"}
            if refusal.status == 503:
                headers["retry-after"] = "1"
            write(client, seen.get("head"), refusal.status, headers, json.dumps({"error": refusal.message}, separators=(",", ":")))
    except (OSError, AttributeError):
        pass
    finally:
        client.close()


def hear_answers():
    pipe = os.open(in_queue("answers"), os.O_RDWR | os.O_NONBLOCK)
    while True:
        select.select([pipe], [], [])
        os.read(pipe, 65536)
        with lock:
            for event in waiting.values():
                event.set()


def tick():
    while True:
        time.sleep(tick_time)
        ring(b"tick\n")


port = number("PAPERCLIP_BRIDGE_PORT", 0)
try:
    port = json.load(open(in_queue("ready.json")))["port"]
except (OSError, ValueError, KeyError):
    pass  # the first time
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", port))
listener.listen(128)
port = listener.getsockname()[1]
for work in (hear_answers, tick):
    threading.Thread(target=work, daemon=True).start()
with open(in_queue("ready.json.tmp"), "w") as file:
    file.write(json.dumps({"pid": os.getpid(), "host": "127.0.0.1", "port": port, "baseUrl": "http://127.0.0.1:%d" % port,
                           "startedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}) + "\n")
os.rename(in_queue("ready.json.tmp"), in_queue("ready.json"))
while True:
    accepted = listener.accept()[0]
    threading.Thread(target=serve, args=(accepted,), daemon=True).start()
