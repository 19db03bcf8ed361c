"""Series as they go over the wire: named once, with the texts of their lines ready.

Threads: the reporter's owner locks.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from wf_instrument.backends.wavefront.limits import Validator
from wf_instrument.backends.wavefront.row_figures import FACTORS
from wf_instrument.backends.wavefront.text import is_blank, sanitize_without_quotes
from wf_instrument.backends.wavefront.texts import Texts
from wf_instrument.metrics.conventions.hierarchical import Hierarchy
from wf_instrument.metrics.delta_counter import DELTA_PREFIXES

if TYPE_CHECKING:
    from wf_instrument.identity import Identity
    from wf_instrument.metrics.conventions.hierarchical import Figure, Series
    from wf_instrument.reporting.snapshot import InFlight, RequestKey, Tags, WebSocketKey

__all__ = ["PROVIDED_SOURCE", "RowSeries", "WireSeries", "WireSeriesTable"]

#: Source of delta counters that the service adds up.
#: Source: Wavefront SDK, `WAVEFRONT_PROVIDED_SOURCE`.
PROVIDED_SOURCE: Final = "wavefront-provided"

WireKind = Literal["point", "delta", "histogram"]


class WireSeries:
    """One series to the receiver; two are the same only if they are one object.

    Args:
        kind: What its lines are.
        name: Clean, without the delta's prefix.
        tags: Clean keys, no blank ones.
        source: Who reports; never blank.
        rest: What stands behind the figures; None when that is beyond the service's limits.
        texts: Makes the texts of names, and refuses what is beyond the limits.

    Attributes:
        factor: To the unit a histogram is sent in.
        parts: What stands before and behind a line's figures; None when a line of it may be no
            good, and each has to be looked at by the client.
    """

    __slots__ = ("factor", "kind", "name", "parts", "source", "tags")

    def __init__(
        self, kind: WireKind, name: str, tags: Tags, source: str, rest: str | None, texts: Texts
    ) -> None:
        self.kind = kind
        self.name = name
        self.tags = tags
        self.source = source
        self.factor = 1.0
        self.parts: tuple[str, str] | None = None
        if rest is None:
            return
        try:
            self.parts = self._quoted_name(texts), rest
        except ValueError:
            return

    def _quoted_name(self, texts: Texts) -> str:
        if self.kind == "histogram":
            return texts.histogram_name(self.name)
        if self.kind == "delta" and not self.name.startswith(DELTA_PREFIXES):
            return texts.metric_name(DELTA_PREFIXES[0] + self.name)
        return texts.metric_name(self.name)


class RowSeries(NamedTuple):
    """The series of one kind of rows: each with the figure it shows."""

    counters: list[tuple[WireSeries, Figure]]
    deltas: list[tuple[WireSeries, Figure]]
    gauges: list[tuple[WireSeries, Figure]]
    histograms: list[tuple[WireSeries, Figure]]


class WireSeriesTable:
    """The series of one process, each made once.

    Args:
        identity: Whose tags and source they carry.
        default_source: In place of a blank source.
    """

    def __init__(self, identity: Identity, default_source: str) -> None:
        self._hierarchy = Hierarchy(identity)
        self._own_tags = _own_tags(identity)
        self._worker_tags: Tags = (
            (("worker", str(identity.worker_slot)),) if identity.worker_slot else ()
        )
        self._source = default_source if is_blank(identity.source) else identity.source
        # Strict: what is beyond a limit is left to the client, which knows what to do about it.
        self._texts = Texts(Validator("strict"))
        self._made: dict[tuple[WireKind, str, Tags, str], WireSeries] = {}
        # Many series share their tags, and what stands of them in a line.
        self._ends: dict[tuple[Tags, str], tuple[Tags, str | None]] = {}
        self._of_registries: dict[tuple[WireKind, str, Tags], WireSeries] = {}
        self._of_requests: dict[RequestKey, RowSeries] = {}
        self._of_websockets: dict[WebSocketKey, RowSeries] = {}
        self._in_flight: dict[object, WireSeries] = {}

    def of_requests(self, key: RequestKey) -> RowSeries:
        """Return the series of finished requests."""
        known = self._of_requests.get(key)
        if known is None:
            made = self._hierarchy.of_requests(
                key.framework,
                key.route,
                key.func,
                key.module,
                key.method,
                key.status,
                key.dimensions,
            )
            known = self._of_requests[key] = self._row(made)
        return known

    def of_websockets(self, key: WebSocketKey) -> RowSeries:
        """Return the series of WebSocket connections."""
        known = self._of_websockets.get(key)
        if known is None:
            made = self._hierarchy.of_websockets(key.framework, key.route, key.func, key.module)
            known = self._of_websockets[key] = self._row(made)
        return known

    def of_in_flight(self, row: InFlight) -> WireSeries:
        """Return the in-flight gauge of a route and method."""
        key = (row.framework, row.route, row.func, row.module, row.method)
        known = self._in_flight.get(key)
        if known is None:
            series = self._hierarchy.of_in_flight(*key)
            known = self._in_flight[key] = self.make("point", series.name, series.tags)
        return known

    def of_total_in_flight(self, framework: str) -> WireSeries:
        """Return the in-flight gauge over all routes."""
        known = self._in_flight.get(framework)
        if known is None:
            series = self._hierarchy.of_total_in_flight(framework)
            known = self._in_flight[framework] = self.make("point", series.name, series.tags)
        return known

    def of_registry(self, kind: WireKind, name: str, tags: Tags) -> WireSeries:
        """Return a series of a registry, which carries the process' tags."""
        key = (kind, name, tags)
        known = self._of_registries.get(key)
        if known is None:
            # Deltas of several workers add up: no tag tells them apart.
            worker = () if kind == "delta" else self._worker_tags
            every = {**dict(self._own_tags), **dict(worker), **dict(tags)}
            known = self._of_registries[key] = self.make(kind, name, tuple(every.items()))
        return known

    def make(self, kind: WireKind, name: str, tags: Tags, source: str | None = None) -> WireSeries:
        """Return the series of a name and tags, the same for those the receiver takes for one."""
        # Two routes whose names meet after sanitising are one series to the receiver.
        clean = sanitize_without_quotes(name)
        who = self._source if source is None else source
        kept, rest = self._ends.get((tags, who)) or self._end(tags, who)
        key = (kind, clean, kept, who)
        known = self._made.get(key)
        if known is None:
            known = self._made[key] = WireSeries(kind, clean, kept, who, rest, self._texts)
        return known

    def _end(self, tags: Tags, source: str) -> tuple[Tags, str | None]:
        """Return clean tags, and the end of their lines."""
        # A blank tag, such as an unset custom one, would make every line of the process invalid.
        kept = tuple(
            (sanitize_without_quotes(key), value)
            for key, value in tags
            if not is_blank(key) and not is_blank(value)
        )
        rest: str | None = None
        with suppress(ValueError):
            rest = (
                f" source={self._texts.source(source, source)}{self._texts.tags('', dict(kept))}\n"
            )
        self._ends[tags, source] = kept, rest
        return kept, rest

    def _row(self, series: list[Series]) -> RowSeries:
        row = RowSeries([], [], [], [])
        for one in series:
            if one.kind == "histogram":
                made = self.make("histogram", one.name, one.tags)
                made.factor = FACTORS[one.figure]
                row.histograms.append((made, one.figure))
            elif one.kind == "delta":
                made = self.make("delta", one.name, one.tags, PROVIDED_SOURCE)
                row.deltas.append((made, one.figure))
            else:
                made = self.make("point", one.name, one.tags)
                (row.counters if one.kind == "counter" else row.gauges).append((made, one.figure))
        return row


def _own_tags(identity: Identity) -> Tags:
    return tuple(
        (key, value)
        for key, value in identity.tags.get_as_list()
        if not is_blank(key) and not is_blank(value)
    )
