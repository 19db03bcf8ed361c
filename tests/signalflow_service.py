"""The WebSocket half of SignalFlow on 127.0.0.1: a real server, written from the wire's facts."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from changing import Changing

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from typing_extensions import Self

Request = dict[str, Any]
Script = Callable[["ServerConnection", Request], Iterable[Any]]
TIME_MS = 1_700_000_000_000
STREAM_START = {"type": "control-message", "event": "STREAM_START", "timestampMs": 1}
JOB_START = {"type": "control-message", "event": "JOB_START", "timestampMs": 2, "handle": "H"}
END = {"type": "control-message", "event": "END_OF_CHANNEL", "timestampMs": 9}
INFO = {
    "type": "message",
    "logicalTimestampMs": TIME_MS,
    "message": {"messageCode": "JOB_RUNNING_RESOLUTION", "contents": {"resolutionMs": 1000}},
}


def tsid(number: int) -> str:
    """The text of a small id, as base64 of its 8 bytes has it."""
    return "AAAAAAAAAA" + "AEIMQUYcgkosw048"[number]


def data_frame(channel: str, at_ms: int, values: dict[int, float]) -> bytes:
    """A binary data message of version 3, by the table of the wire's facts."""
    body = struct.pack(">qqi", at_ms, 9000, len(values))
    for number, value in values.items():
        if isinstance(value, int):
            body += struct.pack(">BQq", 1, number, value)
        else:
            body += struct.pack(">BQd", 2, number, value)
    return struct.pack(">BBBx16s", 3, 5, 0, channel.encode()) + body


class Data:
    """Data of one time, in seconds after `TIME_MS`."""

    def __init__(self, at_s: int, **values: float) -> None:
        self.at_ms = TIME_MS + at_s * 1000
        self.values = {"abcdef".index(name): value for name, value in values.items()}


class SignalFlowService(Changing):
    """Runs while its `with` block does; may be stopped and started again on its port.

    Args:
        script: Given a connection and a request for a channel, yields what to answer: dicts, which
            get the channel's name, texts and bytes as they are, `Data`, an event to wait for, or
            a close code.
        token: The one that is let in.
    """

    def __init__(
        self,
        script: Script = lambda *_: (),
        *,
        token: str = "TOKEN",
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.script = script
        self.token = token
        self.requests: list[Request] = []
        self.agents: list[str] = []
        self.paths: list[str] = []
        self.refuse_with = 4401
        self.is_silent = False
        self.connections: list[ServerConnection] = []
        self.port = 0
        self._context = context
        super().__init__()
        self._over = threading.Event()
        self.start()

    @property
    def url(self) -> str:
        return f"http{'s' if self._context else ''}://127.0.0.1:{self.port}"

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
        self._over.clear()
        self._server = serve(
            self._serve, "127.0.0.1", self.port, ssl=self._context, close_timeout=0.5
        )
        self.port = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self.break_off()
        self._server.shutdown()
        self._thread.join(10)

    def break_off(self) -> None:
        """Break all connections off, without a word."""
        for connection in list(self.connections):
            with suppress(OSError):  # it may be gone already
                connection.socket.shutdown(socket.SHUT_RDWR)
        self.connections.clear()

    def of_type(self, kind: str) -> list[Request]:
        return [one for one in self.requests if one["type"] == kind]

    def _serve(self, connection: ServerConnection) -> None:
        try:
            self._converse(connection)
        except (ConnectionClosed, OSError):
            pass
        finally:
            if connection in self.connections:
                self.connections.remove(connection)

    def _converse(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.connections.append(connection)
        self.paths.append(connection.request.path)
        hello = json.loads(connection.recv(timeout=10))
        assert hello["type"] == "authenticate"
        self._note(hello)
        if self.is_silent:
            self._over.wait(20)
            return
        if hello["token"] != self.token:
            connection.close(self.refuse_with, "bad token")
            return
        connection.send('{"type": "authenticated", "userId": "U", "orgId": "O"}')
        for raw in connection:
            request = json.loads(raw)
            self._note(request)
            if "channel" in request and request["type"] != "detach":
                threading.Thread(target=self._run, args=(connection, request), daemon=True).start()

    def _note(self, request: Request) -> None:
        assert isinstance(request, dict)
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    def _run(self, connection: ServerConnection, request: Request) -> None:
        try:
            for answer in self.script(connection, request):
                self._send(connection, request["channel"], answer)
        except (ConnectionClosed, OSError):
            pass

    def _send(self, connection: ServerConnection, channel: str, answer: Any) -> None:
        if isinstance(answer, threading.Event):
            answer.wait(20)
        elif isinstance(answer, int):
            connection.close(answer)
        elif isinstance(answer, Data):
            connection.send(data_frame(channel, answer.at_ms, answer.values))
        elif isinstance(answer, dict):
            connection.send(json.dumps({"channel": channel, **answer}))
        else:
            connection.send(answer)
