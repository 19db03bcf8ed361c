"""Data points and events to the ingest service.

Threads: any calls. Points leave on the sender's worker, which the first `send` starts; events in
    the caller's thread.
Locks: `_lock` guards the sender, the extra dimensions and what earlier senders counted; while it
    is held points are queued, and nothing waits.
Fork: the child starts with an empty queue and its own sender; what the parent queued, it sends.
Loss: a full queue refuses the newest points and counts them in `dropped`; see `delivery.py`. What
    has not left by the deadline of `stop` is dropped, counted and told, or goes to the spool.
"""

from __future__ import annotations

import logging
import threading
import zlib
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from wf_instrument.backends.signalfx.constants import (
    DEFAULT_BATCH_SIZE,
    DEFAULT_INGEST_ENDPOINT,
    DEFAULT_TIMEOUT,
    USER_AGENT,
)
from wf_instrument.backends.signalfx.delivery import COUNTERS, POINTS, PointDelivery
from wf_instrument.backends.signalfx.field_rules import (
    LimitCheck,
    checked_category,
    checked_dimensions,
    checked_kind,
)
from wf_instrument.backends.signalfx.json_bytes import JsonEncoder
from wf_instrument.backends.signalfx.protobuf_bytes import ProtobufEncoder
from wf_instrument.backends.signalfx.request_errors import is_unsent, request_error
from wf_instrument.backends.signalfx.response import IngestResponse
from wf_instrument.errors import ConfigError, SendError
from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import RateLimitedLog
from wf_instrument.sender.batch_sender import BatchSender
from wf_instrument.sender.limits import SenderLimits
from wf_instrument.sender.spool import DEFAULT_MAX_BYTES, Spool, destination_name
from wf_instrument.sender.transport import HttpTransport, fits_a_header, is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from typing_extensions import Self

    from wf_instrument.backends.signalfx.field_rules import LimitMode

__all__ = ["IngestClient", "JsonSignalFxIngestClient", "ProtoBufSignalFxIngestClient"]

log = logging.getLogger(__name__)

STOP_TIMEOUT_S: Final = 10.0
_GZIP_WINDOW: Final = 31
_GZIP_LEVEL: Final = 6


