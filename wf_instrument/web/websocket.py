"""One WebSocket connection: accepted or refused, what passes, and how it ends.

Threads: the connection stays in its event loop's thread; the pipeline's thread calls
    `peek_handle` and `totals`, and only reads what the loop's thread writes.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

from wf_instrument.guard import caught, guard
from wf_instrument.reporting.snapshot import WebSocketEnd
from wf_instrument.web.asgi import AsgiRequest
from wf_instrument.web.series import ABSENT

if TYPE_CHECKING:
    from wf_instrument.reporting.snapshot import Outcome
    from wf_instrument.web.asgi import AsgiTelemetry, Message, Receive, Scope, Send
    from wf_instrument.web.recorder import Recorder
    from wf_instrument.web.websocket_series import WebSocketTotals

__all__ = ["WebSocketRecord"]

_SWITCHING_PROTOCOLS: Final = 101
_FORBIDDEN: Final = 403

#: Close codes that say the peer broke the rules, or the limits, of the connection.
#: Source: RFC 6455, section 7.4.1; `1000`, `1001`, `1005`, the server's own restart `1012` and
#: the application's private codes from 3000 on are ordinary ends.
_CLIENT_FAULTS: Final = frozenset({1002, 1003, 1007, 1008, 1009, 1010})
_SERVER_FAULTS: Final = frozenset({1011, 1013, 1014})
#: Litestar closes with 4000 and the status that an exception has; others use them at will.
_FAILED_STATUSES: Final = range(4500, 4600)
_LOST: Final = 1006


class WebSocketRecord(AsgiRequest):
    """One connection; also the `receive` and `send` that the application is given.

    Attributes:
        messages_received: From the client, so far.
        messages_sent: To the client, so far.
        close_code: Of the side that closed first; None while open, or when there was none.
        drained, blocked_ns, is_closed, ended, duration_ns: As of `LiveWebSocket`.
    """

    is_websocket: bool = True
    messages_received: int = 0
    messages_sent: int = 0
    close_code: int | None = None
    closed_mono_ns: int = 0
    drained: WebSocketTotals = (0, 0, 0, 0, 0)
    is_closed: bool = False
    ended: WebSocketEnd | None = None
    duration_ns: int = -1
    has_cpu: bool = False
    _folded_cpu_ns: int = 0
    _refused_send: OSError | None = None

    def __init__(self, driver: AsgiTelemetry, scope: Scope, receive: Receive, send: Send) -> None:
        self.blocked_ns: list[int] = []
        self.has_cpu = driver.recorder.cpu_clock is not None
        super().__init__(driver, scope, receive, send)
        # Source: ASGI, "WebSocket Connection Scope": what a missing scheme means.
        self._scheme = "wss" if scope.get("scheme", "ws") in {"wss", "https"} else "ws"

    async def receive(self) -> Message:
        """Pass on what the client sends, and count it."""
        message = await self._receive()
        try:
            kind = message["type"]
            if kind == "websocket.receive":
                self.request_bytes += _size(message)
                self.messages_received += 1
            elif kind == "websocket.disconnect":
                # Servers also say so after a close of the application's; the first one counts.
                self._has_left = True
                self._close(message.get("code") or 1005)
            self._note_blocking()
        except Exception as error:  # noqa: BLE001 - the border to the application
            caught("websocket.receive", error)
        return message

    async def send(self, message: Message) -> None:
        """Pass on what the application sends, and count what was taken."""
        kind = None
        try:
            kind = message["type"]
            if kind != "websocket.send":
                self._note(kind, message)
            self._note_blocking()
        except Exception as error:  # noqa: BLE001 - the border to the application
            caught("websocket.send", error)
        try:
            await self._send(message)
        except OSError as error:
            # Source: ASGI, "HTTP & WebSocket ASGI Message Format", "Disconnected Client".
            self._refused_send = error
            self._has_left = True
            self._close(_LOST)
            raise
        if kind == "websocket.send":
            try:
                self.response_bytes += _size(message)
                self.messages_sent += 1
            except Exception as error:  # noqa: BLE001 - the border to the application
                caught("websocket.send", error)

    def _note(self, kind: str, message: Message) -> None:
        """Note how the handshake is answered, and the end."""
        if kind == "websocket.accept":
            self._answer(_SWITCHING_PROTOCOLS)
        elif kind == "websocket.http.response.start":
            self._answer(message["status"])
        elif kind == "websocket.http.response.body":
            if not message.get("more_body", False):
                self._close(None)
        elif kind == "websocket.close" and not self.is_closed:
            if self.status:
                self._close(message.get("code") or 1000)
            else:
                self._answer(_FORBIDDEN)
                self._close(None)

    def _answer(self, status: int) -> None:
        """Note the answer to the handshake, and the route, while the framework still knows it."""
        self.first_byte_ns = time.perf_counter_ns()
        self.status = status
        self._note_handled_error(status >= 500)
        if self.handle is None:
            self.handle = self.resolve_handle()

    def _close(self, code: int | None) -> None:
        if self.is_closed:
            return
        self.closed_mono_ns = time.perf_counter_ns()
        self.close_code = code if self.status == _SWITCHING_PROTOCOLS else None
        self.is_closed = True
        if not self._has_left:
            self._note_handled_error(code in _SERVER_FAULTS or code in _FAILED_STATUSES)

    def _note_handled_error(self, is_fault: bool) -> None:
        """Note the exception that the framework turns into this answer."""
        error = sys.exc_info()[1] if is_fault else None
        if isinstance(error, Exception):
            self.fail(error)

    def _note_blocking(self) -> None:
        """Take the longest step so far, if it is one to tell of, and start over."""
        if self.longest_step_ns > self.recorder.loop_block_ns:
            self.blocked_ns.append(self.longest_step_ns)
            self.longest_step_ns = 0

    def totals(self) -> WebSocketTotals:
        """Return what passed so far; called by the draining thread alone."""
        parts = self.thread_cpu_ns
        if parts:
            # Folded, since a connection may live for days.
            n = len(parts)
            self._folded_cpu_ns += sum(parts[:n])
            del parts[:n]
        return (
            self.messages_received,
            self.messages_sent,
            self.request_bytes,
            self.response_bytes,
            self.cpu_ns + self._folded_cpu_ns,
        )

    def escaped(self, error: BaseException) -> None:
        """Note an exception that left the handler."""
        with guard("websocket.escaped"):
            if self._tells_of_leaving(error):
                return
            if isinstance(error, Exception):
                self.fail(error)
                # Before an answer, servers answer an exception with a 500.
                self.status = self.status or 500
            elif not self.is_closed:
                self.outcome, self.error = "cancelled", error

    def _tells_of_leaving(self, error: BaseException) -> bool:
        """Whether an exception only says that the client has gone."""
        if not self._has_left:
            return False
        parts = getattr(error, "exceptions", None)
        if isinstance(parts, tuple) and parts:  # a group, of the tasks that a handler started
            return all(map(self._tells_of_leaving, parts))
        if error is self._refused_send or not isinstance(error, Exception):
            return True
        # By name: Starlette need not be installed.
        return any(kind.__name__ == "WebSocketDisconnect" for kind in type(error).__mro__)

    def returned(self) -> None:
        """Note that the handler is done. Never raises."""
        self.finish()

    def finish(self) -> None:
        """Record the connection and let go of the scope; harmless when called again."""
        if self.is_finished:
            return
        self.is_finished = True
        now_ns = time.perf_counter_ns()
        recorder = self.recorder
        try:
            self._record(recorder, (self.closed_mono_ns or now_ns) - self.started_mono_ns)
        except Exception as error:  # noqa: BLE001 - the border to the application
            caught("websocket.finish", error)
        finally:
            self.is_closed = True
            # Neither may outlive the connection; the error would keep the frames it passed.
            self.scope = self._refused_send = None
            live = recorder.websockets.live
            if self in live:
                live.discard(self)
                recorder.websockets.ended.append(self)
                if len(recorder.websockets.ended) >= recorder.fold_after:
                    recorder.pipeline.wake()

    def _record(self, recorder: Recorder, latency_ns: int) -> None:
        self._note_blocking()
        handle = self.handle
        if handle is None:
            handle = self.handle = self.resolve_handle()
        outcome = self.outcome = self.outcome or self._outcome()
        if not self.status:
            self.status = 499 if outcome in {"client_disconnect", "cancelled"} else 500
        if self.status == _SWITCHING_PROTOCOLS:
            self.duration_ns = latency_ns
        error = self.error
        self.ended = WebSocketEnd(
            self.status, outcome, None if error is None else type(error).__name__
        )
        if handle.route is None and self.status in {403, 404}:
            recorder.note_unmatched(self.path())
        span = self.span
        if span is not None:
            self._finish_span(span, handle, latency_ns)
        if recorder.extras is not None:
            cpu_ns = self.cpu_ns + self._folded_cpu_ns if self.has_cpu else ABSENT
            recorder.extras.finished(self, handle, latency_ns, cpu_ns)

    def _outcome(self) -> Outcome:
        """Return how a connection ended that nothing was raised in."""
        status, code = self.status, self.close_code
        if not status:
            return "client_disconnect" if self._has_left else "server_error"
        if status != _SWITCHING_PROTOCOLS:
            if status >= 500:
                return "server_error"
            return "client_error" if status >= 400 else "ok"
        if code == _LOST:
            return "client_disconnect"
        if code in _CLIENT_FAULTS:
            return "client_error"
        return "server_error" if code in _SERVER_FAULTS else "ok"

    def _has_raised(self) -> bool:
        # Also without an exception: the code it was closed with may say so.
        return super()._has_raised() or self.outcome == "server_error"

    def span_tags(self) -> list[tuple[str, object]]:
        """Return the server span's tags, with the code the connection was closed with."""
        tags = super().span_tags()
        if self.close_code is not None:
            tags.append(("websocket.close_code", str(self.close_code)))
        return tags


def _size(message: Message) -> int:
    data = message.get("bytes")
    if data is not None:
        return len(data)
    text: str = message.get("text") or ""
    # Text knows whether it is plain, so that only other text is encoded to be measured.
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
