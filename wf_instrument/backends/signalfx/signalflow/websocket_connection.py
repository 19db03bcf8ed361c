"""One WebSocket to the service, shared by many channels, from its opening to its end.

Threads: whoever needs it first opens it; from then on its own thread `wf-instrument-signalflow`
    reads, and any thread sends.
Locks: `_lock` guards the channels; the WebSocket has its own.
Loss: what cannot be read, or is for nobody, is counted in `undecodable` and told.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import connect

from wf_instrument.backends.signalfx.signalflow.errors import (
    FrameError,
    SignalFlowConnectionError,
    SignalFlowException,
)
from wf_instrument.backends.signalfx.signalflow.frames import read_frame
from wf_instrument.backends.signalfx.signalflow.messages import (
    ChannelAbortMessage,
    EndOfChannelMessage,
    StreamMessage,
)
from wf_instrument.guard import RateLimitedLog, caught

if TYPE_CHECKING:
    from collections.abc import Mapping

    from websockets.sync.client import ClientConnection

    from wf_instrument.backends.signalfx.signalflow.channel import ComputationChannel

__all__ = ["WebSocketConnection", "decoded"]

log = logging.getLogger(__name__)
_log = RateLimitedLog(log)

#: For the other side to answer a close.
_CLOSE_TIMEOUT_S: Final = 1.0
_ABNORMAL: Final = 1006
#: The connection broke, or the server restarts: nothing was refused.
#: Source: RFC 6455, section 7.4.1, and the WebSocket Close Code Number Registry.
_GOING_AWAY: Final = frozenset({1001, 1006, 1012, 1013})


class WebSocketConnection:
    """Opens, is let in, reads.

    Args:
        url: Where.
        token: Sent in the first message; shown nowhere.
        user_agent: Who asks.
        timeout_s: To connect, and again to be let in.
        idle_timeout_s: After so long a silence the connection is given up.
        options: Further arguments of `websockets.sync.client.connect`.

    Attributes:
        undecodable: How many messages could not be read, or were for nobody.

    Raises:
        SignalFlowConnectionError: Nobody is there, or does not answer in time.
        SignalFlowException: The service refused.
    """

    def __init__(
        self,
        url: str,
        token: str,
        user_agent: str,
        timeout_s: float,
        idle_timeout_s: float,
        options: Mapping[str, Any],
    ) -> None:
        self.undecodable = 0
        self._idle_timeout_s = idle_timeout_s
        self._lock = threading.Lock()
        self._channels: dict[str, ComputationChannel] = {}
        self._is_over = False
        self._websocket = _opened(url, timeout_s, options)
        try:
            self._authenticate(token, user_agent, time.monotonic() + timeout_s)
        except BaseException:
            self._websocket.close()
            raise
        threading.Thread(target=self._read, name="wf-instrument-signalflow", daemon=True).start()

    @property
    def is_over(self) -> bool:
        """Whether it is of no more use."""
        return self._is_over

    def add(self, channel: ComputationChannel) -> None:
        """Have a channel's messages go there.

        Raises:
            SignalFlowConnectionError: The connection is over.
        """
        with self._lock:
            if self._is_over:
                raise SignalFlowConnectionError(_ABNORMAL, "the connection is closed")
            self._channels[channel.name] = channel

    def forget(self, name: str) -> None:
        """Have a channel's messages go nowhere."""
        with self._lock:
            self._channels.pop(name, None)

    def send(self, request: Mapping[str, object]) -> None:
        """Send a request.

        Raises:
            SignalFlowConnectionError: The connection is over.
        """
        try:
            self._websocket.send(json.dumps(request))
        except (ConnectionClosed, OSError) as exc:
            self._is_over = True
            raise SignalFlowConnectionError(_ABNORMAL, "the connection is closed") from exc

    def close(self, code: int = 1001, reason: str | None = None) -> None:
        """Close, and end all channels."""
        self._end()
        self._websocket.close(code, reason or "")

    def let_go(self) -> None:
        """Close the socket alone, in a forked child: the parent still speaks on it."""
        self._is_over = True
        self._websocket.socket.close()

    def _authenticate(self, token: str, user_agent: str, deadline: float) -> None:
        self.send({"type": "authenticate", "token": token, "userAgent": user_agent})
        while True:
            try:
                raw = self._websocket.recv(timeout=max(0.01, deadline - time.monotonic()))
            except TimeoutError:
                raise SignalFlowConnectionError(0, "not let in within the time-out") from None
            except ConnectionClosed as exc:
                code, reason = _close_code(exc)
                kind = SignalFlowConnectionError if code in _GOING_AWAY else SignalFlowException
                raise kind(code, reason or "not let in") from None
            message = decoded(raw)
            if message is None:
                continue
            if message.get("type") == "authenticated":
                return
            if message.get("type") == "error" or message.get("error"):
                raise _refusal(message)

    def _read(self) -> None:
        try:
            while not self._is_over:
                self._dispatch(self._websocket.recv(timeout=self._idle_timeout_s))
        except TimeoutError:
            log.warning("SignalFlow was silent for %g s: connecting anew", self._idle_timeout_s)
        except ConnectionClosed as exc:
            log.debug("SignalFlow closed the connection with %d", _close_code(exc)[0])
        except Exception as error:  # noqa: BLE001 - who waits for messages must not wait for ever
            caught("signalflow.read", error)
        finally:
            self._end()
            self._websocket.close()

    def _dispatch(self, raw: str | bytes) -> None:
        message = decoded(raw)
        if message is None:
            self.undecodable += 1
            return
        if message.get("event") == "KEEP_ALIVE":
            return
        name = message.get("channel")
        with self._lock:
            channel = self._channels.get(name) if isinstance(name, str) else None
        if channel is None:
            self.undecodable += 1
            if message.get("type") == "error" or message.get("error"):
                _log.warning("error", "SignalFlow, to no channel: %s", _refusal(message))
            return
        if message.get("error"):
            self.forget(channel.name)
            channel.end(_refusal(message))
            return
        kind = message.get("type")
        decoded_message = StreamMessage.decode(kind if isinstance(kind, str) else None, message)
        if decoded_message is None:
            return
        channel.offer(decoded_message)
        if isinstance(decoded_message, (EndOfChannelMessage, ChannelAbortMessage)):
            self.forget(channel.name)
            channel.end()

    def _end(self) -> None:
        with self._lock:
            self._is_over = True
            channels, self._channels = list(self._channels.values()), {}
        for channel in channels:
            channel.end()


