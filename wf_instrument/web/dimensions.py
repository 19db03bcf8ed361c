"""Dimensions of one's own: tags an application adds to the request it is serving.

Threads: any thread that serves a request, or a part of it, sets dimensions; the end of the request
    asks the budget; the pipeline's thread reads the counts.
Locks: `_Ignored._lock` guards its counts; `DimensionBudget._lock` guards admitting a combination
    that was not met before, and the count of those that came too late. Nothing is called under
    them that could block. A combination that is known is found without a lock.
Fork: the child starts with no counts, new locks and the combinations that were known.
Loss: what is set outside of a request, or past `MAX_DIMENSIONS`, is ignored and counted; values
    past the budget become `_OVERFLOW_`, which is counted and logged.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING, Final

from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import RateLimitedLog, caught
from wf_instrument.reporting.snapshot import OVERFLOW_ROUTE, Point, Tags
from wf_instrument.value_text import text_of
from wf_instrument.web.current import current_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["MAX_DIMENSIONS", "OVERFLOW_VALUE", "DimensionBudget", "set_dimension"]

log = logging.getLogger(__name__)

#: Dimensions of one request; further names are ignored.
MAX_DIMENSIONS: Final = 16
#: Stands for the values of a combination that is past the budget.
OVERFLOW_VALUE: Final = OVERFLOW_ROUTE

_MAX_NAME: Final = 100
_MAX_VALUE: Final = 200
#: Combinations of names kept of what is past the budget; requests with others count without any.
_MAX_OVERFLOWS: Final = 16


def set_dimension(name: str, value: object) -> None:
    """Add a tag to the metrics and the span of the request that is being served here.

    May be called from views, from threads the framework runs them in and from tasks they start.
    A name set again takes the new value. Outside of a request, or after its end, this does
    nothing. Never raises.

    Args:
        name: At most 100 characters are kept.
        value: Made text, of which at most 200 characters are kept; blank values are ignored.
    """
    try:
        request = current_request()
        if request is None:
            _ignored.add("outside_request")
            return
        key, text = text_of(name, _MAX_NAME), text_of(value, _MAX_VALUE)
        if not key or not text:
            _ignored.add("blank")
            return
        # By one atomic operation: threads of the same request may both be first.
        dimensions: dict[str, str] = request.settle("dimensions", {})
        if key not in dimensions and len(dimensions) >= MAX_DIMENSIONS:
            _ignored.add("too_many")
            return
        dimensions[key] = text
    except Exception as error:  # noqa: BLE001 - the border to the application
        caught("dimensions.set", error)


class DimensionBudget:
    """Decides which combinations of dimensions get series of their own.

    Args:
        max_values: Combinations a route may have.
        max_series: Combinations and routes there may be in all.
        routes: Tells how many routes and methods there are.

    Attributes:
        overflowed: How many requests had a combination past the budget.
    """

    def __init__(self, max_values: int, max_series: int, routes: Callable[[], int]) -> None:
        self._max_values = max_values
        self._max_series = max_series
        self._count_routes = routes
        # By route: the combinations that have series of their own.
        self._admitted: dict[str | None, dict[Tags, Tags]] = {}
        # By route and names: what combinations past the budget share.
        self._hidden: dict[str | None, dict[tuple[str, ...], Tags]] = {}
        self._log = RateLimitedLog(log)
        self._total = 0
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self.overflowed = 0

    def admitted(self, route: str | None, dimensions: Mapping[str, str]) -> Tags:
        """Return the dimensions that a request of a route is counted under, sorted by name."""
        given = tuple(sorted(dimensions.items()))
        known = self._admitted.get(route)
        found = None if known is None else known.get(given)
        return self._admit(route, given) if found is None else found

    def _admit(self, route: str | None, given: Tags) -> Tags:
        with self._lock:
            known = self._admitted.setdefault(route, {})
            if given in known:  # another thread's request was first
                return known[given]
            if (
                len(known) < self._max_values
                and self._count_routes() + self._total < self._max_series
            ):
                self._total += 1
                return known.setdefault(given, given)
            self.overflowed += 1
            shared = self._shared(route, tuple(name for name, _ in given))
        self._log.warning(
            "overflow",
            "dimensions of a route take more than %d combinations of values (setting "
            "max_dimension_values), or all series more than %d (max_series); further ones "
            "share %s",
            self._max_values,
            self._max_series,
            OVERFLOW_VALUE,
        )
        return shared

    def _shared(self, route: str | None, names: tuple[str, ...]) -> Tags:
        """Caller holds `_lock`. Nothing is kept of the values, which know no bound."""
        hidden = self._hidden.setdefault(route, {})
        if names not in hidden and len(hidden) < _MAX_OVERFLOWS:
            hidden[names] = tuple((name, OVERFLOW_VALUE) for name in names)
        return hidden.get(names, ())

    def self_points(self) -> list[Point]:
        """Return what was ignored and what overflowed; nothing where there was none of it."""
        points = _ignored.self_points()
        if self.overflowed:
            points.append(Point("wf_instrument.dimensions.overflowed", self.overflowed, "counter"))
        return points


class _Ignored:
    """How often a dimension was not taken, by reason; of the whole process."""

    def __init__(self) -> None:
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, reason: str) -> None:
        with self._lock:
            self._counts[reason] += 1

    def self_points(self) -> list[Point]:
        with self._lock:
            counts = sorted(self._counts.items())
        return [
            Point("wf_instrument.dimensions.ignored", count, "counter", (("reason", reason),))
            for reason, count in counts
        ]


_ignored: Final = _Ignored()
