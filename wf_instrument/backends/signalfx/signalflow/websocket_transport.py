"""SignalFlow over one WebSocket, opened by the first request and anew when it was lost.

Threads: any calls.
Locks: `_opening` has one thread connect and the others wait for it, no longer than both time-outs;
    `_lock` guards which connection is the current one.
Fork: the child opens a connection of its own.
"""

from __future__ import annotations

import inspect
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from wf_instrument.backends.signalfx.constants import (
    DEFAULT_STREAM_ENDPOINT,
    DEFAULT_TIMEOUT,
    USER_AGENT,
)
from wf_instrument.backends.signalfx.signalflow.channel import ComputationChannel, channel_name
from wf_instrument.backends.signalfx.signalflow.errors import (
    FrameError,
    SignalFlowConnectionError,
    SignalFlowException,
)
from wf_instrument.backends.signalfx.signalflow.frames import read_frame
from wf_instrument.errors import ConfigError, MissingExtraError
from wf_instrument.forking import reset_after_fork
from wf_instrument.sender.http_pool import tls_context

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wf_instrument.backends.signalfx.signalflow.websocket_connection import (
        WebSocketConnection,
    )

__all__ = ["WebSocketTransport"]

#: Source: the vendor's clients take so long a silence for a dead connection.
IDLE_TIMEOUT_S: Final = 60.0
_PATH: Final = "/v2/signalflow/connect"
_Result = TypeVar("_Result")


class WebSocketTransport:
    """Carries requests and messages over a WebSocket.

    Args:
        token: Sent in the first message.
        endpoint: `https://` or `wss://`, or without TLS `http://` or `ws://`.
        timeout: Seconds, to connect and again to be let in.
        compress: Whether messages may come gzipped.
        proxy_url: An HTTP proxy on the way; the environment's when None.
        ca_certs: Certificates to trust, in place of the system's.
        idle_timeout_s: After so long a silence the connection is given up and opened anew.

    Raises:
        ConfigError: The endpoint is no such URL, or `ca_certs` cannot be read.
        NotImplementedError: The installed version of `websockets` knows no proxies.
    """

    def __init__(
        self,
        token: str,
        endpoint: str = DEFAULT_STREAM_ENDPOINT,
        timeout: float = DEFAULT_TIMEOUT,
        compress: bool = True,
        proxy_url: str | None = None,
        *,
        ca_certs: str | None = None,
        idle_timeout_s: float = IDLE_TIMEOUT_S,
    ) -> None:
        self._token = token
        self._url = _websocket_url(endpoint)
        self._timeout_s = timeout
        self._compress = compress
        self._idle_timeout_s = idle_timeout_s
        self._options: dict[str, Any] = {"user_agent_header": USER_AGENT}
        if self._url.startswith("wss:"):
            self._options["ssl"] = tls_context(ca_certs)
        if proxy_url is not None:
            self._options["proxy"] = _checked_proxy(proxy_url)
        self._reset()
        reset_after_fork(self._reset_in_child)

    def __repr__(self) -> str:
        return f"WebSocketTransport({self._url!r})"

    def __str__(self) -> str:
        return self._url

    def _reset(self) -> None:
        self._opening = threading.Lock()
        self._lock = threading.Lock()
        self._connection: WebSocketConnection | None = None

    def _reset_in_child(self) -> None:
        if self._connection is not None:
            with suppress(OSError):
                self._connection.let_go()
        self._reset()

    def execute(self, program: str, params: Mapping[str, object]) -> ComputationChannel:
        """Run a program."""
        return self._listen("execute", {"program": program, **params})

    def preflight(self, program: str, params: Mapping[str, object]) -> ComputationChannel:
        """Try a detector on the past."""
        return self._listen("preflight", {"program": program, **params})

    def explain(self, incident_id: str, params: Mapping[str, object]) -> ComputationChannel:
        """Show the data and events behind an incident."""
        return self._listen("explain", {"incidentId": incident_id, **params})

    def attach(self, handle: str, params: Mapping[str, object]) -> ComputationChannel:
        """Listen to a computation that runs."""
        return self._listen("attach", {"handle": handle, **params})

    def start(self, program: str, params: Mapping[str, object]) -> None:
        """Run a program that nobody listens to."""
        self._send({"type": "start", "program": program, **params})

    def keepalive(self, handle: str) -> None:
        """Have a computation go on."""
        self._send({"type": "keepalive", "handle": handle})

    def stop(self, handle: str, params: Mapping[str, object]) -> None:
        """End a computation."""
        self._send({"type": "stop", "handle": handle, **params})

    def close(self, code: int = 1001, reason: str | None = None) -> None:
        """Close the connection, if there is one; the next request opens another."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close(code, reason)

    @staticmethod
    def decode_binary_message(message: bytes) -> dict[str, Any] | None:
        """Return a binary message as a dict, None when it cannot be read."""
        try:
            return read_frame(message)
        except FrameError:
            return None

    def _listen(self, kind: str, request: Mapping[str, object]) -> ComputationChannel:
        full = {"type": kind, "compress": self._compress, **request}

        def begin(connection: WebSocketConnection) -> ComputationChannel:
            name = channel_name()
            channel = ComputationChannel(name, lambda: self._detach(name))
            connection.add(channel)
            try:
                connection.send({**full, "channel": name})
            except SignalFlowException:
                connection.forget(name)
                raise
            return channel

        return self._on_a_connection(begin)

    def _send(self, request: Mapping[str, object]) -> None:
        self._on_a_connection(lambda connection: connection.send(request))

    def _on_a_connection(self, use: Callable[[WebSocketConnection], _Result]) -> _Result:
        try:
            return use(self._opened())
        except SignalFlowConnectionError as error:
            if not error.code:
                raise
            # The connection had died unnoticed.
            return use(self._opened())

    def _detach(self, name: str) -> None:
        with self._lock:
            connection = self._connection
        if connection is not None and not connection.is_over:
            connection.forget(name)
            with suppress(SignalFlowException):
                connection.send({"type": "detach", "channel": name})

    def _opened(self) -> WebSocketConnection:
        """Return a connection that let us in."""
        with self._opening:
            with self._lock:
                current = self._connection
            if current is not None and not current.is_over:
                return current
            made = _connection_class()(
                self._url,
                self._token,
                USER_AGENT,
                self._timeout_s,
                self._idle_timeout_s,
                self._options,
            )
            with self._lock:
                self._connection = made
            return made


def _websocket_url(endpoint: str) -> str:
    scheme, separator, rest = endpoint.partition("://")
    known = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
    if not separator or scheme.lower() not in known or not rest.strip("/"):
        shown = endpoint.rpartition("@")[2]
        raise ConfigError(f"SignalFlow's endpoint {shown!r} is no URL; give https://HOST")
    return f"{known[scheme.lower()]}://{rest.rstrip('/')}{_PATH}"


def _checked_proxy(proxy_url: str) -> str:
    from websockets.sync.client import connect

    if "proxy" not in inspect.signature(connect).parameters:
        raise NotImplementedError("Websocket transport cannot be proxied!")
    return proxy_url


def _connection_class() -> type[WebSocketConnection]:
    # Loaded when the first connection is opened: to import the client costs nothing.
    try:
        from wf_instrument.backends.signalfx.signalflow.websocket_connection import (
            WebSocketConnection,
        )
    except ModuleNotFoundError as exc:
        raise MissingExtraError(
            "SignalFlow over WebSocket needs the package 'websockets', which is not installed; "
            "run: pip install 'wf-instrument[signalfx]'",
            name=exc.name,
        ) from exc
    return WebSocketConnection