def decoded(raw: str | bytes) -> dict[str, Any] | None:
    """Return a message as a dict; None, and a warning, for what is none."""
    try:
        if isinstance(raw, bytes):
            return read_frame(raw)
        message = json.loads(raw)
        if not isinstance(message, dict):
            raise FrameError("a text message that is no object")
    except (FrameError, ValueError, RecursionError) as error:
        _log.warning("frame", "SignalFlow sent what cannot be read: %s", error)
        return None
    return message


def _opened(url: str, timeout_s: float, options: Mapping[str, Any]) -> ClientConnection:
    try:
        opening = connect(
            url,
            open_timeout=timeout_s,
            close_timeout=_CLOSE_TIMEOUT_S,
            max_size=None,
            **options,
        )
        # Its own way to begin; not as a block, since it ends on another thread.
        websocket: ClientConnection = opening.__enter__()
        return websocket
    except InvalidStatus as exc:
        raise SignalFlowException(exc.response.status_code, "no WebSocket there") from exc
    except (OSError, WebSocketException, EOFError) as exc:  # TimeoutError among them
        raise SignalFlowConnectionError(0, f"cannot connect: {exc or type(exc).__name__}") from exc


def _close_code(exc: ConnectionClosed) -> tuple[int, str]:
    return (_ABNORMAL, "") if exc.rcvd is None else (exc.rcvd.code, exc.rcvd.reason)


def _refusal(message: Mapping[str, Any]) -> SignalFlowException:
    code, kind = message.get("error"), message.get("errorType")
    text = message.get("message") or message.get("errors")
    return SignalFlowException(
        code if isinstance(code, int) else 0,
        None if text is None else str(text),
        kind if isinstance(kind, str) else None,
    )
