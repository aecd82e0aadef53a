"""A real HTTP server on this machine that behaves, and misbehaves, by the path that is asked for."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

MEGABYTE = b" " * 1024 * 1024


class Web(ThreadingHTTPServer):
    """The server, and what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[dict[str, Any]] = []
        self.sent = 0
        """Bytes of large bodies that left the server."""
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: Any) -> None:
        """A client that goes away is no news."""


@contextmanager
def serving() -> Iterator[Web]:
    web = Web()
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        web.over.set()
        web.shutdown()
        web.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Web
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None: ...

    def _any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        said = self.rfile.read(length).decode()
        seen = {"method": self.command, "target": self.path, "headers": dict(self.headers.items()), "body": said}
        self.server.seen.append(seen)
        self.close_connection = True
        parts = urlsplit(self.path)
        way = parts.path.split("/")[1]
        getattr(self, f"_{way}", self._echo)(parse_qs(parts.query), seen)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any

    def _say(self, body: bytes, kind: str | None = "application/json", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _echo(self, query: Any, seen: dict[str, Any]) -> None:
        self._say(json.dumps(seen).encode())

    def _status(self, query: Any, seen: Any) -> None:
        self._say(b'{"why": "because"}', status=int(self.path.split("/")[2]))

    def _empty(self, query: Any, seen: Any) -> None:
        self.send_response(204)
        self.end_headers()

    def _endless(self, query: Any, seen: Any) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        for _ in range(100):
            self.wfile.write(MEGABYTE)
            self.server.sent += len(MEGABYTE)

    def _silent(self, query: Any, seen: Any) -> None:
        self.server.over.wait(20)

    def _drip(self, query: Any, seen: Any) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        while not self.server.over.wait(0.02):
            self.wfile.write(b".")
            self.wfile.flush()

    def _garbage(self, query: Any, seen: Any) -> None:
        self.wfile.write(b"this is no HTTP\r\n\r\n")

    def _hangup(self, query: Any, seen: Any) -> None: ...

    def _cut(self, query: Any, seen: Any) -> None:
        self._say(b'{"half":', Content_Length="500")

    def _html(self, query: Any, seen: Any) -> None:
        self._say(b"<html>gateway</html>")

    def _page(self, query: Any, seen: Any) -> None:
        self._say("<p>caf\u00e9</p>".encode("latin-1"), kind="text/html; charset=latin-1")

    def _odd(self, query: Any, seen: Any) -> None:
        self._say("caf\u00e9".encode(), kind="text/plain; charset=klingon")

    def _nan(self, query: Any, seen: Any) -> None:
        self._say(b'{"n": NaN}')

    def _surrogate(self, query: Any, seen: Any) -> None:
        self._say(b'{"text": "\\ud800"}')

    def _deep(self, query: Any, seen: Any) -> None:
        self._say(b"[" * 5_000)

    def _image(self, query: Any, seen: Any) -> None:
        self._say(b"\x89PNG", kind="image/png")

    def _gzip(self, query: Any, seen: Any) -> None:
        self._say(b"\x1f\x8b", Content_Encoding="gzip")

    def _error(self, query: Any, seen: Any) -> None:
        self._say(b'{"error": "no such city"}')

    def _headers(self, query: Any, seen: Any) -> None:
        self._say(b"1", **{f"X-{n}": "x" * 60_000 for n in range(4)})

    def _moved(self, query: Any, seen: Any) -> None:
        self._say(b"", status=int(query.get("status", ["302"])[0]), Location=query["to"][0])
