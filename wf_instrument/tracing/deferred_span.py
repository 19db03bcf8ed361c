"""Finished spans that become data when a reporter first looks at them.

Threads: a snapshot's spans are read by whichever thread reports; two that read the same one at
    once convert it twice, to equal data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wf_instrument.guard import caught
from wf_instrument.tracing.span_data import SpanData

if TYPE_CHECKING:
    from wf_instrument.tracing.span import WavefrontSpan

__all__ = ["DeferredSpan"]


class DeferredSpan:
    """Stands for the `SpanData` of a span, and has its attributes.

    The pipeline hands spans to reporters that may sample or count them; making tags into text is
    paid for by who reads them. A span that cannot be read keeps its ids and times.
    """

    __slots__ = ("_data", "_span")

    def __init__(self, span: WavefrontSpan) -> None:
        self._span: WavefrontSpan | None = span
        self._data: SpanData | None = None

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):  # protocols that Python asks for (copy, pickle)
            raise AttributeError(name)
        return getattr(self.data(), name)

    def data(self) -> SpanData:
        """Return the data, made at the first call."""
        # In this order: another thread lets go of the span only after the data is there.
        span = self._span
        data = self._data
        if data is None:
            assert span is not None  # noqa: S101 - our own invariant: dropped once data is there
            try:
                data = span.to_span_data()
            except Exception as error:  # noqa: BLE001 - one span must not cost the others
                caught("tracing.span_data", error)
                data = SpanData(
                    name="unreadable",
                    trace_id=span.trace_id_int,
                    span_id=span.span_id_int,
                    start_ns=span.start_ns,
                    duration_ns=span.duration_ns,
                )
            self._data = data
            self._span = None
        return data
