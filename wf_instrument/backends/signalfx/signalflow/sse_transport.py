"""SignalFlow over server-sent events: one HTTP connection a computation.

Threads: any calls; each computation has a thread `wf-instrument-signalflow-sse` that reads.
Locks: `_lock` guards the set of open streams.
Loss: none; a stream that is silent for too long ends, and its computation starts anew.

Source:
    WHATWG HTML, "Server-sent events", for the stream.
"""

from __future__ import annotations

import http.client
import json
import logging
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode, urlsplit

from wf_instrument.backends.signalfx.constants import (
    DEFAULT_STREAM_ENDPOINT,
    DEFAULT_TIMEOUT,
    USER_AGENT,
)
from wf_instrument.backends.signalfx.signalflow.channel import ComputationChannel, channel_name
from wf_instrument.backends.signalfx.signalflow.errors import (
    SignalFlowConnectionError,
    SignalFlowException,
)
from wf_instrument.backends.signalfx.signalflow.messages import (
    ChannelAbortMessage,
    EndOfChannelMessage,
    StreamMessage,
)
from wf_instrument.errors import ConfigError
from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import RateLimitedLog, caught
from wf_instrument.sender.http_pool import tls_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping

__all__ = ["SSETransport", "read_events"]

log = logging.getLogger(__name__)
_log = RateLimitedLog(log)

IDLE_TIMEOUT_S: Final = 60.0
_MAX_ANSWER: Final = 100_000
#: A line that is longer is none of this service.
_MAX_LINE: Final = 64 * 1024 * 1024
_OK: Final = 200


