"""The Wavefront client: formats, queues and delivers, through a proxy or directly.

Threads: any; see `wf_instrument.sender.batch_sender`, which does the waiting and locking.
"""

from __future__ import annotations

import queue
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypedDict, get_args

from wf_instrument.backends.wavefront.client_constants import ClientConstants
from wf_instrument.backends.wavefront.client_metrics import ClientMetrics, auth_type_of
from wf_instrument.backends.wavefront.event_lines import event_to_json, event_to_line_data
from wf_instrument.backends.wavefront.feeders import Feeders
from wf_instrument.backends.wavefront.limits import ValidationMode, Validator
from wf_instrument.backends.wavefront.lines import (
    histogram_to_line_data,
    is_change,
    metric_to_line_data,
)
from wf_instrument.backends.wavefront.span_lines import (
    span_log_to_line_data,
    tracing_span_to_line_data,
)
from wf_instrument.backends.wavefront.text import is_blank, to_text
from wf_instrument.backends.wavefront.texts import Texts
from wf_instrument.errors import ConfigError, QueueFullError
from wf_instrument.identity import default_source
from wf_instrument.metrics.delta_counter import DELTA_PREFIXES
from wf_instrument.sender.batch_sender import BatchSender
from wf_instrument.sender.limits import SenderLimits
from wf_instrument.sender.spool import DEFAULT_MAX_BYTES, Spool, destination_name
from wf_instrument.sender.transport import HttpTransport

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from wf_instrument.backends.wavefront.feeders import Feeder
    from wf_instrument.sender.batch import Batch
    from wf_instrument.sender.transport import TokenSource
    from wf_instrument.tracing.span_data import SpanLog

__all__ = ["ClientOptions", "OnFull", "WavefrontClient"]

#: Kind to the `f=` of `/report`. Source: Wavefront SDK, `WAVEFRONT_*_FORMAT`.
FORMATS: Final = {
    "points": "wavefront",
    "histograms": "histogram",
    "spans": "trace",
    "span_logs": "spanLogs",
    "events": "event",
}
CLOSE_TIMEOUT_S: Final = 5.0
_SHORTEST_INTERVAL_S: Final = 0.01

#: What a full buffer means for the caller.
OnFull = Literal["refuse", "block"]


class ClientOptions(TypedDict, total=False):
    """What `WavefrontClient` takes by name alone; see there."""

    validation: ValidationMode
    on_full: OnFull
    block_timeout_s: float
    spool_dir: str | Path | None
    spool_bytes: int
    ca_file: str | None
    allow_insecure: bool


