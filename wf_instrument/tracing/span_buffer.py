"""Finished spans between the request path and the pipeline.

Threads: any thread reports, by one atomic append; the pipeline's thread drains.
Locks: `_reading` guards `_reads`; only those who ask for the number of drops take it.
Fork: the child starts empty, with no drops and a new lock; the parent reports what was in it.
Loss: a full buffer drops the newest span and counts it in `dropped`.
"""

from __future__ import annotations

import itertools
import sys
import threading
from typing import TYPE_CHECKING, cast

from wf_instrument.forking import reset_after_fork
from wf_instrument.speed import BufferState, link
from wf_instrument.speed.copyable import Copyable
from wf_instrument.tracing.deferred_span import DeferredSpan

if TYPE_CHECKING:
    from wf_instrument.reporting.snapshot import SnapshotDraft
    from wf_instrument.tracing.span import WavefrontSpan
    from wf_instrument.tracing.span_data import SpanData

__all__ = ["SpanBuffer"]


class SpanBuffer(Copyable, BufferState):
    """A span reporter that keeps up to `max_spans` spans until they are drained."""

    _fields = ("_spans", "_max_spans")

    def __init__(self, max_spans: float = 10_000) -> None:
        # Infinity too is a bound that callers give.
        self._max_spans = int(min(max_spans, sys.maxsize))
        self._spans: list[WavefrontSpan] = []
        self._reset_drops()
        reset_after_fork(self._in_child)

    def _in_child(self) -> None:
        self._spans.clear()
        self._reset_drops()

    def _reset_drops(self) -> None:
        # `next` of a counter is atomic, where `+=` by several threads loses increments.
        self._drops = itertools.count()
        self._reads = 0
        self._reading = threading.Lock()

    @property
    def dropped(self) -> int:
        """How many spans were dropped because the buffer was full."""
        with self._reading:
            # Asking the counter advances it too, by as many as were asked for before.
            drops = next(self._drops) - self._reads
            self._reads += 1
        return drops

    def report(self, span: WavefrontSpan) -> None:
        """Keep a finished span; called by the request path."""
        spans = self._spans
        if len(spans) >= self._max_spans:
            next(self._drops)
            return
        spans.append(span)

    def drain_into(self, draft: SnapshotDraft) -> None:
        """Move all spans into the draft."""
        spans = self._spans
        # Never swap the list: a thread that has just fetched it would append to the old one.
        n = len(spans)
        part = spans[:n]
        del spans[:n]
        # It has the attributes of SpanData, which is all that reporters use.
        kept = [DeferredSpan(span) for span in part if span.request is None or not _is_orphan(span)]
        draft.spans.extend(cast("list[SpanData]", kept))

    def get_failure_count(self) -> int:
        """Return how many spans were dropped."""
        return self.dropped

    def close(self) -> None:
        """Do nothing; what is kept leaves with the next drain."""


link(report_span=SpanBuffer.report)


def _is_orphan(span: WavefrontSpan) -> bool:
    """Return whether the request it was made in has dropped its own span meanwhile."""
    request = span.request
    return request is not None and getattr(request, "is_left_out", False)
