"""Counts function calls, of Python and of C: a measure of work that has no noise."""

from __future__ import annotations

import cProfile
import pstats
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def calls_of(work: Callable[[], object]) -> int:
    """Return how many calls cProfile sees while `work` runs, in this thread."""
    profile = cProfile.Profile()
    profile.enable()
    work()
    profile.disable()
    stats: Any = pstats.Stats(profile)
    return int(stats.total_calls)


def calls_per_request(work_of: Callable[[int], Callable[[], object]], requests: int) -> float:
    """Return the calls of one request: what more of them add, so that beginnings cancel out.

    Args:
        work_of: Returns what serves so many requests.
        requests: Few; the other count is of three times as many.
    """
    few = calls_of(work_of(requests))
    return (calls_of(work_of(3 * requests)) - few) / (2 * requests)
