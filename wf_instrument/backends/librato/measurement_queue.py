"""Measurements gathered and sent in chunks.

Threads: any. Two that submit at once send different chunks.
Locks: `_lock` guards the chunks; it is not held on the network.
Fork: the child begins with an empty queue: the parent sends what it gathered.
Loss: what the service calls bad, which the error raised holds; beyond `max_size` the newest, which
    are counted in `dropped`. A chunk that was not delivered for another reason is kept.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, ClassVar, Literal

from wf_instrument.backends.librato.measurements import (
    MAX_PER_CHUNK,
    legacy_item,
    metric_kind,
    tagged_item,
)
from wf_instrument.backends.librato.parcels import LISTS, Parcel, deliver
from wf_instrument.backends.librato.tag_holder import TagHolder
from wf_instrument.backends.librato.tag_inheritance import resolve_tags
from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import RateLimitedLog
from wf_instrument.ticker import Ticker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from wf_instrument.backends.librato.aggregator import Aggregator
    from wf_instrument.backends.librato.json_text import JsonObject
    from wf_instrument.backends.librato.requester import Requester

__all__ = ["Queue"]

log = logging.getLogger(__name__)


class Queue(TagHolder):
    """Gathers measurements; `submit`, or the end of a `with` block, sends them.

    Args:
        connection: Sends.
        auto_submit_count: From so many measurements on, an `add` submits.
        tags: Of all tagged measurements, unless they have others.
        auto_submit_interval: Seconds after which a thread submits what waits; None starts none.
        max_size: Measurements that may wait; more are dropped and counted.

    Attributes:
        connection: As given.
        auto_submit_count: As given.
        dropped: How many measurements a full queue refused.
        chunks: Those without tags, ready to be sent.
        tagged_chunks: Those with tags.
    """

    MAX_MEASUREMENTS_PER_CHUNK: ClassVar[int] = MAX_PER_CHUNK

    def __init__(
        self,
        connection: Requester,
        auto_submit_count: int | None = None,
        tags: Mapping[str, str] | None = None,
        *,
        auto_submit_interval: float | None = None,
        max_size: int | None = None,
    ) -> None:
        self.connection = connection
        self.auto_submit_count = auto_submit_count
        self.tags = dict(tags or {})
        self.max_size = max_size
        self._log = RateLimitedLog(log)
        self._reset()
        reset_after_fork(self._reset)
        self._ticker: Ticker | None = None
        if auto_submit_interval is not None:
            self._ticker = Ticker("librato.queue", self.submit, auto_submit_interval)
            self._ticker.start()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self.dropped = 0
        self.chunks: list[JsonObject] = []
        self.tagged_chunks: list[JsonObject] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Submit what waits, and end the thread of `auto_submit_interval`."""
        if self._ticker is not None:
            self._ticker.close()
        self.submit()

    def add(
        self,
        name: str,
        value: float | None,
        type: str = "gauge",  # noqa: A002 - the name programs pass
        **query_props: object,
    ) -> None:
        """Queue one measurement: tagged if it, the queue or the connection has tags.

        Args:
            name: Of the metric; the connection's sanitizer is applied.
            value: A number; None with `count` and `sum` of a summary.
            type: `gauge` or `counter`; a counter has no tags.
            query_props: `source`, `measure_time`, ...; with tags `time`, `tags`, `inherit_tags`.

        Raises:
            ValueError: It cannot be sent: no finite number, or a counter with tags.
            ClientError: It is queued, but `auto_submit_count` was reached and submitting failed.
        """
        tags = resolve_tags(query_props, self._inherited(), empty_inherits=True)
        kind = metric_kind(type, is_tagged=bool(tags))
        clean = self.connection.sanitize(name)
        if tags:
            item = tagged_item(clean, value, query_props, tags, as_summary=True)
            self._put("measurements", item)
        else:
            self._put(f"{kind}s", legacy_item(clean, value, query_props))  # type: ignore[arg-type]  # gauges, counters
        self._submit_if_full()

    def add_tagged(self, name: str, value: float | None, **query_props: object) -> None:
        """Queue one measurement on the tagged path, with or without tags.

        Raises:
            ValueError: As `add`.
            ClientError: As `add`.
        """
        tags = resolve_tags(query_props, self._inherited(), empty_inherits=True)
        item = tagged_item(
            self.connection.sanitize(name),
            value,
            query_props,
            tags or {},
            always_tags=True,
            as_summary=True,
        )
        self._put("measurements", item)
        self._submit_if_full()

    def add_aggregator(self, aggregator: Aggregator) -> None:
        """Queue what an aggregator gathered, and have it begin anew.

        Its tagged measurements go with its own tags over the queue's over the connection's.

        Raises:
            ClientError: As `add`.
        """
        for kind, item in aggregator.take_items():
            if kind == "measurements":
                tags = {**self._inherited(), **item.get("tags", {})}
                item = {**item, "tags": tags} if tags else item
            self._put(kind, item)
        self._submit_if_full()

    def submit(self) -> None:
        """Send all that is queued, untagged measurements first; nothing when there is none.

        Raises:
            ClientError: Some were not delivered; its `delivery` says how many were, how many are
                kept for the next time and which were bad.
        """
        deliver(self.connection, self._take, self._put_back)

    def _inherited(self) -> dict[str, str]:
        return {**self.connection.get_tags(), **self.tags}

    def _put(self, kind: Literal["gauges", "counters", "measurements"], item: JsonObject) -> None:
        is_tagged = kind == "measurements"
        with self._lock:
            is_full = self.max_size is not None and self._waiting() >= self.max_size
            if is_full:
                self.dropped += 1
            else:
                self._open_chunk(is_tagged=is_tagged)[kind].append(item)
        if is_full:
            self._log.warning("full", "queue full, %d measurements dropped so far", self.dropped)

    def _open_chunk(self, *, is_tagged: bool) -> JsonObject:
        """Caller holds `_lock`."""
        chunks = self.tagged_chunks if is_tagged else self.chunks
        if not chunks or _size(chunks[-1]) >= self.MAX_MEASUREMENTS_PER_CHUNK:
            chunks.append({"measurements": []} if is_tagged else {"gauges": [], "counters": []})
        return chunks[-1]

    def _submit_if_full(self) -> None:
        if self.auto_submit_count and self._num_measurements_in_queue() >= self.auto_submit_count:
            self.submit()

    def _take(self) -> Parcel | None:
        with self._lock:
            if self.chunks:
                return Parcel("metrics", self.chunks.pop(0))
            if self.tagged_chunks:
                return Parcel("measurements", self.tagged_chunks.pop(0))
            return None

    def _put_back(self, parcels: list[Parcel]) -> int:
        with self._lock:
            for path, chunks in (("metrics", self.chunks), ("measurements", self.tagged_chunks)):
                chunks[:0] = [one.body for one in parcels if one.path == path]
            return self._waiting()

    def _waiting(self) -> int:
        """Caller holds `_lock`."""
        return sum(map(_size, (*self.chunks, *self.tagged_chunks)))

    def _current_chunk(self, tagged: bool = False) -> JsonObject | None:
        """Return the chunk that is being filled; kept for programs' tests."""
        chunks = self.tagged_chunks if tagged else self.chunks
        return chunks[-1] if chunks else None

    def _num_measurements_in_current_chunk(self, tagged: bool = False) -> int:
        """Return how many it holds; kept for programs' tests."""
        return _size(self._current_chunk(tagged) or {})

    def _num_measurements_in_queue(self) -> int:
        """Return how many measurements wait."""
        with self._lock:
            return self._waiting()


def _size(chunk: JsonObject) -> int:
    return sum(len(chunk.get(name, ())) for name in LISTS)
