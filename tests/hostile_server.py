"""A web server on the loopback that misbehaves as it is told, one answer after the other.

with Site({"/a.zip": b"…"}) as site:
    site.script = [Answer(cut=100), Answer(status=503)]     # the next two answers; then it behaves
    site.url("/a.zip"), site.requests, site.sent
"""

import collections
import dataclasses
import hashlib
import http.server
import re
import socket
import ssl
import threading

__all__ = ["Answer", "Clock", "Site"]


@dataclasses.dataclass(frozen=True)
class Answer:
    """How one request is answered; the default is what a good server does."""

    cut: int | None = None
    """bytes of the body after which the connection is closed."""
    stall: int | None = None
    """bytes of the body after which nothing comes until the site is closed."""
    piece: int | None = None
    """bytes of one packet."""
    ranges: bool = True
    heeds_if_range: bool = True
    shift: int = 0
    """how far the part that is given lies from the one that was asked for."""
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    content: bytes | None = None
    """another content than the site's."""
    length: int | None = None
    """what Content-Length says."""
    says_length: bool = True
    tag: str | None = None
    """the ETag; empty for none."""


class Site:
    def __init__(self, files=None, certificate=None):
        self.files = dict(files or {})
        self.script: list[Answer] = []
        self.always = Answer()
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        """(method, path, headers)."""
        self.sent = collections.Counter()
        """bytes of bodies by path."""
        self.closed = threading.Event()
        self.stalled = threading.Event()
        handler = type("Handler", (_Handler,), {"site": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.scheme = "https"

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.closed.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def url(self, path):
        return f"{self.scheme}://127.0.0.1:{self.server.server_port}{path}"

    def ranges(self):
        """The Range header of each request."""
        return [headers.get("Range") for _, _, headers in self.requests]


class Clock:
    """Time that passes only in sleep, or a little with each look at it."""

    def __init__(self, step=0.0):
        self.time, self.step, self.slept = 1_000_000.0, step, []

    def now(self):
        self.time += self.step
        return self.time

    date = now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.time += seconds


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.do_GET(body=False)

    def do_GET(self, body=True):
        site = self.site
        site.requests.append((self.command, self.path, dict(self.headers)))
        answer = site.always
        if body and site.script:
            answer = site.script.pop(0)
        content = answer.content if answer.content is not None else site.files.get(self.path)
        status = answer.status or (200 if content is not None else 404)
        if answer.status is not None:
            content = answer.content
        content = content or b""
        tag = f'"{hashlib.sha256(content).hexdigest()[:12]}"' if answer.tag is None else answer.tag
        headers = dict(answer.headers)
        if tag:
            headers["ETag"] = tag
        start = self._find_start(answer, tag) if status == 200 else None
        total = len(content)
        if start is not None and start >= total:
            status, content = 416, b""
            headers["Content-Range"] = f"bytes */{total}"
        elif start is not None:
            status, begin = 206, start + answer.shift
            content = content[begin:]
            headers["Content-Range"] = f"bytes {begin}-{total - 1}/{total}"
        self._send(status, headers, content, answer, body)

    def _find_start(self, answer, tag):
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        if not found or not answer.ranges:
            return None
        if answer.heeds_if_range and condition is not None and condition != tag:
            return None
        return int(found[1])

    def _send(self, status, headers, content, answer, body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if answer.says_length:
            length = len(content) if answer.length is None else answer.length
            self.send_header("Content-Length", str(length))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        if not body:
            return
        limits = [limit for limit in (answer.cut, answer.stall) if limit is not None]
        content = content[: min(limits)] if limits else content
        step = answer.piece or max(1, len(content))
        try:
            for at in range(0, len(content), step):
                self.wfile.write(content[at : at + step])
                self.site.sent[self.path] += len(content[at : at + step])
        except OSError:
            self.close_connection = True
            return
        if answer.stall is not None:
            self.site.stalled.set()
            self.site.closed.wait()
        if limits or answer.length is not None or not answer.says_length:
            # What was written arrives; then the connection ends.
            self.connection.shutdown(socket.SHUT_WR)
            self.close_connection = True
