"""Where WebSocket connections are counted: while they are open, not only at their end.

Threads: a connection counts in its event loop's thread, by numbers that only grow; the pipeline's
    thread reads them and remembers on the connection how far it has read.
Fork: the child forgets the connections it inherited: they are the parent's.
Loss: none; a connection that ended is kept until its last numbers were read.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

from wf_instrument.guard import guard
from wf_instrument.metrics.histogram import ExponentialHistogram
from wf_instrument.reporting.snapshot import WebSocketEnd, WebSocketInterval, WebSocketKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wf_instrument.web.series import RouteHandle

__all__ = ["LiveWebSocket", "WebSocketLedger", "WebSocketTotals"]

_NS = 1e-9

#: Messages received and sent, bytes received and sent, CPU nanoseconds; since the beginning.
WebSocketTotals = tuple[int, int, int, int, int]


class LiveWebSocket(Protocol):
    """A connection, as the drain sees it.

    Attributes:
        drained: What of its totals was drained; the draining thread's alone.
        blocked_ns: Steps that held the event loop for too long.
        is_closed: Whether one side has closed it, even if the handler still runs.
        ended: How it ended; None while it has not.
        duration_ns: How long it was open, when it ended; -1 when it was never accepted.
        has_cpu: Whether CPU time can be had.
    """

    drained: WebSocketTotals
    blocked_ns: list[int]
    is_closed: bool
    ended: WebSocketEnd | None
    duration_ns: int
    has_cpu: bool

    def peek_handle(self) -> RouteHandle | None:
        """Return the route's handle once the framework knows the route; called by any thread."""

    def totals(self) -> WebSocketTotals:
        """Return what passed so far; called by the draining thread alone."""


class WebSocketLedger:
    """The connections of one application.

    Attributes:
        live: Those being served, by id.
        ended: Those that ended since the last drain.
    """

    def __init__(self) -> None:
        self.live: set[LiveWebSocket] = set()
        self.ended: list[LiveWebSocket] = []
        self._was_open: set[RouteHandle] = set()

    def clear(self) -> None:
        """Forget everything."""
        self.live.clear()
        self.ended.clear()
        self._was_open.clear()

    def drain(self) -> list[WebSocketInterval]:
        """Return a row a route that has connections, or had some at the last drain."""
        live = list(self.live)
        # After the look at the live ones: who leaves them meanwhile is read once more, next time.
        n = len(self.ended)
        ended = self.ended[:n]
        del self.ended[:n]
        ended_ids = set(map(id, ended))
        # A route that had open connections is reported down to its 0.
        tallies: dict[RouteHandle, _Tally] = {handle: _Tally() for handle in self._was_open}
        for record in {id(record): record for record in (*live, *ended)}.values():
            handle = None
            with guard("recorder.peek"):  # frameworks change a request while we look at it
                handle = record.peek_handle()
            if handle is None:
                continue
            tally = tallies.get(handle)
            if tally is None:
                tally = tallies[handle] = _Tally()
            tally.add(record)
            if id(record) in ended_ids:
                tally.end(record)
        self._was_open = {handle for handle, tally in tallies.items() if tally.open}
        return [tally.row(handle) for handle, tally in tallies.items()]


class _Tally:
    """What is added up for one row."""

    def __init__(self) -> None:
        self.open = 0
        self.sums = [0, 0, 0, 0, 0]
        self.has_cpu = False
        self.blocked_ns: list[int] = []
        self.durations_ns: list[int] = []
        self.ends: Counter[WebSocketEnd] = Counter()

    def add(self, record: LiveWebSocket) -> None:
        """Add what passed since the last drain."""
        if record.ended is None and not record.is_closed:
            self.open += 1
        totals, drained = record.totals(), record.drained
        record.drained = totals
        for place, total in enumerate(totals):
            self.sums[place] += total - drained[place]
        self.has_cpu = self.has_cpu or record.has_cpu
        n = len(record.blocked_ns)
        self.blocked_ns += record.blocked_ns[:n]
        del record.blocked_ns[:n]

    def end(self, record: LiveWebSocket) -> None:
        """Count a connection that ended."""
        if record.ended is not None:
            self.ends[record.ended] += 1
        if record.duration_ns >= 0:
            self.durations_ns.append(record.duration_ns)

    def row(self, handle: RouteHandle) -> WebSocketInterval:
        """Return the sums as a row of the snapshot."""
        received, sent, received_bytes, sent_bytes, cpu_ns = self.sums
        return WebSocketInterval(
            key=WebSocketKey(
                handle.framework, handle.route, handle.func, handle.module, handle.scheme
            ),
            in_flight=self.open,
            messages_received=received,
            messages_sent=sent,
            received_bytes=received_bytes,
            sent_bytes=sent_bytes,
            ends=tuple(self.ends.items()),
            duration=_seconds(self.durations_ns),
            cpu_s=cpu_ns * _NS if self.has_cpu else None,
            blocked=_seconds(self.blocked_ns),
        )


def _seconds(values_ns: Sequence[int]) -> ExponentialHistogram | None:
    if not values_ns:
        return None
    histogram = ExponentialHistogram()
    histogram.add_many([ns * _NS for ns in values_ns])
    return histogram