class WavefrontClient(ClientConstants):
    """Sends metrics, histograms, spans and events.

    Args:
        server: `http://proxy:2878` or `https://cluster`.
        token: API token for direct ingestion, or what gives one, a `CspTokenSource` for example;
            None or empty for a proxy.
        max_queue_size: Data of one kind that may wait; further ones are refused.
        batch_size: Data of one request.
        flush_interval_seconds: Seconds between two deliveries.
        enable_internal_metrics: Whether the client reports on itself, as `~sdk.python.core.sender`.
        queue_impl: Kept for programs of the Wavefront SDK; the client's own buffers are used.
        validation: What to do about data beyond the service's limits: `off`, `warn`, `truncate`
            or `strict`, which raises ValueError.
        on_full: `refuse` the newest datum when the buffer is full, or `block` the caller.
        block_timeout_s: How long a caller is blocked before the datum is refused after all.
        spool_dir: Folder for batches that cannot be delivered; without one they wait in memory.
        spool_bytes: How large one kind's spool may become; then its oldest batches go.
        ca_file: Certificates to trust, in place of the system's.
        allow_insecure: Whether a token may travel over plain HTTP to another machine.

    Raises:
        ConfigError: An argument cannot be used; see `HttpTransport` and `Spool`.
    """

    def __init__(
        self,
        server: str,
        token: str | TokenSource | None = None,
        max_queue_size: int = 50_000,
        batch_size: int = 10_000,
        flush_interval_seconds: float = 5,
        enable_internal_metrics: bool = True,
        queue_impl: type = queue.Queue,
        *,
        validation: ValidationMode = "truncate",
        on_full: OnFull = "refuse",
        block_timeout_s: float = 60.0,
        spool_dir: str | Path | None = None,
        spool_bytes: int = DEFAULT_MAX_BYTES,
        ca_file: str | None = None,
        allow_insecure: bool = False,
    ) -> None:
        if on_full not in get_args(OnFull):
            raise ConfigError(f"on_full is {on_full!r}; give one of {', '.join(get_args(OnFull))}")
        for name, number in (("max_queue_size", max_queue_size), ("batch_size", batch_size)):
            if not number >= 1:
                raise ConfigError(f"{name} is {number!r}; give 1 or more")
        self.server = server
        self._feeders = Feeders()
        self.default_source = default_source()
        self.enable_internal_metrics = enable_internal_metrics
        metrics = ClientMetrics(self, auth_type_of(token)) if enable_internal_metrics else None
        self._metrics = metrics
        self._transport = HttpTransport(
            server, token or None, ca_file=ca_file, allow_insecure=allow_insecure
        )
        self._is_direct = bool(token)
        self._texts = Texts(Validator(validation))
        self.sender = BatchSender(
            "wavefront",
            FORMATS,
            self._deliver,
            SenderLimits(
                queue_size=max_queue_size,
                batch_size=min(batch_size, max_queue_size),
                flush_interval_s=max(flush_interval_seconds, _SHORTEST_INTERVAL_S),
                block_s=block_timeout_s if on_full == "block" else 0.0,
            ),
            on_round=None if metrics is None else metrics.on_round,
            # The service takes one event a request; a proxy takes lines.
            batch_sizes={"events": 1} if self._is_direct else None,
            spool=None
            if spool_dir is None
            else partial(Spool, Path(spool_dir), destination_name(server), max_bytes=spool_bytes),
        )

    @property
    def validation_violations(self) -> dict[str, int]:
        """How often each of the service's limits was broken."""
        return dict(self._texts.validator.violations)

    def __repr__(self) -> str:
        return f"WavefrontClient({self._transport.server!r})"

    def send_metric(
        self,
        name: str,
        value: float,
        timestamp: int | None,
        source: str | None,
        tags: Mapping[str, str] | None,
    ) -> None:
        """Queue a point.

        Raises:
            ValueError: See `metric_to_line_data`.
            QueueFullError: The buffer is full; also a `queue.Full`.
        """
        # Not the context manager of the others, which costs as much as the line itself.
        try:
            line = metric_to_line_data(
                name, value, timestamp, source, tags, self.default_source, self._texts
            )
        except ValueError:
            self.sender.count_invalid("points")
            raise
        if not self.sender.put("points", line):
            raise self._full("points")

    def send_delta_counter(
        self,
        name: str,
        value: float,
        source: str | None,
        tags: Mapping[str, str] | None,
        timestamp: int | None = None,
    ) -> None:
        """Queue the change of a counter; one of 0 or below is ignored. Raises as `send_metric`."""
        with self._counting_invalid("points"):
            if is_blank(name):
                raise ValueError(f"delta counter name is {name!r}; it must not be blank")
            text = name if type(name) is str else to_text(name)
        if is_change(value):
            delta_name = text if text.startswith(DELTA_PREFIXES) else DELTA_PREFIXES[0] + text
            self.send_metric(delta_name, value, timestamp, source, tags)

    def send_distribution(
        self,
        name: str,
        centroids: Sequence[tuple[float, int]],
        histogram_granularities: Iterable[str],
        timestamp: int | None,
        source: str | None,
        tags: Mapping[str, str] | None,
    ) -> None:
        """Queue a distribution of (mean, count) pairs. Raises as `send_metric`."""
        with self._counting_invalid("histograms"):
            line = histogram_to_line_data(
                name,
                centroids,
                histogram_granularities,
                timestamp,
                source,
                tags,
                self.default_source,
                self._texts,
            )
        self._put("histograms", line)

    def send_span(
        self,
        name: str,
        start_millis: int,
        duration_millis: int,
        source: str | None,
        trace_id: uuid.UUID,
        span_id: uuid.UUID,
        parents: Iterable[uuid.UUID] | None,
        follows_from: Iterable[uuid.UUID] | None,
        tags: Iterable[tuple[str, str]] | None,
        span_logs: Sequence[SpanLog] | None,
    ) -> None:
        """Queue a span and its logs. Raises as `send_metric`."""
        with self._counting_invalid("spans"):
            line = tracing_span_to_line_data(
                name,
                start_millis,
                duration_millis,
                source,
                trace_id,
                span_id,
                parents,
                follows_from,
                tags,
                span_logs,
                self.default_source,
                self._texts,
            )
        self._put("spans", line)
        if span_logs:
            with self._counting_invalid("span_logs"):
                logs = span_log_to_line_data(trace_id, span_id, span_logs, line)
            self._put("span_logs", logs)

    def send_span_logs(
        self, trace_id: uuid.UUID, span_id: uuid.UUID, span_logs: Sequence[SpanLog]
    ) -> None:
        """Queue the logs of a span that was sent before. Raises as `send_metric`."""
        with self._counting_invalid("span_logs"):
            line = span_log_to_line_data(trace_id, span_id, span_logs)
        self._put("span_logs", line)

    def send_event(
        self,
        name: str,
        start_time: int,
        end_time: int | None,
        source: str | None,
        tags: Iterable[str] | None,
        annotations: Mapping[str, str] | None,
    ) -> None:
        """Queue an event; see `event_to_line_data`. Raises as `send_metric`."""
        to_text = event_to_json if self._is_direct else event_to_line_data
        with self._counting_invalid("events"):
            text = to_text(
                name, start_time, end_time, source, tags, annotations, self.default_source
            )
        self._put("events", text)

    def send_formatted_metric(self, line: str) -> None:
        """Queue a ready metric line.

        Raises:
            ValueError: It is blank, or more than one line.
            QueueFullError: The buffer is full.
        """
        with self._counting_invalid("points"):
            if is_blank(line) or "\n" in line.strip():
                raise ValueError(f"metric line is {line[:100]!r}; give one line")
        self._put("points", line.strip() + "\n")

    def send_metric_now(self, metrics: Sequence[str]) -> None:
        """Send ready metric lines at once.

        Raises:
            SendError: They were not taken.
        """
        self.sender.deliver_now("points", _ended(metrics))

    def send_distribution_now(self, distributions: Sequence[str]) -> None:
        """Send ready histogram lines at once. Raises SendError."""
        self.sender.deliver_now("histograms", _ended(distributions))

    def send_span_now(self, spans: Sequence[str]) -> None:
        """Send ready span lines at once. Raises SendError."""
        self.sender.deliver_now("spans", _ended(spans))

    def send_span_log_now(self, span_logs: Sequence[str]) -> None:
        """Send ready span log lines at once. Raises SendError."""
        self.sender.deliver_now("span_logs", _ended(span_logs))

    def send_event_now(self, events: Sequence[str]) -> None:
        """Send ready events at once: lines to a proxy, JSON to the service. Raises SendError."""
        self.sender.deliver_now("events", _ended(events))

    def report_internally(
        self, name: str, supplier: Callable[[], float], *, is_delta: bool = False
    ) -> None:
        """Add a metric to those the client sends about itself, if it does.

        Args:
            name: Behind `~sdk.python.`; `{kind}` in it stands for `proxy` or `direct`.
            supplier: Returns the value: of a gauge, or the total of a delta counter.
            is_delta: Whether the change is sent, under the name and `.count`.
        """
        if self._metrics is not None:
            full_name = f"~sdk.python.{name.format(kind=self._metrics.kind)}"
            suffix = ".count" if is_delta else ""
            self._metrics.add(full_name + suffix, supplier, is_delta=is_delta)

    def flush_now(self) -> None:
        """Deliver what waits, within a few seconds."""
        self.sender.flush(CLOSE_TIMEOUT_S)

    def get_failure_count(self) -> int:
        """Return how many deliveries failed."""
        return self.sender.failure_count()

    def feed_from(self, feeder: Feeder) -> None:
        """Have a feeder hand over what it keeps before the client closes, whoever closes it."""
        self._feeders.add(feeder)

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Deliver what waits within `timeout_s` and stop; a second call does nothing."""
        if not self.sender.is_closed:
            self._feeders.hand_over()
        self.sender.close(timeout_s)
        self._transport.close()

    @contextmanager
    def _counting_invalid(self, kind: str) -> Iterator[None]:
        try:
            yield
        except ValueError:
            self.sender.count_invalid(kind)
            raise

    def _put(self, kind: str, line: str) -> None:
        if not self.sender.put(kind, line):
            raise self._full(kind)

    def _full(self, kind: str) -> QueueFullError:
        state = "the client is closed" if self.sender.is_shut else f"buffer of {kind} is full"
        return QueueFullError(f"{state}; the newest datum was dropped")

    def _deliver(self, kind: str, batch: Batch, timeout_s: float | None) -> None:
        # Ready lines given to `send_event_now` are no JSON; the service takes them as lines.
        if kind == "events" and self._is_direct and not batch.pieces[0].startswith(b"@Event"):
            headers = {"Content-Type": "application/json"}
            self._transport.post(
                self.EVENT_END_POINT, batch.pieces, headers, timeout_s, compress=False
            )
        else:
            path = f"{self.REPORT_END_POINT}?f={FORMATS[kind]}"
            headers = {"Content-Type": "application/octet-stream"}
            self._transport.post(path, batch.pieces, headers, timeout_s)


def _ended(lines: Sequence[str]) -> list[str]:
    """Return lines that each end in one newline, without the blank ones."""
    given = [lines] if isinstance(lines, str) else lines
    return [line.strip("\n") + "\n" for line in given if not is_blank(line)]
