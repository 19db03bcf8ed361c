"""The span reporter of the Wavefront SDK: finished spans of a tracer to a client.

Threads: any thread reports, by one atomic append; the worker, started by the first span of a
    process, formats and sends.
Locks: `_wake` wakes the worker and guards its start; `_taking` lets one thread at a time take
    spans out, so that none is sent twice or lost.
Fork: the child starts with an empty buffer and no worker.
Loss: a full buffer drops the newest span and counts it, as does a client that refuses one.
"""

from __future__ import annotations

import itertools
import logging
import random
import threading
import time
import weakref
from typing import TYPE_CHECKING, Final

from wf_instrument._version import __version__
from wf_instrument.backends.wavefront.feeders import feed
from wf_instrument.backends.wavefront.red_reporter import RedReporter
from wf_instrument.backends.wavefront.request_reporter import send_span_data
from wf_instrument.backends.wavefront.version_value import get_sem_ver_value
from wf_instrument.errors import QueueFullError
from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import RateLimitedLog, caught
from wf_instrument.process_exit import at_exit

if TYPE_CHECKING:
    from collections.abc import Callable

    from wf_instrument.backends.wavefront.client import WavefrontClient
    from wf_instrument.identity import ApplicationTags
    from wf_instrument.tracing.red_metrics import RedMetrics
    from wf_instrument.tracing.span import WavefrontSpan
    from wf_instrument.tracing.tracer import WavefrontTracer

__all__ = ["WavefrontSpanReporter"]

log = logging.getLogger(__name__)

_PAUSE_S: Final = 0.2
_CLOSE_TIMEOUT_S: Final = 5.0


class WavefrontSpanReporter:
    """Sends spans through a client; `report` costs the request path one append.

    Args:
        client: Queues and delivers; not closed with the reporter, since others use it too.
        source: Who reports; the client's default when None.
        max_queue_size: Spans that may wait; further ones are dropped.
        log_percent: Share of the dropped spans that a log line is written for, 0 to 1; lines are
            limited to one a minute besides.
    """

    def __init__(
        self,
        client: WavefrontClient,
        source: str | None = None,
        max_queue_size: int = 50_000,
        log_percent: float = 0.1,
    ) -> None:
        self.sender = client
        self.source = source
        self._max_queue_size = max_queue_size
        self._log_percent = log_percent
        self._log = RateLimitedLog(log)
        self._is_closed = False
        self._red: list[RedReporter] = []
        self._tracers: weakref.WeakSet[WavefrontTracer] = weakref.WeakSet()
        self._spans: list[WavefrontSpan] = []
        self._reset()
        reset_after_fork(self._reset)
        self._report_internally()
        feed(client, self)
        _flushed_at_exit.add(self)

    def _reset(self) -> None:
        self._spans.clear()
        self._drops = itertools.count(1)
        self._taken = self._dropped = self._refused = 0
        self._wake = threading.Condition()
        self._taking = threading.Lock()
        self._worker: threading.Thread | None = None

    def report(self, span: WavefrontSpan) -> None:
        """Take a finished span."""
        spans = self._spans
        if self._is_closed or len(spans) >= self._max_queue_size:
            self._dropped = next(self._drops)
            if random.random() < self._log_percent:
                self._log.warning("full", "%d spans dropped so far: buffer full", self._dropped)
            return
        spans.append(span)
        if self._worker is None:
            self._start()

    def _report_internally(self) -> None:
        """Have the client report on this reporter too, if it reports on itself."""
        # A multi client, or one of the user's own making, has no such method.
        report = getattr(self.sender, "report_internally", None)
        if report is None:
            return
        # Weak, since the client may outlive the reporter.
        figures = weakref.WeakMethod(self._figures)

        def of(name: str) -> Callable[[], float]:
            def supplier() -> float:
                alive = figures()
                return 0.0 if alive is None else alive()[name]

            return supplier

        report("opentracing.version", lambda: float(get_sem_ver_value(__version__)))
        for name in self._figures():
            is_delta = name.startswith("spans.")
            report(f"opentracing.reporter.{name}", of(name), is_delta=is_delta)

    def _figures(self) -> dict[str, float]:
        waiting, dropped = len(self._spans), self._dropped
        return {
            "queue.size": waiting,
            "queue.remaining_capacity": self._max_queue_size - waiting,
            "spans.received": self._taken + waiting + dropped,
            "spans.dropped": dropped,
            "spans.errors": self._refused,
        }

    def report_discarded(self, tracer: WavefrontTracer) -> None:
        """Have the client report how many spans a tracer discards, if it reports on itself."""
        report = getattr(self.sender, "report_internally", None)
        if report is not None:
            self._tracers.add(tracer)
            report("opentracing.spans.discarded", self._discarded_of(), is_delta=True)

    def _discarded_of(self) -> Callable[[], float]:
        tracers = self._tracers  # not the reporter, which the client may outlive
        return lambda: sum(tracer.discarded for tracer in list(tracers))

    def start_red_metrics(
        self, red_metrics: RedMetrics, application_tags: ApplicationTags, interval_s: float
    ) -> bool:
        """Send a tracer's RED metrics and heartbeats, until the reporter is closed."""
        reporter = RedReporter(self.sender, self.source, red_metrics, application_tags, interval_s)
        self._red.append(reporter)
        return True

    def get_failure_count(self) -> int:
        """Return how many spans were dropped here or refused by the client."""
        return self._dropped + self._refused

    def flush(self) -> None:
        """Hand all spans to the client, in the caller's thread."""
        with self._taking:
            n = len(self._spans)
            part = self._spans[:n]
            del self._spans[:n]
            self._taken += n
        for span in part:
            try:
                send_span_data(self.sender, span.to_span_data(), self.source)
            except QueueFullError:
                self._refused += 1
            except Exception as error:  # noqa: BLE001 - one span must not cost the others
                self._refused += 1
                caught("wavefront.span", error)

    def hand_over(self) -> None:
        """Hand all spans and RED metrics to the client, in the caller's thread."""
        self.flush()
        for red in self._red:
            red.hand_over()

    def close(self) -> None:
        """Hand over what is left and stop the worker; a second call does nothing."""
        with self._wake:
            self._is_closed = True
            worker, self._worker = self._worker, None
            self._wake.notify_all()
        if worker is not None and worker is not threading.current_thread():
            worker.join(_CLOSE_TIMEOUT_S)
        self.flush()
        for red in self._red:
            red.close()

    def _start(self) -> None:
        with self._wake:
            if self._worker is not None or self._is_closed:
                return
            worker = threading.Thread(
                target=self._run, args=(self._wake,), name="wf-instrument-spans", daemon=True
            )
            try:
                worker.start()
            except RuntimeError:
                # The interpreter is shutting down: `flush` and `close` still hand over.
                log.debug("no thread can start any more")
                return
            self._worker = worker

    def _run(self, wake: threading.Condition) -> None:
        while True:
            with wake:
                deadline = time.monotonic() + _PAUSE_S
                while not self._is_closed and (rest := deadline - time.monotonic()) > 0:
                    wake.wait(rest)
                if self._is_closed or wake is not self._wake:
                    return
            self.flush()


_flushed_at_exit: weakref.WeakSet[WavefrontSpanReporter] = weakref.WeakSet()


def _flush_at_exit() -> None:
    # Registered after the client's: runs before it, so that the last spans still go out. Where a
    # pipeline closes the client, it asks for them itself.
    for reporter in list(_flushed_at_exit):
        reporter.hand_over()


at_exit(_flush_at_exit)