class SSETransport:
    """Carries requests over HTTP, and messages as server-sent events.

    Args:
        token: Sent as `X-SF-Token`.
        endpoint: `https://HOST`, or `http://HOST:PORT`.
        timeout: Seconds, to connect and be answered.
        compress: Has no meaning here.
        proxy_url: An HTTP proxy on the way.
        ca_certs: Certificates to trust, in place of the system's.
        idle_timeout_s: After so long a silence a stream ends.

    Raises:
        ConfigError: The endpoint or the proxy is no such URL, or `ca_certs` cannot be read.
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
        self._endpoint = endpoint.rstrip("/")
        self._is_encrypted, self._host, self._port, self._path = _address(self._endpoint)
        self._proxy = None if proxy_url is None else _address(proxy_url)
        self._context: ssl.SSLContext | None = tls_context(ca_certs) if self._is_encrypted else None
        self._timeout_s = timeout
        self._idle_timeout_s = idle_timeout_s
        self._headers = {
            "Content-Type": "text/plain",
            "X-SF-Token": token,
            "User-Agent": USER_AGENT,
        }
        self._reset()
        reset_after_fork(self._reset)

    def __repr__(self) -> str:
        return f"SSETransport({self._endpoint!r})"

    def __str__(self) -> str:
        return f"sse+{self._endpoint}"

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._streams: set[ComputationChannel] = set()

    def execute(self, program: str, params: Mapping[str, object]) -> ComputationChannel:
        """Run a program."""
        return self._listen("execute", params, program)

    def preflight(self, program: str, params: Mapping[str, object]) -> ComputationChannel:
        """Try a detector on the past."""
        return self._listen("preflight", params, program)

    def attach(self, handle: str, params: Mapping[str, object]) -> ComputationChannel:
        """Listen to a computation that runs."""
        return self._listen(f"{quote(handle, safe='')}/attach", params, "")

    def explain(self, incident_id: str, params: Mapping[str, object]) -> ComputationChannel:
        """Raise NotImplementedError: the service offers it over WebSocket alone."""
        raise NotImplementedError("explain works over WebSocket alone")

    def start(self, program: str, params: Mapping[str, object]) -> None:
        """Run a program that nobody listens to."""
        self._send("start", params, program)

    def keepalive(self, handle: str) -> None:
        """Have a computation go on."""
        self._send(f"{quote(handle, safe='')}/keepalive", {}, "")

    def stop(self, handle: str, params: Mapping[str, object]) -> None:
        """End a computation."""
        self._send(f"{quote(handle, safe='')}/stop", params, "")

    def close(self) -> None:
        """End all streams."""
        with self._lock:
            streams, self._streams = self._streams, set()
        for channel in streams:
            channel.close()

    def _send(self, call: str, params: Mapping[str, object], body: str) -> None:
        connection, _, answer = self._request(call, params, body, is_stream=False)
        with suppress(OSError, http.client.HTTPException):
            answer.read(_MAX_ANSWER)
        connection.close()

    def _listen(self, call: str, params: Mapping[str, object], body: str) -> ComputationChannel:
        connection, sock, answer = self._request(call, params, body, is_stream=True)
        sock.settimeout(self._idle_timeout_s)

        def hang_up() -> None:
            # Closing alone does not wake the thread that reads.
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

        channel = ComputationChannel(channel_name(), hang_up)
        with self._lock:
            self._streams.add(channel)
        threading.Thread(
            target=self._read,
            args=(channel, connection, answer),
            name="wf-instrument-signalflow-sse",
            daemon=True,
        ).start()
        return channel

    def _read(
        self,
        channel: ComputationChannel,
        connection: http.client.HTTPConnection,
        answer: http.client.HTTPResponse,
    ) -> None:
        try:
            for kind, data in read_events(answer):
                message = _decoded(kind, data)
                if isinstance(message, SignalFlowException):
                    channel.end(message)
                    return
                if message is not None:
                    channel.offer(message)
                if isinstance(message, (EndOfChannelMessage, ChannelAbortMessage)):
                    return
        except (OSError, ValueError, http.client.HTTPException) as exc:
            log.debug("a SignalFlow stream ended: %s", type(exc).__name__)
        except Exception as error:  # noqa: BLE001 - who waits for messages must not wait for ever
            caught("signalflow.sse", error)
        finally:
            channel.end()
            with self._lock:
                self._streams.discard(channel)
            answer.close()
            connection.close()

    def _request(
        self, call: str, params: Mapping[str, object], body: str, *, is_stream: bool
    ) -> tuple[http.client.HTTPConnection, socket.socket, http.client.HTTPResponse]:
        query = urlencode({name: _query_value(value) for name, value in params.items()})
        target = f"{self._path}/v2/signalflow/{call}" + (f"?{query}" if query else "")
        connection, prefix = self._connection()
        headers = dict(self._headers)
        if is_stream:
            headers["Accept"] = "text/event-stream"
        try:
            connection.connect()
            # Kept, since the connection lets go of it when the answer says that it closes.
            sock = connection.sock
            connection.request("POST", prefix + target, body.encode(), headers)
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as exc:
            connection.close()
            text = f"no answer from {self._host}: {exc or type(exc).__name__}"
            raise SignalFlowConnectionError(0, text) from exc
        # Without a stream any success will do.
        if answer.status == _OK or (not is_stream and 200 <= answer.status < 300):
            return connection, sock, answer
        try:
            raise _refusal(answer)
        finally:
            connection.close()

    def _connection(self) -> tuple[http.client.HTTPConnection, str]:
        """Return a connection, and what stands before the path for a proxy."""
        _, host, port, _ = self._proxy or (False, self._host, self._port, "")
        if not self._is_encrypted:
            prefix = "" if self._proxy is None else f"http://{self._host}:{self._port}"
            return http.client.HTTPConnection(host, port, timeout=self._timeout_s), prefix
        connection = http.client.HTTPSConnection(
            host, port, timeout=self._timeout_s, context=self._context
        )
        if self._proxy is not None:
            connection.set_tunnel(self._host, self._port)
        return connection, ""


def read_events(lines: Any) -> Iterator[tuple[str, str]]:
    """Yield type and data of each event of a stream; one that is cut short is left out.

    Args:
        lines: Has `readline`.

    Raises:
        ValueError: A line is far too long.
    """
    kind, data = "", list[str]()
    while True:
        raw = lines.readline(_MAX_LINE)
        if not raw.endswith(b"\n"):
            if len(raw) >= _MAX_LINE:
                raise ValueError("a line of server-sent events is far too long")
            return
        line = raw.rstrip(b"\r\n").decode("utf-8", "replace")
        if not line:
            if data:
                yield kind, "\n".join(data)
            kind, data = "", []
            continue
        name, _, value = line.partition(":")
        if name == "event":
            kind = value.removeprefix(" ")
        elif name == "data":
            data.append(value.removeprefix(" "))


def _decoded(kind: str, data: str) -> StreamMessage | SignalFlowException | None:
    try:
        payload = json.loads(data)
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        _log.warning("event", "SignalFlow sent an event that is no JSON object")
        return None
    if payload.get("error"):
        return _error(payload, 0)
    return StreamMessage.decode(kind or payload.get("type"), payload)


def _refusal(answer: http.client.HTTPResponse) -> SignalFlowException:
    if "application/json" in (answer.getheader("Content-Type") or ""):
        with suppress(ValueError, OSError, http.client.HTTPException, RecursionError):
            body = json.loads(answer.read(_MAX_ANSWER))
            if isinstance(body, dict):
                return _error({**body, "error": answer.status}, answer.status)
    return SignalFlowException(answer.status)


def _error(payload: Mapping[str, Any], default: int) -> SignalFlowException:
    code, text, kind = payload.get("error"), payload.get("message"), payload.get("errorType")
    return SignalFlowException(
        code if isinstance(code, int) else default,
        None if text is None else str(text),
        None if kind is None else str(kind),
    )


def _address(url: str) -> tuple[bool, str, int, str]:
    """Return of a URL whether it is https, its host, port and path."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in {"http", "https"}:
        raise ConfigError(f"{url.rpartition('@')[2]!r} is no URL; give https://HOST")
    is_encrypted = parts.scheme == "https"
    return is_encrypted, host, port or (443 if is_encrypted else 80), parts.path.rstrip("/")


def _query_value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
