"""A real HTTP receiver on 127.0.0.1 that keeps what it is sent, and misbehaves when told to."""

from __future__ import annotations

import gzip
import ssl
import threading
import zlib
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Final

from changing import Changing

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self


#: Certificate and key for 127.0.0.1 and localhost, of use for nothing but these tests.
CERTIFICATE: Final = Path(__file__).parent / "data" / "loopback.pem"


@dataclass(frozen=True)
class Received:
    """One request: its target, headers (names in lower case), uncompressed body, and from where."""

    target: str
    headers: dict[str, str]
    body: str
    peer: tuple[str, int] = ("", 0)

    @property
    def lines(self) -> list[str]:
        return self.body.splitlines(keepends=True)


@dataclass(frozen=True)
class Answer:
    """How to answer; status 0 closes the connection without a word.

    To answer late, wait for an event before returning one. `raw` is written as it stands, then
    the connection is closed: half an answer, or none that is HTTP.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    raw: bytes | None = None
    body: bytes = b""


class LoopbackReceiver(Changing):
    """Runs while its `with` block does.

    Args:
        answer: Decides about each request; 200 to everything by default.
        tls: Whether to speak TLS, with the certificate of `CERTIFICATE`, which nobody trusts.
    """

    def __init__(
        self, answer: Callable[[Received], Answer] = lambda _: Answer(), *, tls: bool = False
    ) -> None:
        self.answer = answer
        self.received: list[Received] = []
        self.refused: list[Received] = []
        super().__init__()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.port: int = self._server.server_port
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def lines(self, target: str = "") -> list[str]:
        """Return the lines of accepted requests whose target ends so, in order."""
        return [line for one in self.received if one.target.endswith(target) for line in one.lines]

    def wait_for_lines(self, count: int, timeout_s: float = 10) -> list[str]:
        """Return all lines once there are `count`, or what there is after `timeout_s`."""
        self.wait_until(lambda: len(self.lines()) >= count, timeout_s)
        return self.lines()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                if headers.get("content-encoding") == "gzip":
                    data = gzip.decompress(data)
                elif headers.get("content-encoding") == "deflate":
                    data = zlib.decompress(data)
                text = data.decode("utf-8", "replace")
                one = Received(self.path, headers, text, self.client_address)
                answer = receiver.answer(one)
                with receiver._changed:
                    (receiver.received if 200 <= answer.status < 300 else receiver.refused).append(
                        one
                    )
                    receiver._changed.notify_all()
                if answer.status == 0 or answer.raw is not None:
                    self.wfile.write(answer.raw or b"")
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                with suppress(ConnectionError):  # the client did not wait for the body
                    self.wfile.write(answer.body)

            do_GET = do_POST  # noqa: N815 - the name that http.server looks for

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        return Handler
