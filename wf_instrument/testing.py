"""Fakes for the tests of applications that use wf-instrument.

Threads: `RecordingReporter` may be read from any thread; `_changed` guards its list.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from wf_instrument.reporting.merge import merge_snapshots

if TYPE_CHECKING:
    from collections.abc import Callable

    from wf_instrument.reporting.snapshot import RequestInterval, Snapshot
    from wf_instrument.tracing.span_data import SpanData

__all__ = ["ManualClock", "RecordingReporter"]


class ManualClock:
    """A monotonic clock that stands still until it is moved; give it where a clock is taken.

    Args:
        now_s: What it shows at first, in seconds.
    """

    def __init__(self, now_s: float = 1000.0) -> None:
        self._now_s = now_s

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self._now_s

    def advance(self, seconds: float) -> None:
        """Move it on."""
        self._now_s += seconds


class RecordingReporter:
    """Keeps what it is given; pass it as the setting `reporter`.

    Attributes:
        is_closed: Whether `close` was called.
    """

    default_interval_s = 0.05

    def __init__(self) -> None:
        self.is_closed = False
        self._changed = threading.Condition()
        self._snapshot: Snapshot | None = None

    def report(self, snapshot: Snapshot) -> int:
        """Keep the snapshot; takes everything."""
        with self._changed:
            known = self._snapshot
            self._snapshot = snapshot if known is None else merge_snapshots(known, snapshot)
            self._changed.notify_all()
        return (
            len(snapshot.requests)
            + len(snapshot.points)
            + len(snapshot.distributions)
            + len(snapshot.spans)
        )

    def flush(self, timeout_s: float) -> bool:
        """Return True: nothing is under way."""
        return True

    def close(self, timeout_s: float) -> None:
        """Note that it was closed."""
        self.is_closed = True

    @property
    def snapshot(self) -> Snapshot:
        """Everything reported so far, as one snapshot.

        Raises:
            AssertionError: Nothing was reported yet.
        """
        if self._snapshot is None:
            raise AssertionError("nothing was reported yet; call wf_instrument.flush() first")
        return self._snapshot

    @property
    def requests(self) -> tuple[RequestInterval, ...]:
        """All requests so far, a row a key."""
        return () if self._snapshot is None else self._snapshot.requests

    @property
    def spans(self) -> tuple[SpanData, ...]:
        """All spans so far, in the order they ended."""
        return () if self._snapshot is None else self._snapshot.spans

    def count(self, **fields: object) -> int:
        """Return how many requests were recorded whose key has these field values."""
        return sum(
            row.count
            for row in self.requests
            if all(getattr(row.key, name) == value for name, value in fields.items())
        )

    def wait_until(self, condition: Callable[[RecordingReporter], bool], timeout_s: float) -> bool:
        """Wait until `condition(self)` holds; False when it did not within `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            return self._changed.wait_for(
                lambda: condition(self), max(0.0, deadline - time.monotonic())
            )
