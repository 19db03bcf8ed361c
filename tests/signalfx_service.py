"""The HTTP half of SignalFx on 127.0.0.1: keeps what it is sent, and misbehaves when told to."""

from __future__ import annotations

import gzip
import json
import threading
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, urlsplit

from changing import Changing
from wf_instrument.compat.signalfx.generated_protocol_buffers import (
    signal_fx_protocol_buffers_pb2 as pb,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

POINT_PATH = "/v2/datapoint"
EVENT_PATH = "/v2/event"
KINDS = {0: "gauge", 1: "counter", 3: "cumulative_counter"}


@dataclass(frozen=True)
class Asked:
    """One request, its body uncompressed."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def points(self) -> list[dict[str, Any]]:
        """The data points, whatever their encoding, each with its kind."""
        if self.headers["content-type"] == "application/json":
            return [
                {**point, "kind": kind} for kind, points in self.json.items() for point in points
            ]
        message = cast("Any", pb.DataPointUploadMessage).FromString(self.body)
        return [decoded_point(one) for one in message.datapoints]

    @property
    def event(self) -> Any:
        """The one event, as the package `protobuf` reads it."""
        (event,) = cast("Any", pb.EventUploadMessage).FromString(self.body).events
        return event


def decoded_point(one: Any) -> dict[str, Any]:
    assert one.HasField("metricType")
    ((field, value),) = one.value.ListFields()
    assert field.name in {"strValue", "doubleValue", "intValue"}
    point = {"metric": one.metric, "value": value, "kind": KINDS[one.metricType]}
    if one.HasField("timestamp"):
        point["timestamp"] = one.timestamp
    if one.dimensions:
        point["dimensions"] = {pair.key: pair.value for pair in one.dimensions}
    return point


@dataclass(frozen=True)
class Reply:
    """How to answer; status 0 writes `raw` as it stands and closes the connection."""

    status: int = 200
    body: bytes = b'"OK"'
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    #: Until it is set the connection stays open behind the body, which then has no length.
    hold: threading.Event | None = None
    raw: bytes = b""

    @classmethod
    def of(cls, value: object, status: int = 200) -> Reply:
        return cls(status, json.dumps(value).encode())


class SignalFxService(Changing):
    """Runs while its `with` block does; may be stopped and started again on its port."""

    def __init__(self, answer: Callable[[Asked], Reply] = lambda _: Reply()) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.taken: list[Asked] = []
        self.connections = 0
        self.port = 0
        super().__init__()
        self._server: ThreadingHTTPServer | None = None
        self._open: set[Any] = set()
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        """Stop as a process that is killed does: open connections break."""
        if self._server is None:
            return
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server = None
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(2)

    def points(self) -> list[dict[str, Any]]:
        """All data points that were taken."""
        return [point for one in self.taken if one.path == POINT_PATH for point in one.points]

    def values(self) -> list[Any]:
        return [point["value"] for point in self.points()]

    def _note(self, one: Asked, reply: Reply) -> None:
        with self._changed:
            self.asked.append(one)
            if 200 <= reply.status < 300:
                self.taken.append(one)
            self._changed.notify_all()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                service.connections += 1
                service._open.add(self.connection)

            def finish(self) -> None:
                service._open.discard(self.connection)
                with suppress(OSError):
                    super().finish()

            def handle(self) -> None:
                with suppress(OSError):
                    super().handle()

            def answer(self) -> None:
                data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                if headers.get("content-encoding") == "gzip":
                    data = gzip.decompress(data)
                one = Asked(self.command, self.path, headers, data)
                reply = service.answer(one)
                service._note(one, reply)
                if reply.status == 0:
                    self.wfile.write(reply.raw)
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, value in reply.headers:
                    self.send_header(name, value)
                if reply.hold is None:
                    self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)
                if reply.hold is not None:
                    self.wfile.flush()
                    reply.hold.wait(30)
                    self.close_connection = True

            do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - as the base class has it

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        return Handler