class IngestClient:
    """Sends data points and events; its subclasses say in which format.

    Args:
        token: Organisation (access) token.
        endpoint: The service, or a gateway.
        timeout: Seconds, for a request.
        batch_size: Data points of a request; below 1 is 1.
        user_agents: A list of further names for the `User-Agent`.
        compress: Whether bodies go gzipped.
        max_queue_size: Points of one kind that may wait; further ones are refused.
        flush_interval_s: Seconds that fewer points than a batch wait for more.
        repeat_counters: Whether counters are sent again when they may have arrived: rather
            counted twice than not at all.
        limits: What to do about data that the service would drop without a word: `warn`, `raise`
            a ValueError, or `off`.
        on_error: Called with the `SendError` of every request that failed, on the worker.
        spool_dir: Folder for batches that cannot be delivered; without one they wait in memory.
        spool_bytes: How large the spool of one kind may become; then its oldest batches go.
        ca_file: Certificates to trust, in place of the system's.

    Raises:
        ConfigError: The endpoint is no URL, or the token cannot stand in a header.
    """

    _encoder_class: ClassVar[type[ProtobufEncoder | JsonEncoder]] = ProtobufEncoder

    def __init__(
        self,
        token: str,
        endpoint: str = DEFAULT_INGEST_ENDPOINT,
        timeout: float = DEFAULT_TIMEOUT,
        batch_size: int = DEFAULT_BATCH_SIZE,
        user_agents: list[str] | None = None,
        compress: bool = True,
        *,
        max_queue_size: int = 50_000,
        flush_interval_s: float = 1.0,
        repeat_counters: bool = False,
        limits: LimitMode = "warn",
        on_error: Callable[[SendError], None] | None = None,
        spool_dir: str | Path | None = None,
        spool_bytes: int = DEFAULT_MAX_BYTES,
        ca_file: str | None = None,
    ) -> None:
        if not isinstance(token, str) or not token or not fits_a_header(token):
            raise ConfigError("the SignalFx token is no word of visible ASCII characters")
        # Without the token: ours travels in a header of its own.
        self._transport = HttpTransport(endpoint, ca_file=ca_file)
        if not self._transport.is_encrypted and not is_loopback(self._transport.host):
            log.warning("the SignalFx token travels over plain http to %s", self._transport.host)
        self._limit_check = LimitCheck(limits)
        self._encoder = self._encoder_class(self._limit_check)
        agents = user_agents if type(user_agents) is list else []
        self._headers = {
            "X-SF-Token": token,
            "User-Agent": " ".join([USER_AGENT, *agents]),
            "Content-Type": self._encoder.content_type,
        }
        self._timeout_s = timeout
        self._compress = compress
        self._deliver = PointDelivery(
            self._transport, self._headers, is_json=self._encoder_class is JsonEncoder,
            compress=compress, timeout_s=timeout, on_error=on_error,
        )  # fmt: skip
        self._sender_limits = SenderLimits(
            queue_size=max_queue_size,
            batch_size=max(1, batch_size),
            flush_interval_s=flush_interval_s,
        )
        self._counter_kind = POINTS if repeat_counters else COUNTERS
        self._spool = (
            None
            if spool_dir is None
            else partial(
                Spool,
                Path(spool_dir),
                f"signalfx-{self._encoder.content_type.rpartition('/')[2]}-"
                f"{destination_name(endpoint)}",
                max_bytes=spool_bytes,
            )
        )
        self._extra: dict[str, str] = {}
        self._leaves_exit = False
        self._log = RateLimitedLog(log)
        self._reset()
        reset_after_fork(self._reset)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._transport.server!r})"

    def _reset(self) -> None:
        # Reentrant: a finalizer or a signal handler may send.
        self._lock = threading.RLock()
        self._sender: BatchSender | None = None
        self._past = {"sent": 0, "dropped": 0, "errors": 0}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def send(
        self,
        cumulative_counters: list[dict[str, Any]] | None = None,
        gauges: list[dict[str, Any]] | None = None,
        counters: list[dict[str, Any]] | None = None,
    ) -> None:
        """Queue data points; all of them, or none when one is no good.

        A point is a dict with `metric`, `value`, and if wanted `timestamp` in milliseconds and
        `dimensions`. Nothing of it is kept or changed. Never waits; a full queue drops and counts.

        Raises:
            KeyError: A point has no `metric` or no `value`.
            TypeError: A kind is no list, a name or a dimension no string.
            ValueError: A value cannot be sent: no number or text, or beyond 64 bits.
        """
        made: list[tuple[str, bytes]] = []
        point, extra, lane = self._encoder.point, self._extra, POINTS
        if cumulative_counters:
            points = checked_kind("cumulative_counters", cumulative_counters)
            made += [(lane, point("cumulative_counter", one, extra)) for one in points]
        if gauges:
            points = checked_kind("gauges", gauges)
            made += [(lane, point("gauge", one, extra)) for one in points]
        if counters:
            points, lane = checked_kind("counters", counters), self._counter_kind
            made += [(lane, point("counter", one, extra)) for one in points]
        if made:
            self.put_encoded(made)

    def encode(self, kind: str, point: Mapping[str, Any]) -> tuple[str, bytes]:
        """Return a point as `put_encoded` takes it; raises what `send` does.

        Args:
            kind: `gauge`, `counter` or `cumulative_counter`.
            point: As of `send`.
        """
        lane = self._counter_kind if kind == "counter" else POINTS
        return lane, self._encoder.point(kind, point, self._extra)

    def put_encoded(self, points: Iterable[tuple[str, bytes]]) -> list[bool]:
        """Queue points made by `encode`; returns of each whether there was room."""
        with self._lock:
            put = (self._sender or self._make_sender()).put
            return [put(lane, point) for lane, point in points]

    def send_event(
        self,
        event_type: str,
        category: str | None = None,
        dimensions: dict[str, str] | None = None,
        properties: dict[str, Any] | None = None,
        timestamp: float | None = None,
    ) -> IngestResponse:
        """Send an event now, in the caller's thread.

        Args:
            event_type: What it is, `deployments` for example.
            category: One of `SUPPORTED_EVENT_CATEGORIES`.
            dimensions: What it is about.
            properties: What else is known; strings, numbers and booleans.
            timestamp: Milliseconds since the epoch; the service's clock when left out.

        Returns:
            The answer, whose `ok` says whether the service took it; a refusal is also logged and
            counted.

        Raises:
            TypeError: `event_type` or a dimension is no string.
            ValueError: The category is unknown, or a property cannot be sent.
            SendError: No answer came; also an exception of `requests` where that is installed.
        """
        given = checked_dimensions({} if dimensions is None else dimensions)
        body = self._encoder.event(
            event_type,
            checked_category(category),
            {**given, **self._extra},
            checked_dimensions({} if properties is None else properties),
            int(timestamp) if timestamp else None,
        )
        headers = dict(self._headers)
        if self._compress:
            headers["Content-Encoding"] = "gzip"
            packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
            body = packer.compress(body) + packer.flush()
        status, content = self._exchange(body, headers)
        if status >= 300:
            self._deliver.errors[f"HTTP{status}"] += 1
            self._log.warning(
                f"event {status}", "SignalFx refused an event with %d: %.300s", status, content
            )
        return IngestResponse(status, content)

    def _exchange(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        for is_last in (False, True):
            try:
                return self._transport.exchange("/v2/event", body, headers, self._timeout_s)
            except SendError as error:
                # Once more when nothing of it left: the address may have another server behind it.
                if is_last or not is_unsent(error):
                    raise request_error(error) from None
        raise AssertionError("unreachable")

    def add_dimensions(self, dimensions: Mapping[str, str | None]) -> None:
        """Have all points and events from now on carry these dimensions, over their own.

        One whose value is None, as of a cloud id where there is no cloud, is left out.

        Raises:
            TypeError: A name or value is no string.
        """
        for key, value in dimensions.items():
            if not isinstance(key, str) or not isinstance(value, (str, type(None))):
                raise TypeError(f"dimension {key!r} is not from a string to a string")
        known = {key: value for key, value in dimensions.items() if value is not None}
        with self._lock:
            # Replaced, not changed: a `send` under way goes on with what it began with.
            self._extra = {**self._extra, **known}

    def remove_dimensions(self, dimension_names: Iterable[str]) -> None:
        """Have points and events carry these dimensions no longer; unknown names are ignored."""
        names = set(dimension_names)
        with self._lock:
            self._extra = {key: value for key, value in self._extra.items() if key not in names}

    def reset_error_counters(self) -> defaultdict[str, int]:
        """Return how many requests failed, by name (`HTTP401`, ...), and start anew."""
        errors, self._deliver.errors = self._deliver.errors, type(self._deliver.errors)()
        return defaultdict(int, errors)

    @property
    def sent(self) -> int:
        """How many points the service took."""
        return self._total("sent")

    @property
    def dropped(self) -> int:
        """How many points were lost: refused by a full queue or the service, or left at the end."""
        return self._total("dropped")

    @property
    def failed_requests(self) -> int:
        """How many requests failed; their points were sent again, unless they count as dropped."""
        return self._total("errors")

    @property
    def beyond_limits(self) -> int:
        """How often a name or dimension was found beyond the service's limits."""
        return self._limit_check.beyond

    @property
    def waiting(self) -> int:
        """How many points wait in memory."""
        with self._lock:
            sender = self._sender
            return 0 if sender is None else sum(map(sender.waiting, sender.counts))

    def flush(self, timeout_s: float = STOP_TIMEOUT_S) -> bool:
        """Wait up to `timeout_s` until all that was queued so far has left; False if not."""
        sender = self._sender
        return sender is None or sender.flush(timeout_s)

    def stop(self, msg: str = "Thread stopped", timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Send what is queued, within `timeout_s`, and end the worker.

        The client may be used again afterwards. A receiver that is down is not waited for.

        Args:
            msg: Logged at DEBUG.
            timeout_s: After it, what is left is dropped and counted, or goes to the spool.
        """
        with self._lock:
            sender, self._sender = self._sender, None
        if sender is None:
            return
        log.debug("stopping: %s", msg)
        sender.close(timeout_s)
        with self._lock:
            for name, number in _figures(sender).items():
                self._past[name] += number
        self._transport.close()

    def leave_exit_to_owner(self) -> None:
        """Do not flush when the interpreter ends: the caller promises to stop the client then."""
        with self._lock:
            self._leaves_exit = True
            if self._sender is not None:
                self._sender.leave_exit_to_owner()

    def _make_sender(self) -> BatchSender:
        """Caller holds `_lock`."""
        sender = BatchSender(
            "signalfx", (POINTS, COUNTERS), self._deliver, self._sender_limits, spool=self._spool
        )
        if self._leaves_exit:
            sender.leave_exit_to_owner()
        self._sender = sender
        return sender

    def _total(self, name: str) -> int:
        with self._lock:
            current = {} if self._sender is None else _figures(self._sender)
            return self._past[name] + current.get(name, 0)


class ProtoBufSignalFxIngestClient(IngestClient):
    """Sends data points and events as protocol buffers, without the package `protobuf`."""


class JsonSignalFxIngestClient(IngestClient):
    """Sends data points and events as JSON."""

    _encoder_class = JsonEncoder


def _figures(sender: BatchSender) -> dict[str, int]:
    counts = sender.counts.values()
    return {
        "sent": sum(one.delivered for one in counts),
        "dropped": sum(one.dropped + one.rejected for one in counts),
        "errors": sum(one.errors for one in counts),
    }
