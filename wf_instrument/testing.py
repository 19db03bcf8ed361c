"""Fakes for the tests of applications that use wf-instrument.

Threads: `RecordingReporter` may be read from any thread; `_changed` guards its list.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from wf_instrument.reporting.merge import merge_snapshots
from wf_instrument.tracing.ids import seeded_ids

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from wf_instrument.reporting.snapshot import RequestInterval, Snapshot, WebSocketInterval
    from wf_instrument.tracing.span_data import SpanData

__all__ = ["ManualClock", "RecordingReporter", "SeededIds"]


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


class SeededIds:
    """A `with` block in which trace and span ids are the same in every run.

    Args:
        seed: Another one gives other ids.
    """

    def __init__(self, seed: int = 0) -> None:
        self._block = seeded_ids(seed)

    def __enter__(self) -> Self:
        self._block.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._block.__exit__(kind, error, tb)


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
        return snapshot.data_count

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
    def websockets(self) -> tuple[WebSocketInterval, ...]:
        """All WebSocket connections so far, a row a route."""
        return () if self._snapshot is None else self._snapshot.websockets

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

    def assert_request(self, count: int | None = None, **fields: object) -> None:
        """Fail unless requests were recorded whose key has these field values.

        Args:
            count: How many; at least one when None.
            fields: Of `RequestKey`: `route`, `method`, `status`, `outcome`, ...
        """
        found = self.count(**fields)
        if found == count or (count is None and found):
            return
        wanted = ", ".join(f"{name}={value!r}" for name, value in fields.items())
        seen = "\n".join(
            f"  {row.count} x {row.key.method} {row.key.route} -> {row.key.status}"
            for row in self.requests
        )
        raise AssertionError(
            f"{found} requests with {wanted or 'any key'}, expected "
            f"{'at least 1' if count is None else count}; recorded:\n{seen or '  none'}"
        )

    def assert_span(self, name: str, *, is_error: bool | None = None, **tags: object) -> SpanData:
        """Fail unless a span of that name and with these tags was recorded; return the first.

        Args:
            name: The operation.
            is_error: Whether it failed; either when None.
            tags: Some of its tags; `key__part` stands for `key.part`.
        """
        wanted = {(key.replace("__", "."), str(value)) for key, value in tags.items()}
        for span in self.spans:
            if span.name == name and wanted <= set(span.tags) and is_error in (None, span.is_error):
                return span
        seen = "\n".join(f"  {span.name} {dict(span.tags)}" for span in self.spans)
        error = "" if is_error is None else f", is_error={is_error}"
        raise AssertionError(
            f"no span {name!r} with {dict(wanted)}{error}; recorded:\n{seen or '  none'}"
        )

    def wait_until(self, condition: Callable[[RecordingReporter], bool], timeout_s: float) -> bool:
        """Wait until `condition(self)` holds; False when it did not within `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            return self._changed.wait_for(
                lambda: condition(self), max(0.0, deadline - time.monotonic())
            )
