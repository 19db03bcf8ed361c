"""A receiver on loopback, in a process of its own: takes lines over HTTP and counts them."""

from __future__ import annotations

import subprocess
import sys
import threading
import urllib.request
import zlib
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def receive() -> None:
    """Be the receiver: count lines, tell and forget their number when asked."""
    lock = threading.Lock()
    lines = 0

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            nonlocal lines
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = zlib.decompress(body, 31)
            count = sum(1 for line in body.split(b"\n") if line)
            with lock:
                lines += count
            self._answer(b"")

        def do_GET(self) -> None:
            nonlocal lines
            with lock:
                told, lines = lines, 0
            self._answer(str(told).encode())

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


@contextmanager
def receiver() -> Iterator[int]:
    """Run a receiver; give its port."""
    process = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def lines_received(port: int) -> int:
    """Return how many lines came since it was asked last."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
        return int(answer.read())


if __name__ == "__main__":
    receive()
